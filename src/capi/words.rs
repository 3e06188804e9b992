//! Words and figures.

use super::types::*;
use std::ffi::{c_char, c_int, c_uint, CStr};

/// An outcome or error in words: "graceful", "timed out", "not a socket" ...
///
/// Never NULL; "unknown" for a number that is none. The text is the library's and
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
        number(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 100
            + number(env!("CARGO_PKG_VERSION_PATCH"))
    }
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

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
    use super::name;
    use crate::outcome::Outcome::*;

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
