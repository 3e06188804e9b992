//! What only the inside of a reaper shows. The rest is in tests/reaper.rs.

#[cfg(unix)]
use super::go_on_with;
#[cfg(target_os = "linux")]
use super::pool::{Entry, Keep};
use super::{Handover, Reaper, Refusal, WhenFull};
#[cfg(target_os = "linux")]
use crate::clock::Time;
use crate::clock::{Clock, SystemClock};
use crate::log;
#[cfg(unix)]
use crate::machine::Machine;
use crate::options::Options;
#[cfg(target_os = "linux")]
use crate::sys::Probe;
use crate::sys::{disown, OwnedSocket, Socket};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::{self, sleep};
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
    #[cfg(unix)]
    let no_socket = no_socket();
    #[cfg(unix)]
    for deferred in [false, true] {
        let refused = reaper.hand_over(handover(&no_socket, deferred));
        assert!(matches!(refused, Err(Refusal::System(_))));
    }
    #[cfg(windows)]
    let _ = Refusal::Stopped;
    assert_eq!(reaper.pending(), 0);
    assert!(!reaper.shared.inbox.is_expecting());
    assert_eq!(reaper.stop(LONG), Ok(true));
}

/// A file is to a reaper what a number is that somebody else has got.
#[cfg(unix)]
fn no_socket() -> OwnedSocket {
    let file = std::fs::File::open(std::env::current_exe().unwrap());
    file.unwrap().into()
}

/// The number is another one's by now, as after a close behind our back.
#[test]
#[cfg(unix)]
fn what_is_no_socket_any_more_is_not_gone_on_with() {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(no_socket());
    let before = file.metadata().unwrap();
    let file: OwnedSocket = file.into();
    let mut machine = Machine::new(&Options::new(), SystemClock.now());
    go_on_with(Socket::of(&file), &mut machine, None);
    if let Some(reaper) = super::of_the_process_if_any() {
        // Started by another test: then it is the thread that finds out.
        reaper.flush(LONG).unwrap();
    }
    let after = std::fs::File::from(file).metadata().expect("still open");
    assert_eq!((after.dev(), after.ino()), (before.dev(), before.ino()));
}

/// What the poller does not take is looked at by the thread, at once and then now and then.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_watched_does_not_wait_for_an_event() {
    let reaper = reaper();
    let now = SystemClock.now();
    let registered = |owner: &OwnedSocket| {
        let mut entry = Entry {
            socket: Socket::of(owner),
            machine: Machine::new(&Options::new(), now),
            extras: None,
            keep: Keep::NEW,
        };
        let due = reaper.shared.register(&mut entry, Time::NEVER, now);
        (due, entry.keep.is_watched())
    };
    let (socket, _peer) = pair();
    assert_eq!(registered(&socket), (Time::NEVER, true));
    // A file's number: epoll does not take it.
    assert_eq!(registered(&no_socket()), (now, false));
    assert_eq!(reaper.stop(LONG), Ok(true));
}

/// A time-out and nothing else needs no memory of its own.
#[test]
fn brief_is_what_asks_for_nothing() {
    let (socket, _peer) = pair();
    let plain = || handover(&socket, false);
    let done = || Handover {
        done: Some(Box::new(|_, _| {})),
        ..plain()
    };
    let read = || Handover {
        reader: Some(Box::new(|_| true)),
        ..plain()
    };
    let special = Handover {
        options: Options::new().max_drain_bytes(1),
        ..plain()
    };
    assert!(!plain().has_callback() && !special.has_callback());
    assert!(done().has_callback() && read().has_callback());
    assert!(!special.is_brief() && !done().is_brief() && !read().is_brief());
    // Another test's log would want to know more of it.
    assert!(plain().is_brief() || log::is_on());
}

/// Its thread is in a callback until somebody says so, or is gone.
#[cfg(target_os = "linux")]
fn kept_busy(reaper: &Reaper) -> std::sync::mpsc::Sender<()> {
    use std::sync::mpsc;
    let (go_on, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let (socket, peer) = pair();
    let done = move |_, _: &_| {
        begin.send(()).unwrap();
        let _ = wait.recv();
    };
    let handover = Handover {
        done: Some(Box::new(done)),
        ..handover(&socket, false)
    };
    reaper.hand_over(handover).unwrap();
    disown(socket);
    drop(peer);
    begun.recv().unwrap();
    go_on
}

/// All who may hold it have to be looked for then, which takes its time.
#[test]
#[cfg(target_os = "linux")]
fn what_somebody_is_blocked_on_is_left_to_the_thread() {
    let reaper = reaper();
    let go_on = kept_busy(&reaper);
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = datagrams.local_addr().unwrap();
    let datagrams: OwnedSocket = datagrams.into();
    let number = Socket::of(&datagrams);
    let pending = thread::scope(|scope| {
        scope.spawn(|| {
            let mut room = [std::mem::MaybeUninit::uninit(); 8];
            let _ = socket2::SockRef::from(&datagrams).recv(&mut room);
        });
        // An emulator may show other calls than those that are made.
        let began = Instant::now();
        while !number.may_be_blocked_on() && began.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(1));
        }
        let is_seen = number.may_be_blocked_on();
        let result = reaper.hand_over(handover(&datagrams, false));
        let pending = result.map(|()| (is_seen, reaper.pending()));
        drop(go_on);
        let _ = reaper.flush(LONG);
        // On a busy machine the search may take too long; then nobody was woken.
        let waker = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = waker.send_to(b"go", address);
        pending
    });
    assert!(matches!(pending, Ok((true, 2) | (false, _))), "{pending:?}");
    disown(datagrams);
    assert_eq!(reaper.stop(LONG), Ok(true));
}

/// Whoever has a place may still come, or not: the thread waits for that, and nobody wakes it.
#[test]
fn a_stop_waits_for_who_has_a_place_already() {
    let reaper = reaper();
    // Long enough for it to go to sleep.
    sleep(Duration::from_millis(50));
    let place = reaper.shared.reserve(SystemClock.now(), None).unwrap();
    thread::scope(|scope| {
        let stopped = scope.spawn(|| reaper.stop(0));
        while reaper.shared.reserve(SystemClock.now(), None).is_ok() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(50));
        assert!(!stopped.is_finished());
        drop(place);
        assert!(stopped.join().unwrap().is_ok());
    });
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
