//! What a descriptor is, and what its close would do.

use crate::senders;
use crate::sys;
use crate::waiting;
use graceful_close_retrofit::qualify::{left_by, questions, Answer, Question, Questions, Route};
use libc::c_int;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What to do with a descriptor that nobody else holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Nothing but close it.
    #[default]
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
    unused: [u8; 23],
    /// Segments that were sent and not acknowledged.
    in_flight: u32,
    unused_until_round_trip: [u8; 40],
    /// Smoothed, in microseconds.
    round_trip: u32,
    unused_until_acked: [u8; 48],
    /// Of both FINs and of data (Linux 4.1).
    bytes_acked: u64,
    bytes_received: u64,
    unused_between: [u8; 8],
    /// Queued, and not sent yet (Linux 4.6).
    not_sent: u32,
    unused_too: [u8; 52],
    /// Of data (Linux 4.19).
    bytes_sent: u64,
    /// Those among them that were sent again (Linux 4.19).
    bytes_sent_again: u64,
}

const ESTABLISHED: u8 = 1;
const FIN_WAIT_1: u8 = 4;
const FIN_WAIT_2: u8 = 5;
const CLOSE_WAIT: u8 = 8;
const CLOSE: u8 = 7;
const LAST_ACK: u8 = 9;
const LISTEN: u8 = 10;
const CLOSING: u8 = 11;

static QUESTIONS: Questions = questions(match cfg!(feature = "link") {
    true => Route::Link,
    false => Route::Preload,
});

/// What is known of a descriptor besides the socket itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The process has connected it, and that is a reason to leave it alone.
    pub is_client: bool,
    /// Nobody has seen how it came, and that may be one.
    pub is_foreign: bool,
    /// Another program may have put it into the mode of repair.
    pub may_be_in_repair: bool,
}

/// This program has put a socket into the mode of repair, or tried to: few do, and the others are
/// spared the question.
static REPAIRS: AtomicBool = AtomicBool::new(false);

/// An option is about to be set.
pub fn option_is_set(level: c_int, name: c_int) {
    if level == libc::IPPROTO_TCP && name == libc::TCP_REPAIR {
        REPAIRS.store(true, Relaxed);
    }
}

/// Looks a descriptor up. TCP_INFO alone tells what is no TCP socket: it fails.
pub fn examine(fd: c_int, origin: Origin, must_have_sent: bool) -> Fate {
    let mut found = Found::default();
    match left_by(&QUESTIONS, |question| {
        found.answer(fd, origin, must_have_sent, question)
    }) {
        None => found.fate,
        Some(_) => Fate::Plain,
    }
}

/// What has been found out of it so far.
#[derive(Default)]
struct Found {
    info: Option<Info>,
    fate: Fate,
}

impl Found {
    fn answer(
        &mut self,
        fd: c_int,
        origin: Origin,
        must_have_sent: bool,
        question: Question,
    ) -> Answer {
        match question {
            Question::IsClient => {
                (origin.is_client || origin.is_foreign && was_connected(fd)).into()
            }
            Question::IsForeign => origin.is_foreign.into(),
            Question::IsConnection => self.is_connection(fd).into(),
            Question::HasSent if !must_have_sent => Answer::Yes,
            Question::HasSent => self.info.map(|info| info.has_sent()).into(),
            Question::WantsReset => wants_reset(fd).into(),
            Question::IsInRepair if !origin.may_be_in_repair && !REPAIRS.load(Relaxed) => {
                Answer::No
            }
            Question::IsInRepair => is_in_repair(fd).into(),
            Question::IsMultipath => is_multipath(fd).into(),
            // after the peer's FIN it makes no difference
            Question::IsShutForReading if self.fate == Fate::Drain => Answer::No,
            Question::IsShutForReading => is_shut_for_reading(fd).into(),
            Question::IsBeingSent => self.is_being_sent(fd).into(),
            Question::IsShared => Answer::Unknown,
        }
    }

    fn is_being_sent(&self, fd: c_int) -> bool {
        let is_any = |info: Info| senders::is_any(fd, info.in_flight, info.not_sent);
        self.info.is_some_and(is_any)
    }

    fn is_connection(&mut self, fd: c_int) -> bool {
        self.info = info(fd);
        self.fate = match self.info.map(|info| info.state) {
            // both FINs may be on their way: what is unread resets all the same
            Some(CLOSE_WAIT | LAST_ACK | CLOSING) => Fate::Drain,
            Some(ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2) => Fate::Park,
            _ => Fate::Plain,
        };
        self.fate != Fate::Plain
    }
}

fn info(fd: c_int) -> Option<Info> {
    asked(fd).ok()
}

