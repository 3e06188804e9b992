//! An option of the command line, and its value.

use crate::failure::Failure;
use graceful_close_retrofit::settings::milliseconds;
use std::ffi::OsString;
use std::time::Duration;

/// The words that follow.
pub type Words<'a> = dyn Iterator<Item = OsString> + 'a;

/// `--name value`, or `--name=value`.
pub struct Valued<'a> {
    pub command: &'static str,
    pub whole: &'a str,
    pub name: &'a str,
    pub attached: Option<OsString>,
}

impl<'a> Valued<'a> {
    pub fn new(command: &'static str, whole: &'a str) -> Valued<'a> {
        let (name, attached) = match whole.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (whole, None),
        };
        Valued {
            command,
            whole,
            name,
            attached,
        }
    }

    pub fn value(&self, words: &mut Words) -> Result<OsString, Failure> {
        let missing = || Failure::Usage(format!("{}: {} needs a value", self.command, self.name));
        let value = self.attached.clone().or_else(|| words.next());
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    pub fn time(&self, words: &mut Words) -> Result<Duration, Failure> {
        let value = self.value(words)?;
        let text = value.to_str().unwrap_or("\u{fffd}");
        let wrong = |why| Failure::Usage(format!("{}: {} {text}: {why}", self.command, self.name));
        let time = milliseconds(text).map_err(wrong)?;
        Ok(Duration::from_millis(time.into()))
    }

    pub fn unknown(&self) -> Failure {
        Failure::Usage(format!("{}: no such option: {}", self.command, self.name))
    }
}
