//! What a thread and the process do with signals, by system call.

use crate::raw::call;

/// The calling thread's blocked signals, as bits.
pub fn blocked_signals() -> u64 {
    let mut mask = 0u64;
    let at = (&mut mask as *mut u64) as usize;
    // SAFETY: the kernel writes 8 bytes, the size that it is told.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, [0, 0, at, 8, 0, 0]) };
    mask
}

/// Whether the calling thread runs on an alternate signal stack.
pub fn on_signal_stack() -> bool {
    // SAFETY: all zeroes is a valid stack_t.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    let at = (&mut stack as *mut libc::stack_t) as usize;
    // SAFETY: the kernel fills the one struct, and is given no new stack.
    let _ = unsafe { call(libc::SYS_sigaltstack, [0, at, 0, 0, 0, 0]) };
    stack.ss_flags & libc::SS_ONSTACK != 0
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

/// A write to a connection that is half-closed raises it; the default is the process' end.
pub fn ignore_broken_pipes() {
    let mut old = KernelAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let at = (&mut old as *mut KernelAction) as usize;
    let signal = libc::SIGPIPE as usize;
    // SAFETY: the kernel fills the struct, whose mask has the 8 bytes that it is told.
    let told = unsafe { call(libc::SYS_rt_sigaction, [signal, 0, at, 8, 0, 0]) };
    if told == 0 && old.handler == libc::SIG_DFL {
        let new = KernelAction {
            handler: libc::SIG_IGN,
            ..old
        };
        let at = (&new as *const KernelAction) as usize;
        // SAFETY: what the kernel itself gave, ignoring instead of the default.
        let _ = unsafe { call(libc::SYS_rt_sigaction, [signal, at, 0, 8, 0, 0]) };
    }
}
