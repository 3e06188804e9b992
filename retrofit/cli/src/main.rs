//! `graceful-close run -- PROGRAM`: graceful closes for a program that is not rebuilt.
//! `graceful-close observe -- PROGRAM`: which of its closes lose data.

mod arguments;
mod failure;
mod help;
mod observe;
// what is set matters only where there is a library to tell
#[cfg_attr(not(any(target_os = "linux", windows)), allow(dead_code))]
mod settings;
#[cfg(test)]
mod testing;
mod valued;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "elsewhere.rs"]
mod system;

use arguments::Command;
use failure::Failure;
use std::io::Write;
use std::process::exit;

fn main() {
    let words = std::env::args_os().skip(1).collect();
    let status = arguments::parse(words).and_then(obey);
    match status {
        Ok(code) => exit(code),
        Err(failure) => {
            eprintln!("graceful-close: {failure}");
            exit(failure.exit_code());
        }
    }
}

fn obey(command: Command) -> Result<i32, Failure> {
    match command {
        Command::Help => tell(help::GENERAL),
        Command::HelpRun => tell(help::RUN),
        Command::HelpObserve => tell(help::OBSERVE),
        Command::Version => tell(concat!("graceful-close ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Run(request) => system::run(&request),
        Command::Observe(observation) => system::observe(&observation),
    }
}

/// A reader that has gone away (`graceful-close --help | head -1`) is no error.
fn tell(text: &str) -> Result<i32, Failure> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}
