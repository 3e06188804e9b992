//! Linux: LD_PRELOAD.

#[path = "linux/broken_pipe.rs"]
mod broken_pipe;
#[path = "linux/elf.rs"]
mod elf;
#[path = "linux/library.rs"]
mod library;
#[path = "linux/program.rs"]
mod program;
#[path = "linux/trial.rs"]
mod trial;

use crate::arguments::Request;
use crate::failure::Failure;
use program::Image;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const PRELOAD: &str = "LD_PRELOAD";

/// Turns into the program; returns only if that fails, or if it was only to check.
pub fn run(request: &Request) -> Result<i32, Failure> {
    let path = program::find(&request.program)?;
    let library = library::find(request.library.as_deref())?;
    let image = program::image(&path);
    let obstacle = image.obstacle(library::kind(&library)?);
    if request.check {
        return Ok(check(&path, &library, obstacle.as_deref(), &image));
    }
    match obstacle {
        Some(why) if !request.anyway => {
            return Err(Failure::Cannot(format!(
                "{} is {why}\n--anyway starts it all the same, without graceful closes",
                path.display()
            )));
        }
        Some(why) => eprintln!("graceful-close: {} is {why}", path.display()),
        None => {}
    }
    let error = broken_pipe::keep(&mut prepared(&request.program, &path, &library))
        .args(&request.arguments)
        .envs(request.environment.iter().map(from_anywhere))
        .exec();
    Err(refused(&path, &error))
}

/// A setting for programs that may have other current directories.
fn from_anywhere((name, value): &(&'static str, OsString)) -> (&'static str, OsString) {
    let whole = || std::path::absolute(value).ok().map(OsString::from);
    match *name {
        "GRACEFUL_CLOSE_LOG" => (name, whole().unwrap_or_else(|| value.clone())),
        _ => (name, value.clone()),
    }
}

/// The library in front of those that are preloaded anyway.
fn preloaded(library: &Path) -> OsString {
    let mut preload = OsString::from(library);
    if let Some(others) = env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    preload
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

fn check(path: &Path, library: &Path, obstacle: Option<&str>, image: &Image) -> i32 {
    println!("program  {}", path.display());
    println!("library  {}", library.display());
    let verdict = match obstacle {
        Some(why) => Err(format!("it is {why}")),
        None => trial::load(library, image),
    };
    match verdict {
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
