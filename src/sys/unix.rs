//! What Linux, macOS and the BSDs have in common.

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Fault, FaultKind, Kind, Received};
use libc::{c_int, c_void, socklen_t};
use socket2::SockRef;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

pub(crate) type RawSocket = RawFd;
pub(crate) type OwnedSocket = OwnedFd;

/// A descriptor, by its number alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(pub(crate) RawFd);

/// Calls the system; -1 becomes the [`Fault`] that `errno` stands for.
macro_rules! syscall {
    ($call:expr) => {{
        // SAFETY: the arguments are plain numbers, or pointers to objects that
        // outlive the call together with their true size. A descriptor that is
        // not open, or is something else, makes the call fail with EBADF or
        // ENOTSOCK; it touches no memory of ours.
        let result = unsafe { $call };
        if result == -1 {
            Err($crate::sys::unix::last_fault())
        } else {
            Ok(result)
        }
    }};
}
pub(super) use syscall;

/// Lets an owner forget a descriptor that has been closed.
pub(crate) fn disown(socket: OwnedSocket) {
    let _ = socket.into_raw_fd();
}

/// What `errno` means to a close.
pub(super) fn fault(code: i32) -> Fault {
    let kind = match code {
        libc::EBADF | libc::ENOTSOCK => FaultKind::NotASocket,
        // EINVAL: FreeBSD and macOS say so of a stream that never had a peer,
        // Linux of an AF_UNIX one. ECONNREFUSED: the connect failed.
        libc::ENOTCONN | libc::EINVAL | libc::ECONNREFUSED => FaultKind::NotConnected,
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ESHUTDOWN => FaultKind::Reset,
        libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENETDOWN
        | libc::EHOSTDOWN | libc::ENETRESET => FaultKind::Lost,
        _ => FaultKind::Other,
    };
    Fault { kind, code }
}

pub(super) fn last_fault() -> Fault {
    fault(LastError::get())
}

/// The calling thread's `errno`.
pub(crate) struct LastError;

impl LastError {
    /// The number for a wrong argument.
    pub(crate) const ARGUMENT: i32 = libc::EINVAL;

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

/// Holds off `pthread_cancel` while it lives: unwinding by cancellation out of
/// the middle of a close would leak the socket. A request that came meanwhile
/// is honoured at the program's next cancellation point.
pub(crate) struct CancelGuard(#[cfg_attr(target_os = "android", allow(dead_code))] c_int);

/// PTHREAD_CANCEL_DISABLE; 1 on Linux (glibc, musl), FreeBSD's value is 1 too,
/// macOS has 0.
#[cfg(not(any(target_vendor = "apple", target_os = "android")))]
const CANCEL_DISABLE: c_int = 1;
#[cfg(target_vendor = "apple")]
const CANCEL_DISABLE: c_int = 0;

#[cfg(not(target_os = "android"))]
extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

impl CancelGuard {
    #[cfg(not(target_os = "android"))]
    pub(crate) fn hold() -> CancelGuard {
        let mut old = CANCEL_DISABLE;
        // SAFETY: `old` is a valid place for the previous state.
        unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut old) };
        CancelGuard(old)
    }

    /// Android has no thread cancellation.
    #[cfg(target_os = "android")]
    pub(crate) fn hold() -> CancelGuard {
        CancelGuard(0)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        #[cfg(not(target_os = "android"))]
        {
            let mut unused = 0;
            // SAFETY: `self.0` is a state that the system itself gave.
            unsafe { pthread_setcancelstate(self.0, &mut unused) };
        }
    }
}

impl Socket {
    /// The number of an owned socket; it stays the owner's.
    pub(crate) fn of(owner: &OwnedSocket) -> Socket {
        Socket(owner.as_raw_fd())
    }

    /// The type of a socket, where the connection's state cannot be had.
    pub(super) fn kind_by_type(self) -> Result<Kind, Fault> {
        match self.option(libc::SOL_SOCKET, libc::SO_TYPE)? {
            libc::SOCK_STREAM => Ok(Kind::Stream),
            _ => Ok(Kind::Other),
        }
    }

