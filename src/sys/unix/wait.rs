//! Waiting, by poll().

#[cfg(not(only_ppoll))]
use super::fault::syscall;
use super::fault::LastError;
#[cfg(only_ppoll)]
use super::ppoll as waiting;
use crate::clock::{Clock, SystemClock, Time};
#[cfg(not(only_ppoll))]
use crate::connection::Fault;
use libc::c_int;
use std::os::fd::RawFd;
use std::time::Duration;

/// The pause where even waiting is refused.
const REFUSED_NAP: Duration = Duration::from_millis(20);

/// The pause where waiting is over at once.
const EARLY_PAUSE: Duration = Duration::from_millis(1);

/// Sleeps until then, or until the descriptor can be read; whether it can.
#[allow(dead_code)] // only where the poller has such a bell
pub(in crate::sys) fn nap_on(fd: RawFd, until: Time) -> bool {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    poll(std::slice::from_mut(&mut entry), until);
    entry.revents != 0
}

/// Sleeps until the time is up; a signal may end it early.
pub(in crate::sys) fn nap(until: Time) {
    let began = SystemClock.now();
    // Not `&mut []`, whose address is 4: src/sys/linux/blocked.rs takes that for descriptor 4.
    let mut nobody = [libc::pollfd {
        fd: -1,
        events: 0,
        revents: 0,
    }];
    if !poll(&mut nobody[..0], until) && LastError::get() != libc::EINTR {
        // Refused (a seccomp filter): every wait would spin.
        std::thread::sleep(until.since(began).min(REFUSED_NAP));
    }
}

/// Returns before `until` only at an event or a signal.
pub(in crate::sys) fn poll(entries: &mut [libc::pollfd], until: Time) -> bool {
    loop {
        let limit = millis_until(until);
        let part = waiting::part_of(limit);
        let ends = match u32::try_from(part) {
            Ok(ms) if part != limit => SystemClock.now().plus_millis(ms),
            _ => until,
        };
        let result = waiting::poll(entries, part);
        if result == Ok(0) {
            pause_if_early(ends);
        }
        if result != Ok(0) || part == limit {
            return result.is_ok();
        }
    }
}

/// Not ppoll(): stopped and continued (SIGSTOP, a debugger, cpulimit) it goes on with the time that was
/// left when it was stopped, while poll() has a point in time (kernel/restart, do_restart_poll).
#[cfg(not(only_ppoll))]
mod waiting {
    use super::{c_int, syscall, Fault};

    pub(super) fn part_of(ms: c_int) -> c_int {
        ms
    }

    pub(super) fn poll(entries: &mut [libc::pollfd], ms: c_int) -> Result<c_int, Fault> {
        let count = entries.len() as libc::nfds_t;
        syscall!(libc::poll(entries.as_mut_ptr(), count, ms))
    }
}

/// A wait that is over without an event, long before its time, would be begun again at once, and
/// again.
fn pause_if_early(until: Time) {
    let left = until.since(SystemClock.now());
    if !left.is_zero() {
        std::thread::sleep(left.min(EARLY_PAUSE));
    }
}

/// The time left for calls that count whole milliseconds: rounded up, so never
/// early; -1 for ever.
pub(in crate::sys) fn millis_until(until: Time) -> c_int {
    match until.millis_from(SystemClock.now()) {
        None => -1,
        Some(ms) => c_int::try_from(ms).unwrap_or(c_int::MAX),
    }
}
