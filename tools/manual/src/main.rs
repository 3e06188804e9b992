//! Makes the manual pages and docs/reference.md, from the comments of `include/graceful_close.h`
//! and from the help text of the command. scripts/man-pages and CMake call it:
//!
//! ```text
//! manual pages ROOT FOLDER     writes the pages into FOLDER, and removes other pages there
//! manual reference ROOT        writes docs/reference.md
//! ```

mod pages;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["pages", root, folder] => write_pages(Path::new(root), Path::new(folder)),
        ["reference", root] => write_reference(Path::new(root)),
        _ => {
            eprintln!("usage: manual pages ROOT FOLDER | manual reference ROOT");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_pages(root: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A page that is no longer in the header must not be installed.
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if matches!(
            path.extension().and_then(|ext| ext.to_str()),
            Some("1" | "3")
        ) {
            fs::remove_file(path)?;
        }
    }
    for (name, text) in pages::generate(root) {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

fn write_reference(root: &Path) -> io::Result<()> {
    fs::write(root.join("docs/reference.md"), pages::reference(root))
}
