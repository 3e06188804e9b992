//! Waiting, for entries of poll() or for a time.

use crate::raw::call;
use crate::sys::{now_ms, result, Error};
use graceful_close::internals::longest_limit;
use libc::{c_int, timespec};
use std::ptr::{from_mut, null};

/// Until an entry is ready, or so many milliseconds are over. A process that is stopped and continued does not wait
/// for the time that was left when it was stopped: the limits are constants, and EINTR ends the wait.
pub fn wait(entries: &mut [libc::pollfd], limit_ms: Option<u64>) -> Result<usize, Error> {
    let Some(limit) = limit_ms else {
        return ppoll(entries, null());
    };
    let until = now_ms().saturating_add(limit);
    let mut left = limit;
    loop {
        let answer = wait_once(entries, longest_limit(left));
        left = until.saturating_sub(now_ms());
        if answer != Ok(0) || left == 0 {
            return answer;
        }
    }
}

/// qemu-user fails where it cannot write the time that is left.
fn wait_once(entries: &mut [libc::pollfd], limit: &timespec) -> Result<usize, Error> {
    match ppoll(entries, limit) {
        Err(Error(libc::EFAULT)) => {
            let mut own = *limit;
            ppoll(entries, from_mut(&mut own))
        }
        answer => answer,
    }
}

/// What poll() says of it now.
pub fn events_now(fd: c_int, events: i16) -> Result<i16, Error> {
    let mut entry = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // at each close: the clock is not asked
    wait_once(std::slice::from_mut(&mut entry), longest_limit(0))?;
    Ok(entry.revents)
}

/// Waits for a moment.
pub fn wait_us(microseconds: u32) {
    let mut limit = timespec {
        tv_sec: 0,
        tv_nsec: (microseconds * 1000) as _,
    };
    let _ = ppoll(&mut [], from_mut(&mut limit));
}

/// The kernel writes the time that is left to the limit, if it can.
fn ppoll(entries: &mut [libc::pollfd], limit: *const timespec) -> Result<usize, Error> {
    let at = entries.as_mut_ptr() as usize;
    // SAFETY: the entries and the limit live through the call.
    result(unsafe {
        call(
            libc::SYS_ppoll,
            [at, entries.len(), limit as usize, 0, 0, 0],
        )
    })
}
