//! The log file: one line when the hook becomes active, and one per close that mattered. The
//! lines are those of the preload library on Linux.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

struct Log {
    file: File,
    /// What every line begins with.
    who: String,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Several processes may append to the same file. One that cannot be opened is done without:
/// the program has no part in this.
pub(crate) fn open(path: &Path, program: &str) {
    if let Ok(file) = OpenOptions::new().create(true).append(true).open(path) {
        let who = format!("graceful_close: {program}[{}]: ", std::process::id());
        let _ = LOG.set(Log { file, who });
    }
}

pub(crate) fn is_on() -> bool {
    LOG.get().is_some()
}

/// One write for the whole line, so that lines of others do not get in between.
pub(crate) fn line(text: &str) {
    if let Some(log) = LOG.get() {
        let line = format!("{}{text}\n", log.who);
        let _ = (&log.file).write_all(line.as_bytes());
    }
}
