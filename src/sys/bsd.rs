//! macOS, iOS and the BSDs.
//!
//! No event of theirs tells of an acknowledgement; only macOS tells whether somebody
//! else holds a socket.

use super::scratch;
use super::unix::RawSocket;
pub(crate) use super::unix::{disown, CancelGuard, LastError, OwnedSocket, Socket};
use super::unix::{fault, nap, syscall};
use crate::clock::Time;
use crate::connection::{
    Answer, Backlog, Connection, Fault, FaultKind, Kind, Mark, Received, Sharing, TcpState, Wait,
    Watch,
};
use libc::c_int;

#[path = "bsd/many.rs"]
mod many;

#[path = "bsd/sharing.rs"]
mod sharing;

pub(super) use super::poll_entry::{poll_many, PollEntry};
pub(crate) use super::process::{process_generation, when_forked, BORROWED};
pub(crate) use super::thread::Thread;
pub(super) use many::Bell;

#[cfg(not(target_os = "dragonfly"))]
#[path = "bsd/tcp.rs"]
mod tcp;

/// DragonFly has no option that tells the state of a connection.
#[cfg(target_os = "dragonfly")]
mod tcp {
    use super::{fault, Fault, Socket, TcpState};

    pub(super) fn state(_: Socket) -> Result<TcpState, Fault> {
        Err(fault(libc::ENOPROTOOPT))
    }

    pub(super) fn unsent(_: Socket) -> Option<usize> {
        None
    }

    pub(super) fn was_alive(_: Socket) -> Option<bool> {
        None
    }
}

impl Connection for Socket {
    fn classify(&mut self) -> Result<Kind, Fault> {
        match tcp::state(*self) {
            Ok(state) => Ok(Kind::Tcp(state)),
            Err(fault) if fault.kind == FaultKind::NotASocket => Err(fault),
            Err(_) => self.kind_by_type(),
        }
    }

    fn sharing(&mut self, _until: Time) -> Sharing {
        sharing::of(*self)
    }

    fn is_connected(&mut self) -> bool {
        self.has_peer()
    }

    fn prepare(&mut self, _keeps_selection: bool) {}

    fn linger_off(&mut self) {
        self.set_linger(false);
    }

    fn half_close(&mut self) -> Result<(), Fault> {
        self.shutdown(libc::SHUT_WR)
    }

    fn discard(&mut self, most: usize) -> Received {
        self.recv(scratch::pointer().cast(), most.min(scratch::SIZE), 0)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.recv(buffer.as_mut_ptr().cast(), buffer.len(), 0)
    }

    fn tcp_state(&mut self) -> Answer<TcpState> {
        match tcp::state(*self) {
            Ok(state) => Ok(Some(state)),
            Err(fault) if fault.code == libc::ENOPROTOOPT => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The send buffer keeps what is not acknowledged; the FIN is not in it. A
    /// connection that is gone has lost its buffer: nothing can be said then.
    fn in_flight(&mut self) -> Answer<usize> {
        let fin = match tcp::state(*self)? {
            TcpState::Closed => return Ok(None),
            TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck => 1,
            _ => 0,
        };
        Ok(tcp::unsent(*self).map(|unsent| unsent.saturating_add(fin)))
    }

    fn backlog(&mut self) -> Answer<Backlog> {
        Ok(tcp::unsent(*self).map(|unsent| Backlog {
            left: unsent as u64,
            is_empty: unsent == 0,
        }))
    }

    fn pending_error(&mut self) -> Answer<Fault> {
        self.take_error()
    }

    fn was_alive(&mut self) -> Option<bool> {
        tcp::was_alive(*self)
    }

    /// The state of a connection that lives says so; nothing remembers it.
    fn fin_arrived(&mut self) -> Answer<bool> {
        Ok(None)
    }

    fn fin_was_acknowledged(&mut self) -> bool {
        false
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        self.set_keep_alive(on)
    }

    fn low_water(&mut self, _raised: bool) -> bool {
        false
    }

    fn close(&mut self, graceful: bool) -> Result<(), Fault> {
        if !graceful {
            self.wake_readers();
        }
        close_raw(self.0)
    }

    /// Resets by closing alone.
    fn reset(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        Ok(())
    }

    /// Sends nothing while another descriptor holds the connection; and macOS
    /// refuses SO_LINGER once both directions are shut.
    fn abort(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        close_raw(self.0)
    }
}

impl Socket {
    /// Whether it is a socket at all, and what tells it from a later one of the same number.
    pub(crate) fn check(self) -> Result<Mark, Fault> {
        self.kind_by_type()?;
        Ok(self.ends_mark())
    }

    /// Not to be told here, or closing wakes it.
    pub(crate) fn may_be_blocked_on(self) -> bool {
        false
    }

    /// Not to be had cheaply here.
    pub(crate) fn is_tcp_connection(self) -> bool {
        false
    }

    /// Asked of what that has told of alone.
    pub(crate) fn is_quiet(self) -> bool {
        false
    }

    pub(crate) fn is_half_closed(self) -> bool {
        false
    }
}

pub(super) fn mark(socket: Socket) -> Option<Mark> {
    socket.check().ok()
}

/// fstat() tells one socket from another nowhere here: their ends do, while they are known.
pub(super) fn is_still(socket: Socket, mark: Mark) -> bool {
    socket.check().is_ok_and(|now| now.may_be(mark))
}

/// Never repeated: after EINTR too the descriptor is gone, and after ECONNRESET,
/// which FreeBSD's close() may report of the connection.
pub(super) fn close_raw(fd: RawSocket) -> Result<(), Fault> {
    match syscall!(system_close(fd)) {
        Err(refused) if refused.code == libc::EINTR || refused.code == libc::ECONNRESET => Ok(()),
        result => result.map(drop),
    }
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

/// Waits for one socket.
pub(crate) struct Waiter;

impl Waiter {
    /// For one among several: it waits for what poll() does not tell.
    pub(crate) const TELLS_MORE: bool = false;

    pub(crate) fn new() -> Waiter {
        Waiter
    }

    /// Returns when a step may be worth while, or the time is up.
    pub(crate) fn wait(&mut self, socket: Socket, wait: Wait) {
        match wait.watch {
            Watch::Readable => {
                socket.poll_readable(wait.until);
            }
            Watch::Acknowledged => {
                socket.poll_readable(wait.recheck);
            }
            Watch::Change => nap(wait.recheck),
        }
    }

    /// Leaves no trace on a socket that stays open: there is none.
    pub(crate) fn leave(&mut self, _socket: Socket) {}
}
