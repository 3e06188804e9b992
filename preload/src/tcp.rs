//! What a descriptor is, and what its close would do.

use crate::sys;
use libc::c_int;

/// What to do with a descriptor that nobody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing but close it.
    Plain,
    /// The peer has closed: what it sent before must be read, or the close resets.
    Drain,
    /// The peer may still send: half-close it and wait for the end.
    Park,
}

/// The kernel's struct tcp_info, as far as it is needed (include/uapi/linux/tcp.h).
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    state: u8,
    unused: [u8; 119],
    /// Of both FINs and of data (Linux 4.1).
    bytes_acked: u64,
    bytes_received: u64,
    unused_between: [u8; 8],
    /// Queued, and not sent yet (Linux 4.6).
    not_sent: u32,
    unused_too: [u8; 52],
    /// Of data (Linux 4.19).
    bytes_sent: u64,
}

const ESTABLISHED: u8 = 1;
const FIN_WAIT_1: u8 = 4;
const FIN_WAIT_2: u8 = 5;
const CLOSE_WAIT: u8 = 8;
const LAST_ACK: u8 = 9;
const CLOSING: u8 = 11;

/// Looks a descriptor up. TCP_INFO alone tells what is no TCP socket: it fails.
pub fn examine(fd: c_int, must_have_sent: bool) -> Fate {
    let Some(info) = info(fd) else {
        return Fate::Plain;
    };
    if must_have_sent && !info.has_sent() {
        return Fate::Plain;
    }
    let fate = match info.state {
        // both FINs may be on their way: what is unread resets all the same
        CLOSE_WAIT | LAST_ACK | CLOSING => Fate::Drain,
        ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2 => Fate::Park,
        _ => return Fate::Plain,
    };
    if is_to_be_reset(fd) || is_multipath(fd) || (fate == Fate::Park && is_shut_for_reading(fd)) {
        return Fate::Plain;
    }
    fate
}

fn info(fd: c_int) -> Option<Info> {
    let mut info = Info {
        state: 0,
        unused: [0; 119],
        bytes_acked: 0,
        bytes_received: 0,
        unused_between: [0; 8],
        not_sent: 0,
        unused_too: [0; 52],
        bytes_sent: 0,
    };
    let size = sys::option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).ok()?;
    // an older kernel cannot tell what was sent
    (size == std::mem::size_of::<Info>()).then_some(info)
}

impl Info {
    fn has_sent(&self) -> bool {
        self.bytes_sent > 0 || self.not_sent > 0
    }
}

/// SO_LINGER {1, 0}: the program wants a reset.
fn is_to_be_reset(fd: c_int) -> bool {
    let mut linger = libc::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    let told = sys::option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &mut linger);
    told.is_err() || linger.l_onoff != 0 && linger.l_linger == 0
}

fn is_multipath(fd: c_int) -> bool {
    let mut protocol: c_int = 0;
    let told = sys::option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, &mut protocol);
    told.is_err() || protocol != libc::IPPROTO_TCP
}

/// By the program, in whatever process: the peer's FIN, which looks the same to poll(), would
/// show in the state.
fn is_shut_for_reading(fd: c_int) -> bool {
    match sys::events_now(fd, libc::POLLRDHUP) {
        Ok(events) if events & libc::POLLRDHUP == 0 => false,
        // the peer's FIN has come this moment
        Ok(_) => !info(fd).is_some_and(|info| info.state == CLOSE_WAIT),
        Err(_) => true,
    }
}

/// Whether the peer's FIN has been read.
pub fn peer_has_closed(fd: c_int) -> bool {
    info(fd).is_some_and(|info| !matches!(info.state, ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2))
}

pub fn is_one(fd: c_int) -> bool {
    info(fd).is_some()
}

pub fn has_sent(fd: c_int) -> bool {
    info(fd).is_some_and(|info| info.has_sent())
}

/// Another number as soon as the peer has sent something, or acknowledged it.
pub fn progress(fd: c_int) -> u64 {
    info(fd).map_or(0, |info| info.bytes_acked.wrapping_add(info.bytes_received))
}

/// Whether a connection of which it is not known who made it was made from this side: from one of
/// the numbers that Linux gives to clients, to one that it does not give.
pub fn was_connected(fd: c_int) -> bool {
    const GIVEN: u16 = 32768;
    match (sys::own_address(fd), sys::peer(fd)) {
        (Some((_, own)), Some((_, peer))) => own >= GIVEN && peer < GIVEN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Info;
    use std::mem::offset_of;

    #[test]
    fn the_kernel_s_layout() {
        assert_eq!(offset_of!(Info, bytes_acked), 120);
        assert_eq!(offset_of!(Info, bytes_received), 128);
        assert_eq!(offset_of!(Info, not_sent), 144);
        assert_eq!(offset_of!(Info, bytes_sent), 200);
    }
}
