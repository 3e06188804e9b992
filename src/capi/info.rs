//! Statistics, the log, names and versions.

use super::call::call;
use super::error::error_code;
use super::layout;
use super::types::*;
use crate::log::{self, Line, Told};
use crate::stats::stats;
use std::ffi::{c_char, c_int, c_uint, c_void, CStr};

/// Fills in what the library has done in this process so far.
///
/// Set stats->struct_size to sizeof(gc_stats) before. Costs a few loads; the
/// figures are each true, but not all of one moment. Any thread.
///
/// Returns 0 or GC_ERR_ARGUMENT.
#[no_mangle]
pub unsafe extern "C" fn gc_get_stats(stats_out: *mut gc_stats) -> c_int {
    let stats = stats();
    let raw = gc_stats {
        struct_size: 0,
        closed: stats.closed,
        by_outcome: stats.by_outcome,
        aborted: stats.aborted,
        drained_bytes: stats.drained_bytes,
        pending: stats.pending,
    };
    call("gc_get_stats", None, || {
        // SAFETY: the caller vouches for the pointer and its struct_size.
        unsafe { layout::write_stats(stats_out, raw) }?;
        Ok(0)
    })
}

/// Has log called with one line per close that was not graceful, and per call that was
/// refused with GC_ERR_...; NULL: off.
///
/// The line of a close tells both addresses, the outcome, milliseconds, bytes drained and
/// not acknowledged, and the system's error in words. That of a refused call tells the
/// function, what was wrong, what was left untouched and what to do:
///
///   gc_close_with: struct_size of gc_options is 0: start from GC_OPTIONS_INIT; nothing was done
///
/// and outcome is what the call returned (GC_ERR_NOT_A_SOCKET for gc_closesocket(), too).
/// gc_close_many() has a line for each entry that is not a socket. What was handed over and then
/// closed by the program has one with GC_ERR_NOT_A_SOCKET.
///
/// A line ends without a line end, has 511 bytes at most (one that was cut ends with
/// "...") and is valid during the call only; writing it takes no memory from the heap. The
/// call comes on the thread that closes, with no lock of the library held. It may call any
/// function of the library; what it closes itself, and calls of its own that are refused, have
/// no line. errno and WSAGetLastError() are set after it. A close that is under way may still
/// call the former one. Every log stays in memory (some 50 bytes): set it at the start, not for
/// each connection; without memory for it nothing changes. Any thread.
#[no_mangle]
pub extern "C" fn gc_set_log(log: gc_log_fn, user: *mut c_void) {
    let Some(callback) = log else {
        log::clear_log();
        return;
    };
    let user = User(user);
    log::install(move |told: Told, line: &Line| {
        let number = match told {
            Told::Outcome(outcome) => outcome as c_int,
            Told::Gone(fault) => error_code(fault),
            Told::Refused(number) => number,
        };
        // SAFETY: the program gave the function and its argument for this.
        unsafe { callback(user.get(), number, line.c_text().as_ptr()) };
    });
}

/// The program's pointer, to be handed back to it on any thread.
struct User(*mut c_void);

// SAFETY: it is never looked into here; the header says on which threads the
// callback comes.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

/// An outcome or error in words: "graceful", "timed out", "not a socket" ...
///
/// Never NULL; "unknown" for any other number. The text is the library's and
/// lives as long as it is loaded. Any thread.
#[no_mangle]
pub extern "C" fn gc_outcome_name(code: c_int) -> *const c_char {
    name(code).as_ptr()
}

/// The version of the library that is running, as "0.2.0". Compare it with
/// GRACEFUL_CLOSE_VERSION_STRING, that of the header. The text is the library's.
#[no_mangle]
pub extern "C" fn gc_version_string() -> *const c_char {
    VERSION.as_ptr()
}

/// The same as MAJOR * 10000 + MINOR * 100 + PATCH; compare it with
/// GRACEFUL_CLOSE_VERSION_NUMBER.
#[no_mangle]
pub extern "C" fn gc_version_number() -> c_uint {
    const {
        version(
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
            env!("CARGO_PKG_VERSION_PATCH"),
        )
    }
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

const fn version(major: &str, minor: &str, patch: &str) -> c_uint {
    number(major) * 10_000 + number(minor) * 100 + number(patch)
}

const fn number(digits: &str) -> c_uint {
    let digits = digits.as_bytes();
    let (mut value, mut at) = (0, 0);
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as c_uint;
        at += 1;
    }
    value
}

fn name(code: c_int) -> &'static CStr {
    match code {
        GC_GRACEFUL => c"graceful",
        GC_TIMED_OUT => c"timed out",
        GC_RESET => c"reset",
        GC_LOST => c"lost",
        GC_DRAIN_LIMIT => c"drain limit",
        GC_STOPPED => c"stopped",
        GC_NOT_CONNECTED => c"not connected",
        GC_UNCERTAIN => c"uncertain",
        GC_EVICTED => c"evicted",
        GC_RELEASED => c"released",
        GC_DELIVERED => c"delivered",
        GC_CONTINUED => c"continued",
        GC_PENDING => c"pending",
        GC_ERR_NOT_A_SOCKET => c"not a socket",
        GC_ERR_ARGUMENT => c"wrong argument",
        GC_ERR_RESOURCES => c"out of resources",
        GC_ERR_STOPPED => c"reaper stopped",
        GC_ERR_SYSTEM => c"system error",
        GC_ERR_INTERNAL => c"internal error",
        _ => c"unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::{name, version};
    use crate::outcome::Outcome::*;

    #[test]
    fn a_version_is_one_number() {
        assert_eq!(version("0", "2", "0"), 200);
        assert_eq!(version("12", "34", "56"), 123_456);
    }

    #[test]
    fn both_faces_say_the_same_words() {
        for outcome in [
            Graceful,
            TimedOut,
            Reset,
            Lost,
            DrainLimit,
            Stopped,
            NotConnected,
            Uncertain,
            Evicted,
            Released,
            Delivered,
            Continued,
        ] {
            assert_eq!(name(outcome as i32).to_str(), Ok(outcome.name()));
        }
    }
}
