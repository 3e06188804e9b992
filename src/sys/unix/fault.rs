//! What the system refuses, and the thread's `errno`.

use crate::connection::{Fault, FaultKind};
use libc::c_int;

/// Calls the system; -1 becomes the [`Fault`] that `errno` stands for.
macro_rules! syscall {
    ($call:expr) => {{
        // SAFETY: the arguments are plain numbers, or pointers to objects that
        // outlive the call together with their true size. A descriptor that is
        // not open, or is something else, makes the call fail with EBADF or
        // ENOTSOCK; it touches no memory of ours.
        let result = unsafe { $call };
        if result == -1 {
            Err($crate::sys::unix::fault::last_fault())
        } else {
            Ok(result)
        }
    }};
}
pub(in crate::sys) use syscall;

/// What `errno` means to a close.
pub(in crate::sys) fn fault(code: i32) -> Fault {
    let kind = match code {
        libc::EBADF | libc::ENOTSOCK => FaultKind::NotASocket,
        // EINVAL: FreeBSD and macOS say so of a stream that never had a peer,
        // Linux of an AF_UNIX one. ECONNREFUSED: the connect failed.
        libc::ENOTCONN | libc::EINVAL | libc::ECONNREFUSED => FaultKind::NotConnected,
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ESHUTDOWN => FaultKind::Reset,
        libc::ETIMEDOUT
        | libc::EHOSTUNREACH
        | libc::ENETUNREACH
        | libc::ENETDOWN
        | libc::EHOSTDOWN
        | libc::ENETRESET => FaultKind::Lost,
        _ => FaultKind::Other,
    };
    Fault { kind, code }
}

pub(in crate::sys) fn last_fault() -> Fault {
    fault(LastError::get())
}

/// The calling thread's `errno`.
pub(crate) struct LastError;

impl LastError {
    /// The number for a wrong argument.
    pub(crate) const ARGUMENT: i32 = libc::EINVAL;
    /// For want of memory, a descriptor or a thread.
    pub(crate) const RESOURCES: i32 = libc::ENOMEM;
    /// For a reaper that is not at work any more.
    pub(crate) const STOPPED: i32 = libc::ECANCELED;
    /// For a program that has not started the system's sockets.
    pub(crate) const NOT_STARTED: Option<i32> = None;

    pub(crate) fn get() -> i32 {
        // SAFETY: the location is the calling thread's own and always there.
        unsafe { *errno_location() }
    }

    pub(crate) fn set(code: i32) {
        // SAFETY: as above.
        unsafe { *errno_location() = code }
    }
}

/// Where the thread's `errno` lives.
fn errno_location() -> *mut c_int {
    // SAFETY: takes nothing, returns a pointer that is valid in this thread.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
    }
}
