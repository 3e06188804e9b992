//! Waiting where Linux has no poll(): on 64-bit ARM, RISC-V and LoongArch. The C library makes a ppoll()
//! of it, and that, stopped and continued (SIGSTOP, a debugger, cpulimit), goes on with the time that was
//! left when it was stopped. So each limit here is a constant (`limits.rs` says why), and a long wait has several
//! parts.

use super::fault::{fault, syscall};
use super::limits::{longest_limit, millis_at, place_of};
use crate::connection::Fault;
use libc::{c_int, c_long, pollfd, timespec};
use std::ptr::null;
use std::sync::atomic::{AtomicU8, Ordering};

/// How long a wait of at most so many milliseconds can be; below zero: for ever.
pub(super) fn part_of(ms: c_int) -> c_int {
    match usize::try_from(ms) {
        Ok(ms) => millis_at(place_of(ms)) as c_int,
        Err(_) => ms,
    }
}

/// A place that is nobody's: the address of `&mut []` would be taken for a descriptor (src/sys/linux/blocked.rs).
const NOBODY: pollfd = pollfd {
    fd: -1,
    events: 0,
    revents: 0,
};

/// 0: nobody has asked yet; 1: yes; 2: no.
static TAKES_CONSTANTS: AtomicU8 = AtomicU8::new(0);

/// qemu-user fails where it cannot write the time that is left (linux-user/syscall.c, do_ppoll). Then
/// nothing is better than the C library's poll().
fn takes_constants() -> bool {
    let known = TAKES_CONSTANTS.load(Ordering::Relaxed);
    if known != 0 {
        return known == 1;
    }
    let mut nobody = [NOBODY];
    let is_taken = poll_by_constant(&mut nobody[..0], 0) != Err(fault(libc::EFAULT));
    TAKES_CONSTANTS.store(if is_taken { 1 } else { 2 }, Ordering::Relaxed);
    is_taken
}

/// poll() with a limit that `part_of` has given.
pub(super) fn poll(entries: &mut [pollfd], ms: c_int) -> Result<c_long, Fault> {
    if takes_constants() {
        return poll_by_constant(entries, ms);
    }
    let (room, count) = (entries.as_mut_ptr(), entries.len());
    syscall!(libc::poll(room, count as libc::nfds_t, ms)).map(c_long::from)
}

fn poll_by_constant(entries: &mut [pollfd], ms: c_int) -> Result<c_long, Fault> {
    let limit = match usize::try_from(ms) {
        Ok(ms) => longest_limit(ms) as *const timespec,
        Err(_) => null(),
    };
    // Not by the C library's ppoll(), which makes a copy of the limit.
    let no_mask = null::<libc::sigset_t>();
    let (room, count) = (entries.as_mut_ptr(), entries.len());
    syscall!(libc::syscall(
        libc::SYS_ppoll,
        room,
        count,
        limit,
        no_mask,
        0usize
    ))
}

#[cfg(test)]
mod tests {
    use super::{part_of, poll, NOBODY};
    use crate::clock::{Clock, SystemClock};
    use std::time::Duration;

    #[test]
    fn a_part_is_never_longer_and_at_least_eight_ninths() {
        for ms in (0..5000).chain([9_999, 30_000, 60_000, 122_879, 122_880]) {
            let part = part_of(ms);
            assert!(part <= ms && ms - part <= part / 8, "{ms}: {part}");
        }
        assert_eq!(part_of(-1), -1);
        assert_eq!(part_of(libc::c_int::MAX), 122_880);
    }

    #[test]
    fn it_waits_as_long_as_it_says() {
        let began = SystemClock.now();
        assert_eq!(poll(&mut [NOBODY; 1][..0], 40), Ok(0));
        let waited = SystemClock.now().since(began);
        assert!(waited >= Duration::from_millis(40), "{waited:?}");
    }

    #[test]
    fn stopped_and_continued_it_does_not_go_on() {
        const LONG: libc::c_int = 30_000;
        // SAFETY: the child makes one system call, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code =
                poll(&mut [NOBODY; 1][..0], part_of(LONG)).map_or_else(|fault| fault.code, |_| 0);
            // SAFETY: as above.
            unsafe { libc::_exit(code) };
        }
        let pause = || std::thread::sleep(Duration::from_millis(100));
        let began = SystemClock.now();
        let mut status = 0;
        for signal in [libc::SIGSTOP, libc::SIGCONT] {
            pause();
            // SAFETY: numbers; a child that is waited for below.
            assert_eq!(unsafe { libc::kill(child, signal) }, 0);
        }
        // SAFETY: a place for a status.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(SystemClock.now().since(began) < Duration::from_secs(10));
        assert_eq!(libc::WEXITSTATUS(status), libc::EINTR);
    }
}
