//! Where a report goes.

use super::logged::LogFile;
use super::report::Report;
use super::{how_to_lines, html, json, text};
use crate::failure::Failure;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the options of the command say.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Text; to stderr without it, so that the program's own output is not mixed with it.
    pub report: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub html: Option<PathBuf>,
    /// Closes that this log tells are in the report, too.
    pub add_log: Option<LogFile>,
    /// Say how to get lines for the modules that have none.
    pub symbols: bool,
}

impl Outputs {
    /// May be called again and again, for a report so far: no reader finds half a file.
    pub fn write(&self, report: &Report) -> Result<(), Failure> {
        let mut words = text::write(report);
        if self.symbols {
            words += &how_to_lines::write(report);
        }
        match &self.report {
            Some(path) => replace(path, &words)?,
            // a reader that has gone away is no error
            None => drop(io::stderr().write_all(words.as_bytes())),
        }
        if let Some(path) = &self.json {
            replace(path, &json::write(report))?;
        }
        if let Some(path) = &self.html {
            replace(path, &html::write(report))?;
        }
        Ok(())
    }
}

fn replace(path: &Path, words: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Cannot(format!("{}: {error}", path.display()));
    // /dev/stdout, a pipe
    if path.exists() && !path.is_file() {
        return fs::write(path, words).map_err(failed);
    }
    let mut beside = OsString::from(path);
    beside.push(".new");
    fs::write(&beside, words).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::Outputs;
    use crate::observe::samples;

    #[test]
    fn all_forms_are_written_and_written_again() {
        let folder = std::env::temp_dir().join(format!("outputs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let outputs = Outputs {
            report: Some(folder.join("report")),
            json: Some(folder.join("json")),
            html: Some(folder.join("html")),
            add_log: None,
            symbols: true,
        };
        let mut report = samples::report();
        for program in ["first", "second"] {
            report.run.program = vec![program.into()];
            outputs.write(&report).unwrap();
            for name in ["report", "json", "html"] {
                let text = std::fs::read_to_string(folder.join(name)).unwrap();
                assert!(text.contains(program), "{name}");
                assert_eq!(text.contains("How to get lines"), name == "report");
            }
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
        std::fs::remove_dir_all(&folder).unwrap();
        let why = outputs.write(&report).unwrap_err().to_string();
        assert!(why.contains("report"), "{why}");
    }
}
