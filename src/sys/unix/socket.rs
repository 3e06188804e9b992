//! A socket, by its number: what POSIX systems have in common.

use super::fault::{fault, syscall};
use super::wait::{nap, poll};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Answer, Fault, Kind, Received};
use libc::{c_int, c_short, c_void, socklen_t};
use socket2::{SockRef, Type};
use std::io;
use std::mem::size_of;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub(crate) type RawSocket = RawFd;
pub(crate) type OwnedSocket = OwnedFd;

/// A descriptor, by its number alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(pub(crate) RawFd);

/// Lets an owner forget a descriptor that has been closed.
pub(crate) fn disown(socket: OwnedSocket) {
    let _ = socket.into_raw_fd();
}

/// So often receiving is tried again after EINTR.
const INTERRUPTIONS: u32 = 8;

impl Socket {
    /// The number of an owned socket; it stays the owner's.
    pub(crate) fn of(owner: &OwnedSocket) -> Socket {
        Socket(owner.as_raw_fd())
    }

    /// The type of a socket, where the connection's state cannot be had.
    pub(crate) fn kind_by_type(self) -> Result<Kind, Fault> {
        match self.by_socket2(|socket| socket.r#type())? {
            Type::STREAM => Ok(Kind::Stream),
            _ => Ok(Kind::Other),
        }
    }

    /// An option whose value is an `int`.
    pub(in crate::sys) fn option(self, level: c_int, name: c_int) -> Result<c_int, Fault> {
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

    pub(in crate::sys) fn set_option(
        self,
        level: c_int,
        name: c_int,
        value: c_int,
    ) -> Result<(), Fault> {
        syscall!(libc::setsockopt(
            self.0,
            level,
            name,
            (&value as *const c_int).cast(),
            size_of::<c_int>() as socklen_t
        ))?;
        Ok(())
    }

    /// A call that socket2 has.
    pub(in crate::sys) fn by_socket2<T>(
        self,
        call: impl FnOnce(SockRef<'_>) -> io::Result<T>,
    ) -> Result<T, Fault> {
        // No BorrowedFd may have this number.
        if self.0 == -1 {
            return Err(fault(libc::EBADF));
        }
        // SAFETY: borrowed for this call only; a number that is not open makes it fail.
        let fd = unsafe { BorrowedFd::borrow_raw(self.0) };
        call(SockRef::from(&fd)).map_err(|error| fault(error.raw_os_error().unwrap_or(libc::EIO)))
    }

    pub(in crate::sys) fn has_peer(self) -> bool {
        self.by_socket2(|socket| socket.peer_addr()).is_ok()
    }

    pub(in crate::sys) fn is_listening(self) -> bool {
        self.option(libc::SOL_SOCKET, libc::SO_ACCEPTCONN)
            .is_ok_and(|on| on != 0)
    }

    /// SO_LINGER, before any half-close: macOS and Solaris refuse it after.
    pub(in crate::sys) fn set_linger(self, on: bool) {
        let seconds = on.then_some(Duration::ZERO);
        // A refusal leaves an ordinary close, which is the best there is then.
        let _ = self.by_socket2(|socket| socket.set_linger(seconds));
    }

    pub(in crate::sys) fn shutdown(self, how: Shutdown) -> Result<(), Fault> {
        self.by_socket2(|socket| socket.shutdown(how))
    }

    pub(in crate::sys) fn recv(self, buffer: *mut c_void, size: usize, flags: c_int) -> Received {
        for _ in 0..INTERRUPTIONS {
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
        // What waits looks at the clock.
        Received::Empty
    }

    pub(in crate::sys) fn take_error(self) -> Answer<Fault> {
        let error = self.by_socket2(|socket| socket.take_error())?;
        Ok(error.and_then(|error| error.raw_os_error()).map(fault))
    }

    /// Wakes threads that are blocked in recv on it: close() does not, and
    /// while they sleep the connection stays.
    pub(in crate::sys) fn wake_readers(self) {
        let _ = self.shutdown(Shutdown::Read);
    }

    /// POLLHUP, or it cannot be asked. Together with POLLIN: of no events macOS tells nothing
    /// (XNU, bsd/kern/sys_generic.c, poll_nocancel).
    pub(in crate::sys) fn may_have_hung_up(self) -> bool {
        let mut entry = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN,
            revents: 0,
        };
        let is_told = poll(std::slice::from_mut(&mut entry), Time::from_nanos(0));
        !is_told || entry.revents & libc::POLLHUP != 0
    }

    /// Waits until it can be read, or the time is up; a signal may end it early.
    /// What poll() says of it.
    pub(in crate::sys) fn poll_readable(self, until: Time) -> c_short {
        let mut entry = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN,
            revents: 0,
        };
        if !poll(std::slice::from_mut(&mut entry), until) {
            // A signal; or it is refused (RLIMIT_NOFILE is 0), and this would spin.
            nap(until.min(SystemClock.now().plus_millis(1)));
        }
        entry.revents
    }
}
