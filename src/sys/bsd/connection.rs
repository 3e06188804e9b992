//! The answers of macOS and the BSDs.

use super::{sharing, tcp};
use crate::clock::Time;
use crate::connection::{
    Answer, Backlog, Connection, Fault, FaultKind, Kind, Received, Sharing, TcpState,
};
use crate::sys::scratch;
use crate::sys::unix::{close_raw, poll_many, PollEntry, Socket};
use std::net::Shutdown;

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
        self.shutdown(Shutdown::Write)
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
            Err(fault) if fault.kind == FaultKind::NotASocket => Err(fault),
            Err(fault) if fault.code == libc::ENOPROTOOPT => Ok(None),
            // Each system has an error of its own for a question of TCP (FreeBSD and macOS: EINVAL).
            Err(_) if self.is_of_another_family() => Ok(None),
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

    fn is_called_readable(&mut self) -> bool {
        let mut entry = [PollEntry::readable(*self)];
        !poll_many(&mut entry, Time::from_nanos(0)) || entry[0].has_event()
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

    /// POLLHUP tells that both are; on macOS also of a peer that has half-closed alone, and there
    /// getpeername refuses what is shut both ways (XNU, bsd/kern/uipc_syscalls.c).
    fn is_shut(&mut self) -> bool {
        let may_be = self.may_have_hung_up() && self.is_of_another_family();
        may_be && !(cfg!(target_vendor = "apple") && self.has_peer())
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        self.set_keep_alive(on)
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
    /// Than that of the Internet, which has TCP.
    fn is_of_another_family(self) -> bool {
        let local = self.by_socket2(|socket| socket.local_addr());
        local.is_ok_and(|address| address.as_socket().is_none())
    }
}
