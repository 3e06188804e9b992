//! The system's own close.

use super::fault::syscall;
use super::socket::RawSocket;
use crate::connection::Fault;
#[cfg(not(linux_calls))]
use libc::c_int;

/// Never repeated: after EINTR too the descriptor is gone, and after ECONNRESET,
/// which FreeBSD's close() may report of the connection.
pub(in crate::sys) fn close_raw(fd: RawSocket) -> Result<(), Fault> {
    match syscall!(system_close(fd)) {
        Err(refused) if refused.code == libc::EINTR || refused.code == libc::ECONNRESET => Ok(()),
        result => result.map(drop),
    }
}

/// The `close` of the link may be an override that calls us.
#[cfg(linux_calls)]
unsafe fn system_close(fd: RawSocket) -> libc::c_long {
    #[cfg(thread_sanitizer)]
    tell_sanitizer(fd);
    // SAFETY: takes a number; one that is not open makes it fail.
    unsafe { libc::syscall(libc::SYS_close, fd) }
}

/// ThreadSanitizer knows of a close by its function alone; of this one it is told, or whoever gets
/// the number next would be reported (sanitizer/linux_syscall_hooks.h; `scripts/checkers`).
#[cfg(all(linux_calls, thread_sanitizer))]
#[inline(never)] // tests/harness/thread-sanitizer.supp has its name
fn tell_sanitizer(fd: RawSocket) {
    extern "C" {
        fn __sanitizer_syscall_pre_impl_close(fd: libc::c_long);
    }
    // SAFETY: a note in the sanitizer's table; any number will do.
    unsafe { __sanitizer_syscall_pre_impl_close(fd.into()) };
}

/// Only for a test of what the other systems run.
#[cfg(all(target_os = "linux", not(linux_calls)))]
unsafe fn system_close(fd: RawSocket) -> c_int {
    // SAFETY: takes a number; one that is not open makes it fail.
    unsafe { libc::syscall(libc::SYS_close, fd) as c_int }
}

/// The `close` of the link may be an override that calls us: macOS has this
/// second name for it, the BSDs the system call.
#[cfg(target_vendor = "apple")]
unsafe fn system_close(fd: RawSocket) -> c_int {
    extern "C" {
        #[link_name = "close$NOCANCEL"]
        fn close_nocancel(fd: RawSocket) -> c_int;
    }
    // SAFETY: takes a number; one that is not open makes it fail.
    unsafe { close_nocancel(fd) }
}

#[cfg(any(target_os = "freebsd", target_os = "netbsd", target_os = "dragonfly"))]
unsafe fn system_close(fd: RawSocket) -> c_int {
    /// sys/syscall.h
    const SYS_CLOSE: c_int = 6;
    // SAFETY: takes a number; one that is not open makes it fail.
    unsafe { libc::syscall(SYS_CLOSE, fd) as c_int }
}

/// OpenBSD has taken syscall() away; an override of `close` is not provided for.
#[cfg(target_os = "openbsd")]
unsafe fn system_close(fd: RawSocket) -> c_int {
    // SAFETY: takes a number; one that is not open makes it fail.
    unsafe { libc::close(fd) }
}