fn asked(fd: c_int) -> Result<Info, sys::Error> {
    let mut info = Info {
        state: 0,
        unused: [0; 23],
        in_flight: 0,
        unused_until_round_trip: [0; 40],
        round_trip: 0,
        unused_until_acked: [0; 48],
        bytes_acked: 0,
        bytes_received: 0,
        unused_between: [0; 8],
        not_sent: 0,
        unused_too: [0; 52],
        bytes_sent: 0,
        bytes_sent_again: 0,
    };
    let size = sys::option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    // an older kernel cannot tell what was sent
    match size == std::mem::size_of::<Info>() {
        true => Ok(info),
        false => Err(sys::Error(libc::EOPNOTSUPP)),
    }
}

/// What a TCP socket is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Listens,
    NotConnected,
    /// The kernel's state is CLOSE, and there was a connection.
    Ended {
        is_reset: bool,
    },
    /// Which side's FIN is there; and whether something of either side may lie in the buffers.
    Connected {
        has_closed: bool,
        peer_has: bool,
        may_be_unacked: bool,
        may_be_unread: bool,
    },
}

/// `is_client`: this side has connected it. An error: no TCP socket.
pub fn state(fd: c_int, is_client: bool) -> Result<State, sys::Error> {
    let info = asked(fd)?;
    let has_closed = matches!(info.state, FIN_WAIT_1 | FIN_WAIT_2 | CLOSING | LAST_ACK);
    let peer_has = matches!(info.state, CLOSE_WAIT | CLOSING | LAST_ACK);
    Ok(match info.state {
        ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2 | CLOSE_WAIT | LAST_ACK | CLOSING => {
            State::Connected {
                has_closed,
                peer_has,
                may_be_unacked: info.in_flight > 0 || info.not_sent > 0,
                may_be_unread: info.bytes_received > 0,
            }
        }
        LISTEN => State::Listens,
        // the time of a round trip is known since the handshake
        CLOSE if info.round_trip > 0 => State::Ended {
            is_reset: !info.is_fin_acknowledged(is_client),
        },
        _ => State::NotConnected,
    })
}

/// SO_LINGER's seconds, if it is on.
pub fn linger(fd: c_int) -> Option<u32> {
    let mut linger = libc::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    sys::option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &mut linger).ok()?;
    (linger.l_onoff != 0).then_some(linger.l_linger as u32)
}

impl Info {
    /// The acknowledged bytes have the FIN among them, and, of a client, its SYN.
    fn is_fin_acknowledged(&self, is_client: bool) -> bool {
        let sent = self.bytes_sent.saturating_sub(self.bytes_sent_again);
        self.bytes_acked > sent + u64::from(is_client)
    }

    fn has_sent(&self) -> bool {
        self.bytes_sent > 0 || self.not_sent > 0
    }
}

fn wants_reset(fd: c_int) -> Option<bool> {
    let mut linger = libc::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    sys::option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &mut linger).ok()?;
    Some(linger.l_onoff != 0 && linger.l_linger == 0)
}

fn is_in_repair(fd: c_int) -> Option<bool> {
    Some(number(fd, libc::IPPROTO_TCP, libc::TCP_REPAIR)? != 0)
}

fn number(fd: c_int, level: c_int, name: c_int) -> Option<c_int> {
    let mut number: c_int = 0;
    sys::option(fd, level, name, &mut number).ok()?;
    Some(number)
}

fn is_multipath(fd: c_int) -> Option<bool> {
    Some(number(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL)? != libc::IPPROTO_TCP)
}

/// By the program, in whatever process: the peer's FIN, which looks the same to poll(), would
/// show in the state.
fn is_shut_for_reading(fd: c_int) -> Option<bool> {
    if waiting::events_now(fd, libc::POLLRDHUP).ok()? & libc::POLLRDHUP == 0 {
        return Some(false);
    }
    // or the peer's FIN has come this moment
    Some(info(fd)?.state != CLOSE_WAIT)
}

/// Whether the peer's FIN has been read.
pub fn peer_has_closed(fd: c_int) -> bool {
    info(fd).is_some_and(|info| !matches!(info.state, ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2))
}

/// Whether nothing is left of the connection, in either direction: closing sends nothing then (net/ipv4/tcp.c,
/// __tcp_close), and waits for nothing.
pub fn has_ended(fd: c_int) -> bool {
    info(fd).is_some_and(|info| info.state == CLOSE)
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

/// So many bytes have come so far; and the milliseconds of a round trip.
pub fn received(fd: c_int) -> Option<(u64, u64)> {
    info(fd).map(|info| (info.bytes_received, u64::from(info.round_trip) / 1000))
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
        assert_eq!(offset_of!(Info, in_flight), 24);
        assert_eq!(offset_of!(Info, round_trip), 68);
        assert_eq!(offset_of!(Info, bytes_acked), 120);
        assert_eq!(offset_of!(Info, bytes_received), 128);
        assert_eq!(offset_of!(Info, not_sent), 144);
        assert_eq!(offset_of!(Info, bytes_sent), 200);
    }
}
