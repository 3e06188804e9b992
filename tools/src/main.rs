//! Checks files of this project: `scripts/tools COMMAND`.

mod circles;
mod libraries;
mod manual;
mod proof;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: tools COMMAND
  circles FOLDER...    whether files below these folders need each other
  libraries [FOLDER]   sizes of the built libraries and programs and what they need from the system,
                       against limits; FOLDER: where the folders of the targets are (target/artifacts)
  manual               README and docs/: links, the header's names, words that people search by
  code                 whether the blocks of C in README and docs/ compile
  figures              whether each measured figure in README and docs/ has its command
  proof                whether each rule of docs/proof.md has a test that exists
  ran FOLDER SUMMARY   whether those tests ran, by what scripts/test has left in FOLDER and SUMMARY
  block WORDS          prints the block of C that has these words
  site FOLDER          copies docs/ to FOLDER for mdBook
  search FOLDER        whether the search of the site that mdBook has made there finds those words";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["circles", ref roots @ ..] if !roots.is_empty() => circles::check(roots),
        ["libraries"] => libraries::check(Path::new("target/artifacts")),
        ["libraries", folder] => libraries::check(Path::new(folder)),
        ["manual"] => manual::check(),
        ["code"] => manual::code::check(),
        ["figures"] => manual::figures::check(),
        ["proof"] => proof::check(),
        ["ran", folder, summary] => proof::ran::check(Path::new(folder), Path::new(summary)),
        ["block", words] => manual::code::block(words),
        ["site", folder] => manual::site::copy(Path::new(folder)),
        ["search", folder] => manual::site::search(Path::new(folder)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
