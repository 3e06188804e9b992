//! Why a program was not started, and the exit status that says so.

use std::fmt;

/// The exit codes are those of env, nohup and timeout.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong, or this command itself cannot do its work.
    Usage(String),
    /// The program is there and cannot be run, or cannot be run gracefully.
    Cannot(String),
    /// There is no such program.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    NotFound(String),
}

impl Failure {
    pub fn exit_code(&self) -> i32 {
        match self {
            Failure::Usage(_) => 125,
            Failure::Cannot(_) => 126,
            Failure::NotFound(_) => 127,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Usage(why) => write!(to, "{why}\nTry: graceful-close run --help"),
            Failure::Cannot(why) | Failure::NotFound(why) => to.write_str(why),
        }
    }
}
