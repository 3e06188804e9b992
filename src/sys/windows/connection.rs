//! The answers of Winsock 2.
//!
//! Nothing here makes an overlapped call: what completes lands on the program's
//! completion port, and plain calls do not post there. (`receives` makes one that does not either.)

use super::fault::{fault, syscall};
use super::handle::{RawSocket, Socket};
use super::poll_entry::{poll_many, PollEntry};
use super::started::with_cause;
use super::system_dll;
use crate::clock::Time;
use crate::connection::{
    Answer, Backlog, Connection, Fault, FaultKind, Kind, Received, Sharing, TcpState,
};
use crate::sys::scratch;
use std::mem::{size_of, MaybeUninit};
use std::net::Shutdown;
use std::ptr::{addr_of, null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock as ws;

/// SO_CONNECT_TIME of a socket that has no connection.
const NEVER_CONNECTED: i32 = -1;

/// Some socket could not be made non-blocking (a layered provider may refuse it).
static MAY_BLOCK: AtomicBool = AtomicBool::new(false);

fn state(state: ws::TCPSTATE) -> Option<TcpState> {
    Some(match state {
        ws::TCPSTATE_CLOSED => TcpState::Closed,
        ws::TCPSTATE_LISTEN => TcpState::Listen,
        ws::TCPSTATE_SYN_SENT => TcpState::SynSent,
        ws::TCPSTATE_SYN_RCVD => TcpState::SynReceived,
        ws::TCPSTATE_ESTABLISHED => TcpState::Established,
        ws::TCPSTATE_FIN_WAIT_1 => TcpState::FinWait1,
        ws::TCPSTATE_FIN_WAIT_2 => TcpState::FinWait2,
        ws::TCPSTATE_CLOSE_WAIT => TcpState::CloseWait,
        ws::TCPSTATE_CLOSING => TcpState::Closing,
        ws::TCPSTATE_LAST_ACK => TcpState::LastAck,
        ws::TCPSTATE_TIME_WAIT => TcpState::TimeWait,
        _ => return None,
    })
}

/// What is of interest in TCP_INFO_v0.
struct TcpInfo {
    state: ws::TCPSTATE,
    bytes_out: u64,
    bytes_in_flight: u32,
}

impl Connection for Socket {
    /// The state of a TCP connection cannot be had everywhere, so all streams
    /// are the same here; [`Connection::tcp_state`] says what it can. Of one that listens nothing
    /// is changed: other processes may accept from it ("Shared Sockets").
    fn classify(&mut self) -> Result<Kind, Fault> {
        match self.option(ws::SO_TYPE).map_err(with_cause)? {
            ws::SOCK_STREAM if self.is_listening() => Ok(Kind::Other),
            ws::SOCK_STREAM => Ok(Kind::Stream),
            _ => Ok(Kind::Other),
        }
    }

    /// The count is exact: duplicates and inherited handles alike. A layered provider's
    /// handle (LSP) is none of the system's, and has no count.
    fn sharing(&mut self, _until: Time) -> Sharing {
        match self.handle_count() {
            Some(1) => Sharing::Alone,
            Some(_) => Sharing::Shared,
            None => Sharing::Unknown(fault(ws::WSAEOPNOTSUPP)),
        }
    }

    fn is_connected(&mut self) -> bool {
        self.has_peer() || self.update_context()
    }

    /// WSAEventSelect without an event takes back WSAAsyncSelect too; while one
    /// of them is on, the blocking mode cannot be changed ("WSAEventSelect").
    fn prepare(&mut self, keeps_selection: bool) {
        if !keeps_selection {
            self.end_selection();
        }
        if !self.set_nonblocking(true) {
            MAY_BLOCK.store(true, Ordering::Relaxed);
        }
    }

    fn linger_off(&mut self) {
        self.set_linger(false);
    }

    /// What AcceptEx or ConnectEx connected is not connected to shutdown() until
    /// its context is updated ("AcceptEx", "ConnectEx").
    fn half_close(&mut self) -> Result<(), Fault> {
        match self.shutdown_send() {
            Err(refused) if refused.code == ws::WSAENOTCONN => {
                if self.update_context() && self.shutdown_send().is_ok() || self.has_ended() {
                    return Ok(());
                }
                Err(refused)
            }
            result => result,
        }
    }

    fn discard(&mut self, most: usize) -> Received {
        self.recv(scratch::pointer(), most.min(scratch::SIZE))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.recv(buffer.as_mut_ptr(), buffer.len())
    }

    fn tcp_state(&mut self) -> Answer<TcpState> {
        let info = self.tcp_info()?;
        Ok(info.and_then(|info| state(info.state)))
    }

    /// BytesInFlight of TCP_INFO leaves out what waits to be sent.
    fn in_flight(&mut self) -> Answer<usize> {
        Ok(None)
    }

    /// What has been sent and is no longer in flight has been acknowledged. What waits to be
    /// sent is not told, so nothing proves that there is none.
    fn backlog(&mut self) -> Answer<Backlog> {
        let info = self.tcp_info()?;
        Ok(info.map(|info| Backlog {
            left: u64::MAX
                - info
                    .bytes_out
                    .saturating_sub(u64::from(info.bytes_in_flight)),
            is_empty: false,
        }))
    }

    fn is_called_readable(&mut self) -> bool {
        let mut entry = [PollEntry::readable(*self)];
        !poll_many(&mut entry, Time::from_nanos(0)) || entry[0].has_event()
    }

    /// SO_ERROR tells no reset; WSAPoll does, as often as it is asked.
    fn pending_error(&mut self) -> Answer<Fault> {
        match self.option(ws::SO_ERROR)? {
            0 => Ok(self.is_reset()?.then(|| fault(ws::WSAECONNRESET))),
            code => Ok(Some(fault(code))),
        }
    }

    fn was_alive(&mut self) -> Option<bool> {
        let seconds = self.option(ws::SO_CONNECT_TIME).ok()?;
        Some(seconds != NEVER_CONNECTED)
    }

    /// [`Socket::recv`] has told a reset from an end already.
    fn fin_arrived(&mut self) -> Answer<bool> {
        Ok(Some(self.has_ended()))
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        self.set_keep_alive(on)
    }

    /// What is pending after the end of the stream needs no care. (A close that only gives up
    /// our own handle counts as graceful too: what the other holder has pending must live.)
    fn close(&mut self, graceful: bool) -> Result<(), Fault> {
        if !graceful {
            self.cancel_pending();
        }
        self.close_for_certain()
    }

    /// Winsock resets by closing alone.
    fn reset(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        Ok(())
    }

    /// Does not reset while another handle holds the connection: Winsock has
    /// nothing that would.
    fn abort(&mut self) -> Result<(), Fault> {
        self.set_linger(true);
        self.close_for_certain()
    }
}

impl Socket {
    pub(crate) fn handle_count(self) -> Option<u32> {
        system_dll::handle_count(self.0)
    }

    /// An option of SOL_SOCKET whose value is an `int`.
    pub(super) fn option(self, name: i32) -> Result<i32, Fault> {
        let mut value = 0i32;
        let mut size = size_of::<i32>() as i32;
        syscall!(ws::getsockopt(
            self.0,
            ws::SOL_SOCKET,
            name,
            (&mut value as *mut i32).cast(),
            &mut size
        ))?;
        Ok(value)
    }

    /// Windows 10 1703 and later, TCP only ("SIO_TCP_INFO").
    fn tcp_info(self) -> Answer<TcpInfo> {
        let version = 0u32;
        let mut info = MaybeUninit::<ws::TCP_INFO_v0>::zeroed();
        let mut filled = 0u32;
        let asked = syscall!(ws::WSAIoctl(
            self.0,
            ws::SIO_TCP_INFO,
            (&version as *const u32).cast(),
            size_of::<u32>() as u32,
            info.as_mut_ptr().cast(),
            size_of::<ws::TCP_INFO_v0>() as u32,
            &mut filled,
            null_mut(),
            None
        ));
        match asked {
            Ok(_) => {}
            Err(refused) => match refused.code {
                ws::WSAENOTSOCK | ws::WSAENOBUFS | ws::WSAEACCES => return Err(refused),
                _ => return Ok(None),
            },
        }
        if (filled as usize) < size_of::<ws::TCP_INFO_v0>() {
            return Ok(None);
        }
        let info = info.as_ptr();
        // SAFETY: within `info`, and any number is valid for these. The rest is left alone: it
        // has a BOOLEAN, which need not be a Rust `bool`.
        Ok(Some(unsafe {
            TcpInfo {
                state: addr_of!((*info).State).read(),
                bytes_out: addr_of!((*info).BytesOut).read(),
                bytes_in_flight: addr_of!((*info).BytesInFlight).read(),
            }
        }))
    }

    fn has_peer(self) -> bool {
        self.by_socket2(|socket| socket.peer_addr()).is_ok()
    }

    pub(super) fn end_selection(self) {
        let _ = syscall!(ws::WSAEventSelect(self.0, 0, 0));
    }

    pub(super) fn set_nonblocking(self, on: bool) -> bool {
        self.by_socket2(|socket| socket.set_nonblocking(on)).is_ok()
    }

    pub(super) fn set_linger(self, on: bool) {
        let seconds = on.then_some(Duration::ZERO);
        // A refusal leaves an ordinary close, which is the best there is then.
        let _ = self.by_socket2(|socket| socket.set_linger(seconds));
    }

    fn shutdown_send(self) -> Result<(), Fault> {
        match self.by_socket2(|socket| socket.shutdown(Shutdown::Write)) {
            // The program has done it.
            Err(refused) if refused.code == ws::WSAESHUTDOWN => Ok(()),
            result => result,
        }
    }

    /// Completes what AcceptEx or ConnectEx has left to the program; whether
    /// there was a connection to do it for. The listening socket that
    /// SO_UPDATE_ACCEPT_CONTEXT wants, to take over its properties, is not known
    /// here: the socket stands in for it. A refusal changes nothing.
    fn update_context(mut self) -> bool {
        if self.was_alive() != Some(true) {
            return false;
        }
        let _ = syscall!(ws::setsockopt(
            self.0,
            ws::SOL_SOCKET,
            ws::SO_UPDATE_CONNECT_CONTEXT,
            null(),
            0
        ));
        if !self.has_peer() {
            let _ = syscall!(ws::setsockopt(
                self.0,
                ws::SOL_SOCKET,
                ws::SO_UPDATE_ACCEPT_CONTEXT,
                (&self.0 as *const RawSocket).cast(),
                size_of::<RawSocket>() as i32
            ));
        }
        true
    }

    /// There was a connection, and it has come to its end in peace. (Nothing says
    /// that a shutdown is not refused then as if there had been none.)
    fn has_ended(mut self) -> bool {
        let events = self.poll(ws::POLLRDNORM, 0).unwrap_or(0);
        let ended = events & ws::POLLHUP != 0 && events & ws::POLLERR == 0;
        ended && self.was_alive() == Some(true) && self.refuses_to_send()
    }

    /// Its sending side is shut. What AcceptEx has connected may refuse the half-close, and
    /// would still send.
    fn refuses_to_send(self) -> bool {
        let nothing = scratch::pointer().cast_const();
        let sent = syscall!(ws::send(self.0, nothing, 0, 0));
        sent.is_err_and(|refused| refused.code != ws::WSAEWOULDBLOCK)
    }

    /// The socket is non-blocking, or it is looked before.
    fn recv(self, buffer: *mut u8, size: usize) -> Received {
        if MAY_BLOCK.load(Ordering::Relaxed) && self.poll(ws::POLLRDNORM, 0) == Ok(0) {
            return Received::Empty;
        }
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        match syscall!(ws::recv(self.0, buffer, size, 0)) {
            Ok(0) => self.end_or_reset(),
            Ok(bytes) => Received::Bytes(bytes as usize),
            Err(refused) => match refused.code {
                ws::WSAEWOULDBLOCK => Received::Empty,
                ws::WSAESHUTDOWN => Received::Deaf,
                // Of a message so much came in, the rest is gone.
                ws::WSAEMSGSIZE => Received::Bytes(size as usize),
                _ => Received::Failed(refused),
            },
        }
    }

    /// A zero read after a reset: Wine does that, and so may a filter driver.
    fn end_or_reset(self) -> Received {
        match self.is_reset() {
            Ok(true) => Received::Failed(fault(ws::WSAECONNRESET)),
            Ok(false) => Received::End,
            Err(refused) if refused.kind == FaultKind::NotASocket => Received::Failed(refused),
            // It is asked again before anything is made of it.
            Err(_) => Received::Empty,
        }
    }

    fn is_reset(self) -> Result<bool, Fault> {
        Ok(self.poll(ws::POLLRDNORM, 0)? & ws::POLLERR != 0)
    }

    /// What there is of these events, an end and an error. POLLRDNORM is ordinary data: recv
    /// does not fetch urgent data. WSAPoll waits alertably, so nobody but a thread of ours
    /// may give it any time.
    pub(super) fn poll(self, events: i16, milliseconds: i32) -> Result<i16, Fault> {
        let mut entry = ws::WSAPOLLFD {
            fd: self.0,
            events,
            revents: 0,
        };
        syscall!(ws::WSAPoll(&mut entry, 1, milliseconds))?;
        Ok(entry.revents)
    }
}
