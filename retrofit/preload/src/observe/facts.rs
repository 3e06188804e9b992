//! What the system says about a descriptor just before the program closes it. Nothing is changed by it.

use crate::sys;
use crate::tcp::{self, State};
use crate::waiting;
use graceful_close_retrofit::observe::{of_address, Seen};
use libc::c_int;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TCP, with a connection.
    Connection,
    /// TCP, and there was one.
    Ended,
    Listener,
    Datagram,
    /// No socket, or not connected, or of another family.
    Other,
    /// The number is not open at all.
    Nothing,
}

pub fn of(fd: c_int, is_client: bool) -> (Kind, Seen) {
    let state = match tcp::state(fd, is_client) {
        Ok(state) => state,
        Err(sys::Error(libc::EBADF)) if fd >= 0 => return (Kind::Nothing, Seen::default()),
        Err(sys::Error(libc::EBADF | libc::ENOTSOCK)) => return (Kind::Other, Seen::default()),
        Err(_) => return (other_socket(fd), Seen::default()),
    };
    match state {
        State::Listens => (Kind::Listener, Seen::default()),
        State::NotConnected => (Kind::Other, Seen::default()),
        State::Ended { is_reset } => (Kind::Ended, ended(fd, is_reset)),
        State::Connected { .. } => (Kind::Connection, connected(fd, state)),
    }
}

fn other_socket(fd: c_int) -> Kind {
    let mut kind: c_int = 0;
    match sys::option(fd, libc::SOL_SOCKET, libc::SO_TYPE, &mut kind) {
        Ok(_) if kind == libc::SOCK_DGRAM && sys::own_address(fd).is_some() => Kind::Datagram,
        _ => Kind::Other,
    }
}

/// Both FINs are acknowledged, or a reset has come.
fn ended(fd: c_int, is_reset: bool) -> Seen {
    Seen {
        unread: if is_reset { 0 } else { sys::unread(fd) },
        unacked: Some(0),
        peer_closed: !is_reset,
        is_reset,
        shut_send: true,
        ..Seen::default()
    }
}

/// Each question is a system call, and asked only if the state leaves it open.
fn connected(fd: c_int, state: State) -> Seen {
    let State::Connected {
        has_closed,
        peer_has,
        may_be_unacked,
        may_be_unread,
    } = state
    else {
        return Seen::default();
    };
    // our FIN is queued like a byte
    let fin = u64::from(has_closed);
    let shut_receive = has_closed
        && !peer_has
        && waiting::events_now(fd, libc::POLLRDHUP).is_ok_and(|now| now & libc::POLLRDHUP != 0);
    let asked = |may_be: bool, ask: fn(c_int) -> u64| if may_be { ask(fd) } else { 0 };
    let unacked = asked(may_be_unacked, sys::unacknowledged);
    Seen {
        unread: asked(may_be_unread, sys::unread),
        unacked: Some(unacked.saturating_sub(fin)),
        peer_closed: peer_has,
        shut_send: has_closed,
        shut_both: shut_receive,
        linger: tcp::linger(fd),
        ..Seen::default()
    }
}

/// 0: it is not known.
pub fn peer(fd: c_int) -> u32 {
    sys::peer(fd).map_or(0, |(address, _)| of_address(&address))
}

pub fn now_ns() -> u64 {
    sys::now_ns()
}
