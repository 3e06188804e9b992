//! The answers of Linux.

use super::{blocked, local, sharing, tcp};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{
    Answer, Backlog, Connection, Fault, FaultKind, Indexed, Kind, Received, Sharing, TcpState,
    Unanswered,
};
use crate::sys::scratch;
use crate::sys::unix::{close_raw, poll_many, syscall, PollEntry, Socket};
use libc::{c_int, c_void, socklen_t};
use std::mem::size_of;
use std::net::Shutdown;
use std::ptr::null_mut;

/// So many records that are no data are thrown away in one go.
const RECORDS: u32 = 64;
/// Raised so far, SO_RCVLOWAT makes one wake-up of a MiB (and the kernel grows
/// the receive buffer to twice that).
const LOW_WATER: c_int = 1 << 20;

impl Connection for Socket {
    fn classify(&mut self) -> Result<Kind, Fault> {
        match tcp::classify(*self)? {
            // A half-close of it would be taken, and would wake its threads for nothing.
            Kind::Stream if self.is_listening() => Ok(Kind::Other),
            kind => Ok(kind),
        }
    }

    fn sharing(&mut self, until: Time) -> Sharing {
        sharing::of_one(*self, until)
    }

    fn is_connected(&mut self) -> bool {
        self.has_peer()
    }

    fn prepare(&mut self, _keeps_selection: bool) {}

    fn linger_off(&mut self) {
        self.set_linger(false);
    }

    fn half_close(&mut self) -> Result<(), Fault> {
        self.shutdown(Shutdown::Write)
    }

    /// With MSG_TRUNC the kernel throws TCP data away without copying it; other
    /// families copy into the scratch space.
    fn discard(&mut self, most: usize) -> Received {
        let size = most.min(scratch::SIZE);
        match self.recv_data(scratch::pointer().cast(), size, libc::MSG_TRUNC) {
            Received::Failed(refused)
                if refused.code == libc::EINVAL || refused.code == libc::EOPNOTSUPP =>
            {
                // A family that does not know the flag.
                self.recv_data(scratch::pointer().cast(), size, 0)
            }
            received => received,
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.recv_data(buffer.as_mut_ptr().cast(), buffer.len(), 0)
    }

    fn tcp_state(&mut self) -> Answer<TcpState> {
        tcp::state(*self)
    }

    fn in_flight(&mut self) -> Answer<usize> {
        tcp::in_flight(*self).map(Some)
    }

    /// Of TCP what is not acknowledged, our FIN not counted; of AF_UNIX and others the memory
    /// that holds what the peer has not read.
    fn backlog(&mut self) -> Answer<Backlog> {
        let left = match self.unacknowledged() {
            // Before the handshake has ended (TCP Fast Open) nothing is counted.
            Ok(0) if tcp::state_of_first(*self)? == Some(TcpState::SynReceived) => return Ok(None),
            Ok(left) => left as u64,
            Err(fault) if fault.kind == FaultKind::NotASocket => return Err(fault),
            Err(_) => return Ok(None),
        };
        Ok(Some(Backlog {
            left: left.max(1),
            is_empty: left <= 1,
        }))
    }

    fn pending_error(&mut self) -> Answer<Fault> {
        self.take_error()
    }

    fn was_alive(&mut self) -> Option<bool> {
        tcp::was_alive(*self)
    }

    fn fin_arrived(&mut self) -> Answer<bool> {
        match tcp::fin_arrived(*self) {
            Ok(None) if self.is_local() => local::peer_has_gone(*self),
            answer => answer,
        }
    }

    fn is_shut(&mut self) -> bool {
        self.may_have_hung_up() && self.is_local()
    }

    fn fin_was_acknowledged(&mut self) -> bool {
        tcp::fin_was_acknowledged(*self)
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        self.set_keep_alive(on)
    }

    fn unanswered(&mut self) -> Answer<Unanswered> {
        tcp::unanswered(*self)
    }

    fn is_called_readable(&mut self) -> bool {
        let mut entry = [PollEntry::readable(*self)];
        !poll_many(&mut entry, Time::from_nanos(0)) || entry[0].has_event()
    }

    fn low_water(&mut self, raised: bool) -> bool {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_RCVLOWAT);
        if raised && self.option(level, name) != Ok(1) {
            return false;
        }
        let value = if raised { LOW_WATER } else { 1 };
        self.set_option(level, name, value).is_ok()
    }

