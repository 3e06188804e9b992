//! Windows: the program is started suspended, gets the DLL, and goes on. Experimental.

use crate::arguments::{Observation, Request};
use crate::failure::Failure;
use crate::settings;
use command_line::command_line;
use graceful_close_hook::inject::{Activity, Library};
use observe::TableFile;
use process::Process;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[path = "windows/command_line.rs"]
mod command_line;
#[path = "windows/find.rs"]
mod find;
#[path = "windows/observe.rs"]
mod observe;
#[path = "windows/process.rs"]
mod process;
// the only one in the archives; 32 bits have other names
#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
#[path = "windows/random.rs"]
mod random;

const DLL: &str = "graceful_close_hook.dll";
/// Names another DLL; the option --library goes before it.
const DLL_VARIABLE: &str = "GRACEFUL_CLOSE_HOOK";
const LOG_VARIABLE: &str = "GRACEFUL_CLOSE_LOG";

pub fn run(request: &Request) -> Result<i32, Failure> {
    let (process, activity) = start(request)?;
    if request.check {
        for setting in settings::in_force(&request.settings).lines {
            println!("setting  {setting}");
        }
        return check(&find::program(&request.program)?, activity?);
    }
    go_on(request, &process, activity)?;
    wait(&process)
}

/// As `run`, but that the hook only looks.
pub fn observe(observation: &Observation) -> Result<i32, Failure> {
    let request = &observation.request;
    let table = TableFile::make()?;
    let (process, activity) = start(request)?;
    if activity
        .as_ref()
        .is_ok_and(|activity| *activity == Activity::Off)
    {
        eprintln!("graceful-close: the settings say not to observe this program");
    }
    go_on(request, &process, activity)?;
    observe::watch(&process, observation, &table)
}

type Activation = Result<Activity, Failure>;

/// Started and suspended; dropped before it goes on, the process ends.
fn start(request: &Request) -> Result<(Process, Activation), Failure> {
    let program = find::program(&request.program)?;
    let library = library(request);
    set_environment(request);
    for warning in settings::in_force(&request.settings).warnings {
        eprintln!("graceful-close: warning: {warning}");
    }
    let process = Process::start(
        &program,
        &command_line(&request.program, &request.arguments)?,
    )?;
    let activity = library.and_then(|library| {
        library
            .inject(process.handle())
            .map_err(|failure| Failure::Cannot(format!("{}: {failure}", program.display())))
    });
    Ok((process, activity))
}

fn go_on(request: &Request, process: &Process, activity: Activation) -> Result<(), Failure> {
    match activity {
        Err(failure) if request.anyway => eprintln!("graceful-close: {failure}; started without"),
        other => drop(other?),
    }
    process.go_on()
}

fn wait(process: &Process) -> Result<i32, Failure> {
    loop {
        if let Some(code) = process.wait_for(None)? {
            return Ok(code);
        }
    }
}

/// The process ends when this returns; its main thread has not run.
fn check(program: &Path, activity: Activity) -> Result<i32, Failure> {
    let name = program.display();
    match activity {
        Activity::Off => println!("{name}: off, as set"),
        Activity::Slots { all, of_close: 0 } => println!(
            "{name}: active, {all} slots patched, none of closesocket: it closes no sockets, or \
             looks the function up or loads the module later, which is covered, too"
        ),
        Activity::Slots { all, of_close } => {
            println!("{name}: active, {all} slots patched, {of_close} of closesocket");
        }
    }
    Ok(0)
}

fn library(request: &Request) -> Result<Library, Failure> {
    let path = match &request.library {
        Some(path) => PathBuf::from(path),
        None => match std::env::var_os(DLL_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => beside_this_command()?,
        },
    };
    // The process may have another current directory.
    let path = std::path::absolute(&path).unwrap_or(path);
    Library::find(&path).map_err(|failure| Failure::Usage(failure.to_string()))
}

fn beside_this_command() -> Result<PathBuf, Failure> {
    let this = std::env::current_exe()
        .map_err(|error| Failure::Usage(format!("where is this command? {error}")))?;
    Ok(this.with_file_name(DLL))
}

/// The process inherits ours. This command runs one thread.
fn set_environment(request: &Request) {
    for (name, value) in &request.environment {
        std::env::set_var(name, value);
    }
    if request.check {
        std::env::remove_var(LOG_VARIABLE);
    }
    let log = std::env::var_os(LOG_VARIABLE).filter(|path| !path.is_empty());
    if let Some(path) = log.map(|path: OsString| std::path::absolute(&path)) {
        let _ = path.map(|path| std::env::set_var(LOG_VARIABLE, path));
    }
}