    /// An option whose value is an `int`.
    pub(super) fn option(self, level: c_int, name: c_int) -> Result<c_int, Fault> {
        let mut value: c_int = 0;
        let mut size = size_of::<c_int>() as socklen_t;
        syscall!(libc::getsockopt(
            self.0,
            level,
            name,
            (&mut value as *mut c_int).cast(),
            &mut size
        ))?;
        Ok(value)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn set_option(self, level: c_int, name: c_int, value: c_int) -> Result<(), Fault> {
        syscall!(libc::setsockopt(
            self.0,
            level,
            name,
            (&value as *const c_int).cast(),
            size_of::<c_int>() as socklen_t
        ))?;
        Ok(())
    }

    pub(super) fn has_peer(self) -> bool {
        // SAFETY: borrowed for this call only; a number that is not open makes
        // it fail. It is not -1: the socket has been classified.
        let fd = unsafe { BorrowedFd::borrow_raw(self.0) };
        SockRef::from(&fd).peer_addr().is_ok()
    }

    /// SO_LINGER, before any half-close: macOS and Solaris refuse it after.
    pub(super) fn set_linger(self, on: bool) {
        let linger = libc::linger {
            l_onoff: c_int::from(on),
            l_linger: 0,
        };
        // A refusal leaves an ordinary close, which is the best there is then.
        let _ = syscall!(libc::setsockopt(
            self.0,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&linger as *const libc::linger).cast(),
            size_of::<libc::linger>() as socklen_t
        ));
    }

    pub(super) fn shutdown(self, how: c_int) -> Result<(), Fault> {
        syscall!(libc::shutdown(self.0, how)).map(drop)
    }

    pub(super) fn recv(self, buffer: *mut c_void, size: usize, flags: c_int) -> Received {
        loop {
            // MSG_DONTWAIT: O_NONBLOCK is shared with other holders, hands off.
            match syscall!(libc::recv(self.0, buffer, size, flags | libc::MSG_DONTWAIT)) {
                Ok(0) => return Received::End,
                Ok(bytes) => return Received::Bytes(bytes as usize),
                Err(fault) if fault.code == libc::EINTR => continue,
                Err(fault) if fault.code == libc::EAGAIN || fault.code == libc::EWOULDBLOCK => {
                    return Received::Empty;
                }
                Err(fault) => return Received::Failed(fault),
            }
        }
    }

    pub(super) fn take_error(self) -> Option<Fault> {
        match self.option(libc::SOL_SOCKET, libc::SO_ERROR) {
            Ok(0) | Err(_) => None,
            Ok(code) => Some(fault(code)),
        }
    }

    /// Wakes threads that are blocked in recv on it: close() does not, and
    /// while they sleep the connection stays.
    pub(super) fn wake_readers(self) {
        let _ = self.shutdown(libc::SHUT_RD);
    }

    /// Waits until it can be read, or the time is up; a signal may end it early.
    pub(super) fn poll_readable(self, until: Time) {
        let mut entry = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN,
            revents: 0,
        };
        poll(std::slice::from_mut(&mut entry), until);
    }
}

/// Sleeps until the time is up; a signal may end it early.
pub(super) fn nap(until: Time) {
    poll(&mut [], until);
}

/// Never returns before `until` for want of an event, bar a signal.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn poll(entries: &mut [libc::pollfd], until: Time) {
    // SAFETY: all zeroes is a valid timespec (some systems pad it).
    let mut left: libc::timespec = unsafe { std::mem::zeroed() };
    let limit = match until {
        Time::NEVER => std::ptr::null(),
        until => {
            let time = until.since(SystemClock.now());
            left.tv_sec = time.as_secs() as _;
            left.tv_nsec = time.subsec_nanos() as _;
            &left
        }
    };
    let count = entries.len() as libc::nfds_t;
    let _ = syscall!(libc::ppoll(entries.as_mut_ptr(), count, limit, std::ptr::null()));
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn poll(entries: &mut [libc::pollfd], until: Time) {
    let limit = millis_until(until);
    let count = entries.len() as libc::nfds_t;
    let _ = syscall!(libc::poll(entries.as_mut_ptr(), count, limit));
}

/// The time left for calls that count whole milliseconds: rounded up, so never
/// early; -1 for ever.
#[cfg(not(target_os = "freebsd"))]
pub(super) fn millis_until(until: Time) -> c_int {
    if until == Time::NEVER {
        return -1;
    }
    let left = until.since(SystemClock.now()).as_nanos();
    c_int::try_from(left.saturating_add(999_999) / 1_000_000).unwrap_or(c_int::MAX)
}
