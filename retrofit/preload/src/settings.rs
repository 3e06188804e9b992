//! What the environment asks for. Read once, by the constructor: later the program may be
//! changing it in another thread.

use crate::real;
use graceful_close_retrofit::settings::{self, Setting, Value, Wrong};
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering::Relaxed};

/// Limits of one close and of all.
pub static TIMEOUT_MS: AtomicU32 = AtomicU32::new(settings::TIMEOUT.default());
pub static IDLE_MS: AtomicU32 = AtomicU32::new(settings::IDLE.default());
pub static MAX_BYTES: AtomicU32 = AtomicU32::new(settings::MAX_BYTES.default());
pub static MAX_PARKED: AtomicU32 = AtomicU32::new(settings::MAX_PARKED.default());
pub static EXIT_WAIT_MS: AtomicU32 = AtomicU32::new(settings::EXIT_WAIT.default());
pub static EXIT_IDLE_MS: AtomicU32 = AtomicU32::new(settings::EXIT_IDLE.default());
pub static EXIT_WAITERS: AtomicU32 = AtomicU32::new(settings::EXIT_WAITERS.default());
/// The connections that the process makes, too.
pub static ANY_ROLE: AtomicBool = AtomicBool::new(false);
/// The closing thread waits for the end.
pub static BLOCKING: AtomicBool = AtomicBool::new(false);
/// shutdown(fd, SHUT_RDWR) becomes a half-close.
pub static BOTH_IS_HALF: AtomicBool = AtomicBool::new(false);
static AT_EXIT: AtomicU8 = AtomicU8::new(AtExit::Scan as u8);

/// What is done at the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExit {
    /// Nothing.
    Off,
    /// What is parked is waited for.
    Wait,
    /// What is open is treated as if it were closed, too.
    Scan,
}

pub fn at_exit() -> AtExit {
    match AT_EXIT.load(Relaxed) {
        0 => AtExit::Off,
        1 => AtExit::Wait,
        _ => AtExit::Scan,
    }
}

fn variable(name: &'static CStr) -> Option<&'static [u8]> {
    real::environment(name)
        .map(CStr::to_bytes)
        .filter(|value| !value.is_empty())
}

fn text(setting: &Setting) -> Option<&'static str> {
    std::str::from_utf8(setting.look(variable)?).ok()
}

fn number(setting: &Setting) -> u32 {
    setting.number_or_default(text(setting))
}

/// The word that counts.
fn word(setting: &Setting) -> &'static str {
    match setting.value {
        Value::OneOf(words) => words[number(setting) as usize],
        _ => "",
    }
}

/// Reads all of them; whether the library is to do anything in this program.
pub fn read() -> bool {
    let blocking = number(&settings::BLOCKING) != 0;
    BLOCKING.store(blocking, Relaxed);
    let timeout = match text(&settings::TIMEOUT) {
        None if blocking => settings::BLOCKING_TIMEOUT_MS,
        text => settings::TIMEOUT.number_or_default(text),
    };
    TIMEOUT_MS.store(timeout, Relaxed);
    IDLE_MS.store(number(&settings::IDLE), Relaxed);
    MAX_BYTES.store(number(&settings::MAX_BYTES), Relaxed);
    MAX_PARKED.store(number(&settings::MAX_PARKED), Relaxed);
    EXIT_WAIT_MS.store(number(&settings::EXIT_WAIT), Relaxed);
    EXIT_IDLE_MS.store(number(&settings::EXIT_IDLE), Relaxed);
    EXIT_WAITERS.store(number(&settings::EXIT_WAITERS), Relaxed);
    ANY_ROLE.store(word(&settings::ROLE) == "any", Relaxed);
    // linked in, shutdown() comes here only if --wrap=shutdown asks for it
    let both_is_half = word(&settings::SHUTDOWN_BOTH) == "half" || cfg!(feature = "link");
    BOTH_IS_HALF.store(both_is_half, Relaxed);
    let at_exit = match word(&settings::EXIT) {
        "off" => AtExit::Off,
        "wait" => AtExit::Wait,
        _ => AtExit::Scan,
    };
    AT_EXIT.store(at_exit as u8, Relaxed);
    number(&settings::OFF) == 0 && is_for_this_program()
}

/// The table, if the closes are only to be looked at.
pub fn observe() -> Option<&'static CStr> {
    let given = settings::OBSERVE.look(real::environment)?;
    (!given.is_empty() && !cfg!(feature = "link")).then_some(given)
}

/// Where the log is to be.
pub fn log() -> Option<&'static CStr> {
    settings::LOG.look(real::environment)
}

/// Tells of each that has a value and is not understood, which counts as none.
pub fn not_understood(mut tell: impl FnMut(&str, &str, Wrong)) {
    for setting in settings::SETTINGS {
        let Some(text) = text(setting) else { continue };
        if let Err(wrong) = setting.number(text) {
            tell(setting.option, text, wrong);
        }
    }
}

fn is_for_this_program() -> bool {
    let names = real::program_names();
    let among = |list: &[u8]| names.iter().flatten().any(|name| contains(list, name));
    match settings::ONLY.look(variable) {
        Some(list) if !among(list) => false,
        _ => !settings::EXCEPT.look(variable).is_some_and(among),
    }
}

/// Whether a list separated by commas has the name.
fn contains(list: &[u8], name: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|word| word.trim_ascii() == name)
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn lists_of_programs() {
        assert!(contains(b"nginx", b"nginx"));
        assert!(contains(b"sh, cat,nginx", b"cat"));
        assert!(!contains(b"nginx-debug", b"nginx"));
        assert!(!contains(b"", b"nginx"));
    }
}
