//! Checks files of this project: `scripts/tools COMMAND`.

mod circles;
mod libraries;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: tools COMMAND
  circles FOLDER...    whether files below these folders need each other
  libraries [FOLDER]   sizes of the built libraries and programs and what they need from the system,
                       against limits; FOLDER: where the folders of the targets are (target/artifacts)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["circles", ref roots @ ..] if !roots.is_empty() => circles::check(roots),
        ["libraries"] => libraries::check(Path::new("target/artifacts")),
        ["libraries", folder] => libraries::check(Path::new(folder)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
