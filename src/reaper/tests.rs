//! What only the inside of a reaper shows. The rest is in tests/reaper.rs.

use super::{Handover, Reaper, Refusal, WhenFull};
use crate::options::Options;
use crate::sys::{disown, OwnedSocket, Socket};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything takes here.
const LONG: u32 = 10_000;

fn pair() -> (OwnedSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0.into(), peer)
}

fn handover(socket: &OwnedSocket, deferred: bool) -> Handover {
    Handover {
        socket: Socket::of(socket),
        options: Options::new(),
        deferred,
        done: None,
        reader: None,
    }
}

fn reaper() -> Reaper {
    Reaper::start(0, WhenFull::EvictOldest).expect("a thread")
}

/// It does neither wait for one who will never come nor count it.
#[test]
fn a_hand_over_that_panics_gives_its_place_back() {
    let reaper = reaper();
    let (socket, mut peer) = pair();
    peer.write_all(b"for the reader").unwrap();
    sleep(Duration::from_millis(50));
    let panics = Handover {
        reader: Some(Box::new(|_| panic!("on purpose"))),
        // The half-close comes after the reading then, and with it the panic on
        // this thread, whether the other one is awake or not.
        options: Options::new().peer_first(Duration::from_secs(5)),
        ..handover(&socket, false)
    };
    let result = catch_unwind(AssertUnwindSafe(|| reaper.hand_over(panics)));
    assert!(result.is_err(), "the reader has not been called here");
    assert_eq!(reaper.pending(), 0);
    assert!(!reaper.shared.inbox.is_expecting());
    assert_eq!(reaper.stop(LONG), Ok(true));
}

#[test]
fn what_is_refused_gives_its_place_back() {
    let reaper = reaper();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    #[cfg(unix)]
    let no_socket: OwnedSocket = file.into();
    #[cfg(unix)]
    for deferred in [false, true] {
        let refused = reaper.hand_over(handover(&no_socket, deferred));
        assert!(matches!(refused, Err(Refusal::System(_))));
    }
    #[cfg(windows)]
    let _ = (file, Refusal::Stopped);
    assert_eq!(reaper.pending(), 0);
    assert!(!reaper.shared.inbox.is_expecting());
    assert_eq!(reaper.stop(LONG), Ok(true));
}

/// With the thread asleep, awake and busy; all of them end, and soon.
#[test]
fn hand_overs_of_both_kinds_end_whatever_the_thread_is_at() {
    let reaper = reaper();
    for round in 0..60 {
        let deferred = round % 2 == 1;
        let (socket, peer) = pair();
        reaper.hand_over(handover(&socket, deferred)).unwrap();
        disown(socket);
        let datagrams: OwnedSocket = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        reaper.hand_over(handover(&datagrams, deferred)).unwrap();
        disown(datagrams);
        drop(peer);
        if round % 10 < 4 {
            // Long enough for it to go to sleep.
            sleep(Duration::from_millis(12));
        }
    }
    let began = Instant::now();
    assert_eq!(reaper.flush(LONG), Ok(true));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(reaper.pending(), 0);
}
