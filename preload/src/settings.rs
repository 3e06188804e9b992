//! What the environment asks for. Read once, by the constructor: later the program may be
//! changing it in another thread.

use crate::real;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering::Relaxed};

/// Limits of one close and of all. A peer that writes on and never reads is told within the
/// first: Redis's test suite, for one, waits 30 s for it.
pub static TIMEOUT_MS: AtomicU32 = AtomicU32::new(10_000);
pub static IDLE_MS: AtomicU32 = AtomicU32::new(5_000);
pub static MAX_BYTES: AtomicU32 = AtomicU32::new(64 << 20);
pub static MAX_PARKED: AtomicU32 = AtomicU32::new(256);
/// The end of a process, or of its program by exec, is put off by so much at most,
pub static EXIT_WAIT_MS: AtomicU32 = AtomicU32::new(1_000);
/// and by so much for peers of which nothing comes;
pub static EXIT_IDLE_MS: AtomicU32 = AtomicU32::new(200);
/// of the children of one process only so many wait for longer than a moment: there may be a limit
/// of connections, which is one of processes (tcpserver -c).
pub static EXIT_WAITERS: AtomicU32 = AtomicU32::new(4);
/// The connections that the process makes, too.
pub static ANY_ROLE: AtomicBool = AtomicBool::new(false);
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

fn variable(name: &CStr) -> Option<&'static [u8]> {
    real::environment(name).map(CStr::to_bytes)
}

/// Reads all of them; whether the library is to do anything in this program.
pub fn read() -> bool {
    set(c"GRACEFUL_CLOSE_TIMEOUT_MS", &TIMEOUT_MS, milliseconds);
    set(c"GRACEFUL_CLOSE_IDLE_MS", &IDLE_MS, milliseconds);
    set(c"GRACEFUL_CLOSE_MAX_BYTES", &MAX_BYTES, number);
    set(c"GRACEFUL_CLOSE_MAX_PARKED", &MAX_PARKED, number);
    set(c"GRACEFUL_CLOSE_EXIT_WAIT_MS", &EXIT_WAIT_MS, milliseconds);
    set(c"GRACEFUL_CLOSE_EXIT_IDLE_MS", &EXIT_IDLE_MS, milliseconds);
    set(c"GRACEFUL_CLOSE_EXIT_WAITERS", &EXIT_WAITERS, number);
    ANY_ROLE.store(variable(c"GRACEFUL_CLOSE_ROLE") == Some(b"any"), Relaxed);
    BOTH_IS_HALF.store(
        variable(c"GRACEFUL_CLOSE_SHUTDOWN_BOTH") == Some(b"half"),
        Relaxed,
    );
    let at_exit = match variable(c"GRACEFUL_CLOSE_EXIT") {
        Some(b"off") => AtExit::Off,
        Some(b"wait") => AtExit::Wait,
        _ => AtExit::Scan,
    };
    AT_EXIT.store(at_exit as u8, Relaxed);
    !is_off() && is_for_this_program()
}

/// Any value but the empty one and 0.
fn is_off() -> bool {
    variable(c"GRACEFUL_CLOSE_OFF").is_some_and(|value| !matches!(value, b"" | b"0"))
}

/// What cannot be read leaves the default.
fn set(name: &CStr, to: &AtomicU32, read: fn(&str) -> Option<u32>) {
    let text = variable(name).and_then(|value| std::str::from_utf8(value).ok());
    if let Some(number) = text.and_then(|text| read(text.trim())) {
        to.store(number, Relaxed);
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Milliseconds, or a number with its unit: "500ms", "10s".
fn milliseconds(text: &str) -> Option<u32> {
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => number(ms.trim_end()),
        (None, Some(s)) => number(s.trim_end())?.checked_mul(1000),
        (None, None) => number(text),
    }
}

fn is_for_this_program() -> bool {
    let names = real::program_names();
    let among = |list: &[u8]| names.iter().flatten().any(|name| contains(list, name));
    match variable(c"GRACEFUL_CLOSE_ONLY") {
        Some(list) if !list.is_empty() && !among(list) => false,
        _ => !variable(c"GRACEFUL_CLOSE_EXCEPT").is_some_and(among),
    }
}

/// Whether a list, parted by commas, has the name.
fn contains(list: &[u8], name: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|word| word.trim_ascii() == name)
}

#[cfg(test)]
mod tests {
    use super::{contains, milliseconds};

    #[test]
    fn numbers_with_units() {
        assert_eq!(milliseconds("250"), Some(250));
        assert_eq!(milliseconds("250ms"), Some(250));
        assert_eq!(milliseconds("10s"), Some(10_000));
        assert_eq!(milliseconds("5000000s"), None);
        assert_eq!(milliseconds("soon"), None);
        assert_eq!(milliseconds("s"), None);
    }

    #[test]
    fn lists_of_programs() {
        assert!(contains(b"nginx", b"nginx"));
        assert!(contains(b"sh, cat,nginx", b"cat"));
        assert!(!contains(b"nginx-debug", b"nginx"));
        assert!(!contains(b"", b"nginx"));
    }
}