    /// By system call: the `close` of the link may be an override that calls
    /// us. Never repeated: after EINTR too the descriptor is gone.
    fn close(&mut self, graceful: bool) -> Result<(), Fault> {
        if !graceful {
            self.wake_readers();
        }
        close_raw(self.0)
    }

    /// shutdown() hits every holder, so only if there is nobody else for certain. Looking
    /// takes its time, and the number may be another one's afterwards.
    fn wake_blocked(&mut self) -> Result<(), Fault> {
        if !blocked::is_anybody_else() {
            return Ok(());
        }
        let mark = self.mark().ok_or(Fault::GONE)?;
        // A listening socket may be on its way to the program that goes on with it. Messages first:
        // who receives one meanwhile is among the holders.
        let wakes = blocked::may_be(self.0)
            && !sharing::messages::are_under_way()
            && self.sharing(SystemClock.now()) == Sharing::Alone;
        if !self.is_still(mark) {
            return Err(Fault::GONE);
        }
        if wakes {
            self.wake_readers();
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        if self.disconnect() {
            self.set_linger(false);
        }
        Ok(())
    }

    fn abort(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        self.disconnect();
        close_raw(self.0)
    }
}

impl Socket {
    /// connect(AF_UNSPEC) resets at once, also while another process or a
    /// blocked thread holds the socket, when closing would send nothing. Refused
    /// (another family): SO_LINGER does it at the close.
    fn disconnect(self) -> bool {
        let nowhere = libc::sockaddr {
            sa_family: libc::AF_UNSPEC as libc::sa_family_t,
            sa_data: [0; 14],
        };
        let size = size_of::<libc::sockaddr>() as socklen_t;
        syscall!(libc::connect(self.0, &nowhere, size)).is_ok()
    }

    fn is_local(self) -> bool {
        self.option(libc::SOL_SOCKET, libc::SO_DOMAIN) == Ok(libc::AF_UNIX)
    }

    /// Takes one of the notices that nobody will fetch any more (a MSG_ZEROCOPY that
    /// is done, a time stamp): as long as there is one, poll() says POLLERR at once.
    pub(crate) fn drop_notice(self) {
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        let _ = syscall!(libc::recv(self.0, null_mut(), 0, flags));
    }

    /// Bytes, our FIN counting as one; of other families memory in use.
    pub(super) fn unacknowledged(self) -> Result<usize, Fault> {
        let mut left: c_int = 0;
        // Not the same number on every architecture.
        syscall!(libc::ioctl(self.0, libc::TIOCOUTQ as _, &mut left))?;
        Ok(usize::try_from(left).unwrap_or(0))
    }

    /// Receives; a record that is no data (kTLS: an alert, a ticket) is taken with room for
    /// its type, without which receiving fails with EIO for ever ("Kernel TLS" in the
    /// kernel's documentation), and thrown away.
    fn recv_data(self, buffer: *mut c_void, size: usize, flags: c_int) -> Received {
        for _ in 0..RECORDS {
            match self.recv(buffer, size, flags) {
                Received::Failed(refused) if refused.code == libc::EIO => {
                    match self.recv_record() {
                        Ok(true) => {}
                        Ok(false) => return Received::End,
                        Err(_) => return Received::Failed(refused),
                    }
                }
                received => return received,
            }
        }
        // There may be more: it stays readable.
        Received::Empty
    }

    /// Takes one record of any type; whether there was one.
    fn recv_record(self) -> Result<bool, Fault> {
        let mut data = libc::iovec {
            iov_base: scratch::pointer().cast(),
            iov_len: scratch::SIZE,
        };
        let mut control = [0usize; 16];
        // SAFETY: all zeroes is a valid msghdr: no address, no data.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &mut data;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = std::mem::size_of_val(&control) as _;
        syscall!(libc::recvmsg(self.0, &mut message, libc::MSG_DONTWAIT)).map(|bytes| bytes > 0)
    }
}
