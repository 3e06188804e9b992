//! The log file: one line when the hook becomes active, and one per close that mattered.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

static FILE: OnceLock<File> = OnceLock::new();

/// Several processes may append to the same file. One that cannot be opened is done without:
/// the program has no part in this.
pub(crate) fn open(path: &Path) {
    if let Ok(file) = OpenOptions::new().create(true).append(true).open(path) {
        let _ = FILE.set(file);
    }
}

pub(crate) fn is_on() -> bool {
    FILE.get().is_some()
}

/// One write for the whole line, so that lines of others do not get in between.
pub(crate) fn line(text: &str) {
    if let Some(mut file) = FILE.get() {
        let line = format!("graceful-close[{}]: {text}\r\n", std::process::id());
        let _ = file.write_all(line.as_bytes());
    }
}
