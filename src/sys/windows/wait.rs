//! Waiting without a socket.

use crate::clock::{Clock, SystemClock, Time};
use std::time::Duration;

/// Sleeps until the time is up; never in an alertable state, where the program's
/// completion routines would run.
pub(super) fn nap(until: Time) {
    let left = until.since(SystemClock.now());
    if left > Duration::ZERO {
        std::thread::sleep(left);
    }
}

/// The time left in whole milliseconds: rounded up, so never early; -1 for ever.
pub(super) fn millis_until(until: Time) -> i32 {
    match until.millis_from(SystemClock.now()) {
        None => -1,
        Some(ms) => i32::try_from(ms).unwrap_or(i32::MAX),
    }
}
