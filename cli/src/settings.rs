//! The options that become environment variables, which is how the library inside the program
//! is told.

use crate::failure::Failure;
use std::ffi::OsStr;

/// What an option's value must look like.
#[derive(Clone, Copy)]
pub enum Value {
    /// A whole number.
    Number,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Anything.
    Text,
    /// The option has no value; the variable gets this.
    Fixed(&'static str),
}

pub struct Setting {
    /// Without the dashes.
    pub option: &'static str,
    pub variable: &'static str,
    pub value: Value,
}

const fn setting(option: &'static str, variable: &'static str, value: Value) -> Setting {
    Setting {
        option,
        variable,
        value,
    }
}

/// Every setting of the library. The help names each (there is a test).
pub const SETTINGS: &[Setting] = &[
    setting("timeout", "GRACEFUL_CLOSE_TIMEOUT_MS", Value::Number),
    setting("idle", "GRACEFUL_CLOSE_IDLE_MS", Value::Number),
    setting("max-bytes", "GRACEFUL_CLOSE_MAX_BYTES", Value::Number),
    setting("max-parked", "GRACEFUL_CLOSE_MAX_PARKED", Value::Number),
    setting(
        "role",
        "GRACEFUL_CLOSE_ROLE",
        Value::OneOf(&["server", "any"]),
    ),
    setting(
        "shutdown-both",
        "GRACEFUL_CLOSE_SHUTDOWN_BOTH",
        Value::OneOf(&["keep", "half"]),
    ),
    setting(
        "exit",
        "GRACEFUL_CLOSE_EXIT",
        Value::OneOf(&["off", "wait", "scan"]),
    ),
    setting("exit-wait", "GRACEFUL_CLOSE_EXIT_WAIT_MS", Value::Number),
    setting("exit-idle", "GRACEFUL_CLOSE_EXIT_IDLE_MS", Value::Number),
    setting(
        "exit-waiters",
        "GRACEFUL_CLOSE_EXIT_WAITERS",
        Value::Number,
    ),
    setting("log", "GRACEFUL_CLOSE_LOG", Value::Text),
    setting("only", "GRACEFUL_CLOSE_ONLY", Value::Text),
    setting("except", "GRACEFUL_CLOSE_EXCEPT", Value::Text),
    setting("off", "GRACEFUL_CLOSE_OFF", Value::Fixed("1")),
];

pub fn find(option: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.option == option)
}

impl Setting {
    /// Refuses a value that the library would ignore.
    pub fn check(&self, value: &OsStr) -> Result<(), Failure> {
        let text = value.to_str().unwrap_or_default();
        match self.value {
            Value::Number if text.parse::<u32>().is_err() => Err(Failure::Usage(format!(
                "--{}: not a number below 2^32: {}",
                self.option,
                value.to_string_lossy()
            ))),
            Value::OneOf(words) if !words.contains(&text) => Err(Failure::Usage(format!(
                "--{}: one of {}, not: {}",
                self.option,
                words.join(", "),
                value.to_string_lossy()
            ))),
            _ => Ok(()),
        }
    }
}
