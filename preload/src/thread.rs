//! Starting the background thread, and taking its descriptors over.

use crate::sys;
use libc::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};

/// Most of it is never touched. A program with much thread-local data needs it in there, too.
const STACK: usize = 256 << 10;

/// Linux has 64 signals; those of the C library itself stay unblocked.
pub fn start(body: extern "C" fn(*mut c_void) -> *mut c_void) -> bool {
    // SAFETY: the objects are initialised before they are read, and live on this stack; the body
    // takes no argument. The thread inherits the signal mask, which is put back.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let (mut all, mut mask): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
        let mut thread: libc::pthread_t = 0;
        if libc::pthread_attr_init(&mut attributes) != 0 {
            return false;
        }
        libc::pthread_attr_setstacksize(&mut attributes, STACK);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut mask);
        let result = libc::pthread_create(&mut thread, &attributes, body, std::ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut());
        libc::pthread_attr_destroy(&mut attributes);
        result == 0
    }
}

/// Whether a thread may be started here: not in a signal handler, which may have interrupted the
/// C library with a lock held. A handler runs with its signal blocked, and often on a stack of
/// its own; who blocks signals otherwise is taken for one, too.
pub fn may_start() -> bool {
    sys::blocked_signals() == 0 && !sys::on_signal_stack()
}

/// A parked duplicate, which belongs to nobody else.
pub fn own(fd: c_int) -> OwnedFd {
    // SAFETY: the number is ours: the program is refused to close it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Keeps `errno` as it is through what the C library is called for.
pub fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the calling thread's own place.
    let before = unsafe { *libc::__errno_location() };
    let result = work();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = before };
    result
}
