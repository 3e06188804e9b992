//! Statistics and log.

use super::convert;
use super::types::*;
use crate::log;
use crate::memory;
use crate::outcome::Outcome;
use crate::stats::stats;
use crate::sys::LastError;
use std::ffi::{c_char, c_int, c_void, CString};

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
    // SAFETY: the caller vouches for the pointer and its struct_size.
    match unsafe { convert::write_stats(stats_out, raw) } {
        Ok(()) => 0,
        Err(_) => {
            LastError::set(LastError::ARGUMENT);
            GC_ERR_ARGUMENT
        }
    }
}

/// Has log called with one line per close that was not graceful; NULL: off.
///
/// The line tells both addresses, the outcome, milliseconds, bytes drained and not
/// acknowledged, and the system's error in words; it ends without a line end and is
/// valid during the call only. The call comes on the thread that closes, with no
/// lock of the library held. A close that is under way may still call the former
/// one. Every log stays in memory (some 50 bytes): set it at the start, not for each
/// connection; without memory for it nothing changes. Any thread.
#[no_mangle]
pub extern "C" fn gc_set_log(log: gc_log_fn, user: *mut c_void) {
    let Some(callback) = log else {
        log::clear_log();
        return;
    };
    if !memory::can_have(memory::HANDOVER) {
        return;
    }
    let user = User(user);
    log::set_log(move |outcome: Outcome, line: &str| {
        let line = CString::new(line).unwrap_or_default();
        // SAFETY: the program gave the function and its argument for this.
        unsafe { callback(user.get(), outcome as c_int, line.as_ptr() as *const c_char) };
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
