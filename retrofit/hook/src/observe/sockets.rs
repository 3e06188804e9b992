//! The sockets that the program holds, as far as they were seen to come, and which directions it has
//! shut. Bounded; no lock, no allocation.

use std::sync::atomic::{AtomicUsize, Ordering};
use windows_sys::Win32::Networking::WinSock as ws;

/// A socket is a handle, and handles are multiples of four: two bits are free for the directions.
pub(super) const SHUT_RECEIVE: usize = 1;
pub(super) const SHUT_SEND: usize = 2;
pub(super) const SHUT_BOTH: usize = SHUT_RECEIVE | SHUT_SEND;

/// Handles are small numbers. Of two sockets with the same place the later one counts.
const PLACES: usize = 8192;

static SOCKETS: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];

fn place(socket: ws::SOCKET) -> &'static AtomicUsize {
    &SOCKETS[socket / 4 % PLACES]
}

/// A new socket: nothing is shut.
pub(super) fn note(socket: ws::SOCKET) {
    if socket != ws::INVALID_SOCKET {
        place(socket).store(socket & !SHUT_BOTH, Ordering::Relaxed);
    }
}

/// Directions that the program has shut.
pub(super) fn note_shut(socket: ws::SOCKET, how: i32) {
    let more = match how {
        ws::SD_RECEIVE => SHUT_RECEIVE,
        ws::SD_SEND => SHUT_SEND,
        _ => SHUT_BOTH,
    };
    let before = shut(socket);
    place(socket).store(socket & !SHUT_BOTH | before | more, Ordering::Relaxed);
}

pub(super) fn shut(socket: ws::SOCKET) -> usize {
    let held = place(socket).load(Ordering::Relaxed);
    match held & !SHUT_BOTH == socket & !SHUT_BOTH {
        true => held & SHUT_BOTH,
        false => 0,
    }
}

/// The program closes it.
pub(super) fn forget(socket: ws::SOCKET) {
    let place = place(socket);
    let held = place.load(Ordering::Relaxed);
    if held & !SHUT_BOTH == socket & !SHUT_BOTH {
        let _ = place.compare_exchange(held, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

pub(super) fn forget_all() {
    for place in &SOCKETS {
        place.store(0, Ordering::Relaxed);
    }
}

/// Every socket that has not been closed.
pub(super) fn for_each(mut what: impl FnMut(ws::SOCKET)) {
    for place in &SOCKETS {
        let held = place.load(Ordering::Relaxed) & !SHUT_BOTH;
        if held != 0 {
            what(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_add_up_and_end_with_the_socket() {
        let socket = 0x7_0004;
        note_shut(socket, ws::SD_SEND);
        assert_eq!(shut(socket), SHUT_SEND);
        note_shut(socket, ws::SD_RECEIVE);
        assert_eq!(shut(socket), SHUT_BOTH);
        note(socket);
        assert_eq!(shut(socket), 0);
        let mut found = 0;
        for_each(|one| found += usize::from(one == socket));
        assert_eq!(found, 1);
        forget(socket);
        for_each(|one| assert_ne!(one, socket));
        assert_eq!(shut(socket), 0);
    }

    #[test]
    fn another_socket_with_the_same_place_is_not_taken_for_it() {
        let socket = 0x9_0008;
        let other = socket + 4 * PLACES;
        note_shut(socket, ws::SD_BOTH);
        assert_eq!(shut(other), 0);
        forget(other);
        assert_eq!(shut(socket), SHUT_BOTH);
        note(other);
        assert_eq!(shut(socket), 0);
        forget(other);
    }
}
