//! Linux: LD_PRELOAD.

#[path = "linux/broken_pipe.rs"]
mod broken_pipe;
#[path = "linux/diagnosis.rs"]
mod diagnosis;
#[path = "linux/follow.rs"]
mod follow;
#[path = "linux/followed.rs"]
mod followed;
#[path = "linux/inspect.rs"]
mod inspect;
#[path = "linux/library.rs"]
mod library;
#[path = "linux/log.rs"]
mod log;
#[path = "linux/namespace.rs"]
mod namespace;
#[path = "linux/netlink.rs"]
mod netlink;
#[path = "linux/observe.rs"]
mod observe;
#[path = "linux/program.rs"]
mod program;
#[path = "linux/starters.rs"]
mod starters;
#[path = "linux/table_file.rs"]
mod table_file;
#[path = "linux/trial.rs"]
mod trial;
#[path = "linux/warning.rs"]
mod warning;

use crate::arguments::{Observation, Request};
use crate::failure::Failure;
use graceful_close_retrofit::image::asan;
use inspect::Findings;
use library::{preloaded, PRELOAD};
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const ASAN_OPTIONS: &str = "ASAN_OPTIONS";

/// Turns into the program; returns only if that fails, or if it was only to check.
pub fn run(request: &Request) -> Result<i32, Failure> {
    let path = program::find(&request.program)?;
    let library = library::find(request.library.as_deref())?;
    let found = inspect::inspect(request, &path, &library)?;
    if request.check {
        return Ok(check(&path, &library, &found));
    }
    if let Some(why) = &found.obstacle {
        let what = format!("{} is {why}", path.display());
        if !request.anyway {
            return Err(Failure::Cannot(format!(
                "{what}\n--anyway starts it all the same, without graceful closes"
            )));
        }
        warning::tell(&what);
    }
    warning::tell_all(found.behind.iter().chain(&found.warnings));
    let error = command(request, &path, &library, &found).exec();
    Err(refused(&path, &error))
}

fn command(request: &Request, path: &Path, library: &Path, found: &Findings) -> Command {
    let mut command = prepared(&request.program, path, library);
    if found.needs_asan {
        command.env(ASAN_OPTIONS, without_link_order());
    }
    broken_pipe::keep(&mut command)
        .args(&request.arguments)
        .envs(request.environment.iter().map(from_anywhere));
    command
}

/// Starts the program, waits for it, and reports.
pub fn observe(observation: &Observation) -> Result<i32, Failure> {
    let request = &observation.request;
    let path = program::find(&request.program)?;
    let library = library::find(request.library.as_deref())?;
    let found = inspect::inspect(request, &path, &library)?;
    if let Some(why) = &found.obstacle {
        return Err(Failure::Cannot(format!("{} is {why}", path.display())));
    }
    warning::tell_all(found.behind.iter().chain(&found.warnings));
    let mut command = command(request, &path, &library, &found);
    let table = table_file::TableFile::make()?;
    command.env(table_file::VARIABLE, table.path());
    observe::watch(&mut command, observation, &path, &table, |error| {
        refused(&path, error)
    })
}

/// AddressSanitizer's runtime refuses to start behind another library. Its order matters for
/// libraries that stand in for what it stands in for, malloc() above all; ours does not.
fn without_link_order() -> OsString {
    let mut options = env::var_os(ASAN_OPTIONS).unwrap_or_default();
    if !options.is_empty() {
        options.push(":");
    }
    options.push(asan::NO_LINK_ORDER);
    options
}

/// A setting for programs that may have other current directories.
fn from_anywhere((name, value): &(&'static str, OsString)) -> (&'static str, OsString) {
    let whole = || std::path::absolute(value).ok().map(OsString::from);
    match *name {
        "GRACEFUL_CLOSE_LOG" => (name, whole().unwrap_or_else(|| value.clone())),
        _ => (name, value.clone()),
    }
}

fn prepared(name: &OsString, path: &Path, library: &Path) -> Command {
    let mut command = Command::new(path);
    command.arg0(name).env(PRELOAD, preloaded(library));
    command
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let why = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => Failure::NotFound(why),
        _ => Failure::Cannot(why),
    }
}

fn check(path: &Path, library: &Path, found: &Findings) -> i32 {
    println!("program  {}", path.display());
    println!("library  {}", library.display());
    for setting in &found.settings {
        println!("setting  {setting}");
    }
    if found.needs_asan {
        println!("setting  {ASAN_OPTIONS} gets {}", asan::NO_LINK_ORDER);
    }
    for warning in &found.warnings {
        println!("warning  {warning}");
    }
    match found.verdict(library) {
        Ok(()) => {
            println!("verdict  its connections would end gracefully");
            0
        }
        Err(why) => {
            println!("verdict  no: {why}");
            126
        }
    }
}
