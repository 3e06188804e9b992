//! What the system says about a socket just before the program closes it. Nothing is changed by it.

use super::pending;
use super::sockets::{self, SHUT_BOTH, SHUT_SEND};
use crate::eligible::{is_tcp, option, tcp_info, Ends, NEVER_CONNECTED};
use graceful_close::internals;
use graceful_close_retrofit::observe::{of_address, Seen};
use std::net::IpAddr;
use std::os::windows::io::RawSocket;
use windows_sys::Win32::Foundation::GetHandleInformation;
use windows_sys::Win32::Networking::WinSock as ws;

/// What kind of socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// TCP, and there is or was a connection.
    Connection,
    Listener,
    Datagram,
    /// Not connected, or of another family.
    Other,
    /// The number is not open at all.
    Nothing,
    /// The number is open, and no socket.
    Stranger,
}

pub(super) fn kind(socket: ws::SOCKET) -> Kind {
    // a common way to say "none", and no double close
    if socket == ws::INVALID_SOCKET {
        return Kind::Other;
    }
    let Some(kind) = option::<i32>(socket, ws::SO_TYPE) else {
        // SAFETY: takes a number.
        return match unsafe { ws::WSAGetLastError() } {
            ws::WSAENOTSOCK => is_open(socket),
            _ => Kind::Other,
        };
    };
    match kind {
        ws::SOCK_DGRAM => Kind::Datagram,
        ws::SOCK_STREAM if option::<i32>(socket, ws::SO_ACCEPTCONN).unwrap_or(0) != 0 => {
            Kind::Listener
        }
        ws::SOCK_STREAM if is_tcp(socket) && connect_time(socket) != NEVER_CONNECTED => {
            Kind::Connection
        }
        _ => Kind::Other,
    }
}

fn connect_time(socket: ws::SOCKET) -> i32 {
    option(socket, ws::SO_CONNECT_TIME).unwrap_or(NEVER_CONNECTED)
}

fn is_open(handle: usize) -> Kind {
    let mut flags = 0;
    // SAFETY: takes a number, whatever it is.
    match unsafe { GetHandleInformation(handle as *mut _, &mut flags) } {
        0 => Kind::Nothing,
        _ => Kind::Stranger,
    }
}

/// Of a connection. Bytes of ours: those in flight; at least so many are not acknowledged, since what
/// waits to be sent is not told. Windows 10 1703 and later; not Wine.
pub(super) fn of(socket: ws::SOCKET) -> Seen {
    let shut = sockets::shut(socket);
    let info = tcp_info(socket);
    let state = info.as_ref().map(|info| info.state);
    let unread = unread(socket);
    let events = events(socket);
    let is_reset = events & ws::POLLERR != 0;
    let pending = pending::take(socket);
    let linger = option::<ws::LINGER>(socket, ws::SO_LINGER).filter(|linger| linger.l_onoff != 0);
    Seen {
        peer: peer(socket),
        unread: unread.into(),
        unacked: info.map(|info| info.in_flight),
        peer_closed: !is_reset && peer_closed(state, unread, events, shut),
        is_reset,
        shut_send: shut & SHUT_SEND != 0,
        shut_both: shut == SHUT_BOTH,
        has_time_wait: state == Some(ws::TCPSTATE_TIME_WAIT),
        linger: linger.map(|linger| linger.l_linger.into()),
        is_shared: internals::handle_count(socket as RawSocket).is_some_and(|count| count > 1),
        pending: u64::from(pending.receives + pending.sends),
    }
}

/// What AcceptEx or ConnectEx has connected, without an update of its context, has none.
fn peer(socket: ws::SOCKET) -> u32 {
    match Ends::of(socket).peer_ip() {
        Some(IpAddr::V4(ip)) => of_address(&ip.octets()),
        Some(IpAddr::V6(ip)) => of_address(&ip.octets()),
        None => 0,
    }
}

/// The state tells, where there is one. Else what WSAPoll says: on Windows a hang-up as soon as the
/// FIN is there; elsewhere a socket that is readable and has no bytes.
fn peer_closed(state: Option<ws::TCPSTATE>, unread: u32, events: i16, shut: usize) -> bool {
    match state {
        Some(state) => matches!(
            state,
            ws::TCPSTATE_CLOSE_WAIT
                | ws::TCPSTATE_CLOSING
                | ws::TCPSTATE_LAST_ACK
                | ws::TCPSTATE_TIME_WAIT
                | ws::TCPSTATE_CLOSED
        ),
        // both say nothing then
        None if shut & sockets::SHUT_RECEIVE != 0 => false,
        None => events & ws::POLLHUP != 0 || events & ws::POLLRDNORM != 0 && unread == 0,
    }
}

fn unread(socket: ws::SOCKET) -> u32 {
    let mut bytes = 0;
    // SAFETY: a number that the call fills in.
    match unsafe { ws::ioctlsocket(socket, ws::FIONREAD, &mut bytes) } {
        0 => bytes,
        _ => 0,
    }
}

/// It does not wait.
fn events(socket: ws::SOCKET) -> i16 {
    let mut entry = ws::WSAPOLLFD {
        fd: socket,
        events: ws::POLLRDNORM,
        revents: 0,
    };
    // SAFETY: one entry, as said.
    match unsafe { ws::WSAPoll(&mut entry, 1, 0) } {
        1 => entry.revents,
        _ => 0,
    }
}
