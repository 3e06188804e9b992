//! What only a program has that is linked with the library.

use super::processes;
use crate::log;
use libc::{c_ulong, pid_t};

/// A vfork() that is a fork() is allowed (POSIX.1-2001, vfork), and no function can stand around
/// a real one: it would return twice from the same frame.
///
/// # Safety
/// As fork().
#[no_mangle]
pub unsafe extern "C" fn vfork() -> pid_t {
    // SAFETY: as the caller promises.
    unsafe { processes::fork() }
}

/// How many closes have been taken over so far. `nm program` shows by this name whether the
/// archive was linked in.
#[no_mangle]
pub extern "C" fn graceful_close_override_active() -> c_ulong {
    log::taken_over() as c_ulong
}
