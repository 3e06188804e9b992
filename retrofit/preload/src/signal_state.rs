//! What a thread and the process do with signals, by system call.

use crate::raw::call;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The calling thread's blocked signals, as bits.
pub fn blocked_signals() -> u64 {
    let mut mask = 0u64;
    let at = (&mut mask as *mut u64) as usize;
    // SAFETY: the kernel writes 8 bytes, the size that it is told.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, [0, 0, at, 8, 0, 0]) };
    mask
}

fn change_blocked(how: libc::c_int, mask: u64) -> u64 {
    let mut old = 0u64;
    let (new_at, old_at) = (
        (&mask as *const u64) as usize,
        (&mut old as *mut u64) as usize,
    );
    // SAFETY: the kernel reads and writes 8 bytes each, the size that it is told.
    let _ = unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [how as usize, new_at, old_at, 8, 0, 0],
        )
    };
    old
}

/// Those that have come and are blocked.
fn pending() -> u64 {
    let mut set = 0u64;
    let at = (&mut set as *mut u64) as usize;
    // SAFETY: the kernel writes 8 bytes, the size that it is told.
    let _ = unsafe { call(libc::SYS_rt_sigpending, [at, 8, 0, 0, 0, 0]) };
    set
}

/// Takes one of these out that has come, if there is one.
fn take_one(set: u64) -> bool {
    let none = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let (set_at, time_at) = (
        (&set as *const u64) as usize,
        (&none as *const libc::timespec) as usize,
    );
    // SAFETY: the kernel reads the set of 8 bytes and the time; it is asked for no details.
    let taken = unsafe { call(libc::SYS_rt_sigtimedwait, [set_at, 0, time_at, 8, 0, 0]) };
    taken > 0
}

const fn bit(signal: libc::c_int) -> u64 {
    1 << (signal - 1)
}

/// Of the C library itself (nptl, SIGCANCEL and SIGSETXID): other threads wait for an answer.
pub const OF_THE_C_LIBRARY: u64 = bit(32) | bit(33);

/// The end of the process holds signals back.
static HOLDING: AtomicBool = AtomicBool::new(false);

/// Does something while none of these signals comes to this thread. What has come meanwhile is lost.
pub fn held_back(signals: u64, work: impl FnOnce()) {
    let signals = signals & !OF_THE_C_LIBRARY;
    let before = change_blocked(libc::SIG_BLOCK, signals);
    HOLDING.store(true, SeqCst);
    work();
    HOLDING.store(false, SeqCst);
    while take_one(pending() & !before & signals) {}
    change_blocked(libc::SIG_SETMASK, before);
}

/// Does something with these signals blocked, and no others.
pub fn with_blocked<R>(signals: u64, work: impl FnOnce() -> R) -> R {
    let before = change_blocked(libc::SIG_SETMASK, signals);
    let result = work();
    change_blocked(libc::SIG_SETMASK, before);
    result
}

/// Does something for which the process gets one of these signals, with an end in itself: a write to a
/// pipe that nobody reads, or beyond the limit of a file's size.
pub fn unpunished<R>(work: impl FnOnce() -> R) -> R {
    let both = bit(libc::SIGPIPE) | bit(libc::SIGXFSZ);
    let before = change_blocked(libc::SIG_BLOCK, both);
    let had = pending();
    let result = work();
    while take_one(pending() & both & !had) {}
    change_blocked(libc::SIG_SETMASK, before);
    result
}

/// While the end holds signals back: somebody wants the process to end who would not wait as long as it may.
pub fn is_asked_to_end() -> bool {
    const ASKING: u64 =
        bit(libc::SIGTERM) | bit(libc::SIGINT) | bit(libc::SIGHUP) | bit(libc::SIGQUIT);
    HOLDING.load(SeqCst) && pending() & ASKING != 0
}

fn signal_stack() -> libc::stack_t {
    // SAFETY: all zeroes is a valid stack_t.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    let at = (&mut stack as *mut libc::stack_t) as usize;
    // SAFETY: the kernel fills the one struct, and is given no new stack.
    let _ = unsafe { call(libc::SYS_sigaltstack, [0, at, 0, 0, 0, 0]) };
    stack
}

/// Whether the calling thread runs on an alternate signal stack.
pub fn on_signal_stack() -> bool {
    signal_stack().ss_flags & libc::SS_ONSTACK != 0
}

/// Whether so many bytes of it are left; of another stack that is taken to be so.
pub fn has_room(bytes: usize) -> bool {
    let stack = signal_stack();
    let here = (&stack as *const libc::stack_t) as usize;
    stack.ss_flags & libc::SS_ONSTACK == 0 || here.saturating_sub(stack.ss_sp as usize) >= bytes
}

/// struct sigaction of the kernel.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

const NO_ACTION: KernelAction = KernelAction {
    handler: 0,
    flags: 0,
    restorer: 0,
    mask: 0,
};

/// What a signal does; the default if that is not to be had.
fn action(signal: libc::c_int) -> KernelAction {
    let mut old = NO_ACTION;
    let at = (&mut old as *mut KernelAction) as usize;
    // SAFETY: the kernel fills the struct, whose mask has the 8 bytes that it is told.
    let _ = unsafe { call(libc::SYS_rt_sigaction, [signal as usize, 0, at, 8, 0, 0]) };
    old
}

/// The signals for which the program has no function.
pub fn without_handler() -> u64 {
    (1..=64)
        .filter(|signal| action(*signal).handler == libc::SIG_DFL)
        .fold(0, |set, signal| set | bit(signal))
}

/// A write to a connection that is half-closed raises it; the default is the process' end.
pub fn ignore_broken_pipes() {
    let old = action(libc::SIGPIPE);
    if old.handler == libc::SIG_DFL {
        let new = KernelAction {
            handler: libc::SIG_IGN,
            ..old
        };
        let at = (&new as *const KernelAction) as usize;
        // SAFETY: what the kernel itself gave, ignoring instead of the default.
        let _ = unsafe {
            call(
                libc::SYS_rt_sigaction,
                [libc::SIGPIPE as usize, at, 0, 8, 0, 0],
            )
        };
    }
}
