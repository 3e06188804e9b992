//! `Closing`, driven by a loop of the program's own: a step never waits, events that
//! are late, double or missing change nothing but time, and what is dropped pending
//! ends by its fallback.

mod support;

use graceful_close::{Closing, Fallback, Options, Outcome};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::{
    assert_prompt, assert_took, await_news, descriptors, eventually, finish, ms, payload, reset,
    tcp_pair, LONG,
};

fn within(timeout: Duration) -> Options {
    Options::new().timeout(timeout)
}

fn begin(ours: TcpStream, options: &Options) -> Closing {
    Closing::new(ours, options).expect("a socket")
}

/// One step, which must not wait.
#[track_caller]
fn step(closing: &mut Closing) -> Option<Outcome> {
    let started = Instant::now();
    let outcome = closing.step().expect("no refusal");
    assert_prompt(started.elapsed());
    assert_eq!(closing.report().map(|report| report.outcome), outcome);
    outcome
}

/// Waits as the closing says; the socket is looked at every millisecond.
fn wait(closing: &Closing) {
    let end = closing.timeout().map(|timeout| Instant::now() + timeout);
    while end.map_or(true, |end| Instant::now() < end) {
        let socket = closing.socket().expect("pending, so it is open");
        if closing.wants_read() && descriptors::has_news(socket) {
            return;
        }
        std::thread::sleep(ms(1));
    }
}

#[track_caller]
fn drive(closing: &mut Closing) -> (Outcome, usize) {
    for steps in 1.. {
        if let Some(outcome) = step(closing) {
            return (outcome, steps);
        }
        wait(closing);
    }
    unreachable!()
}

fn is_reset(peer: &TcpStream) -> bool {
    let mut one: &TcpStream = peer;
    one.write(b"?").is_err()
}

#[test]
fn nothing_is_lost_and_nothing_happens_before_the_first_step() {
    let (ours, peer) = tcp_pair();
    payload::send(&ours, 50_000);
    payload::send(&peer, 30_000);
    let mut closing = begin(ours, &within(LONG));
    assert_eq!(closing.timeout(), Some(Duration::ZERO));
    assert!(closing.wants_read() && closing.report().is_none());
    let reading = std::thread::spawn(move || {
        let received = payload::receive(&peer, 5000, ms(1)).unwrap();
        finish(&peer);
        received
    });
    assert_eq!(drive(&mut closing).0, Outcome::Graceful);
    assert_eq!(reading.join().unwrap(), 50_000);
    let report = closing.report().expect("it is over");
    assert!(report.closed && report.peer_closed);
    assert_eq!(report.drained_bytes, 30_000);
}

#[test]
fn after_the_end_nothing_changes() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(LONG));
    drop(peer);
    assert_eq!(drive(&mut closing).0, Outcome::Graceful);
    assert!(closing.socket().is_none());
    let report = format!("{:?}", closing.report());
    for _ in 0..3 {
        std::thread::sleep(ms(2));
        assert_eq!(step(&mut closing), Some(Outcome::Graceful));
        assert_eq!((closing.timeout(), closing.wants_read()), (None, false));
    }
    assert_eq!(format!("{:?}", closing.report()), report);
    assert!(closing.into_socket().is_none());
}

#[test]
fn steps_for_nothing_change_nothing() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(LONG));
    for _ in 0..1000 {
        assert_eq!(step(&mut closing), None);
        assert!(closing.wants_read());
    }
    payload::send(&peer, 1000);
    finish(&peer);
    assert_eq!(drive(&mut closing).0, Outcome::Graceful);
    assert_eq!(closing.report().unwrap().drained_bytes, 1000);
}

/// The end came, and only the time-out makes a step.
#[test]
fn a_missed_event_costs_time_only() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(ms(100)));
    assert_eq!(step(&mut closing), None);
    drop(peer);
    std::thread::sleep(ms(300));
    assert_eq!(step(&mut closing), Some(Outcome::Graceful));
}

#[test]
fn the_time_is_over_between_two_steps() {
    let (ours, _peer) = tcp_pair();
    let mut closing = begin(ours, &within(ms(30)));
    assert_eq!(step(&mut closing), None);
    std::thread::sleep(ms(60));
    assert_eq!(closing.timeout(), Some(Duration::ZERO));
    assert_eq!(step(&mut closing), Some(Outcome::TimedOut));
    assert!(closing.report().unwrap().elapsed >= ms(60));
}

#[test]
fn never_early() {
    for often in [false, true] {
        let (ours, _peer) = tcp_pair();
        let started = Instant::now();
        let mut closing = begin(ours, &within(ms(120)));
        while step(&mut closing).is_none() {
            let timeout = closing.timeout().expect("it has a deadline");
            assert!(timeout <= ms(120));
            std::thread::sleep(if often { ms(1) } else { timeout });
        }
        assert_took(started.elapsed(), ms(120));
        assert_eq!(closing.report().unwrap().outcome, Outcome::TimedOut);
    }
}

#[test]
fn without_a_time_out_only_events_count() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(Duration::MAX));
    assert_eq!(step(&mut closing), None);
    assert_eq!(closing.timeout(), None);
    drop(peer);
    assert_eq!(drive(&mut closing).0, Outcome::Graceful);
}

/// A step takes a bounded portion, and the loop comes back for more.
#[test]
fn a_flood_is_taken_in_portions() {
    let (ours, peer) = tcp_pair();
    let flood = std::thread::spawn(move || {
        let block = vec![0; 256 << 10];
        while (&peer).write(&block).is_ok_and(|count| count > 0) {}
    });
    let options = within(ms(300)).fallback(Fallback::Abort);
    let started = Instant::now();
    let mut closing = begin(ours, &options);
    assert_eq!(drive(&mut closing).0, Outcome::TimedOut);
    assert_took(started.elapsed(), ms(300));
    drop(closing);
    flood.join().unwrap();
}

/// The peer's FIN is there, and its socket readable all the time.
#[test]
#[cfg(target_os = "linux")]
fn waiting_for_the_last_acknowledgement_does_not_spin() {
    let (ours, peer) = support::narrow_pair();
    finish(&peer);
    payload::send(&ours, 100_000);
    let reading = std::thread::spawn(move || {
        std::thread::sleep(ms(500));
        payload::receive(&peer, 64 << 10, Duration::ZERO).unwrap()
    });
    let mut closing = begin(ours, &within(LONG));
    let started = Instant::now();
    assert_eq!(step(&mut closing), None);
    assert!(!closing.wants_read());
    assert!(closing.timeout().is_some_and(|timeout| timeout <= ms(2)));
    let (outcome, steps) = drive(&mut closing);
    assert_eq!(outcome, Outcome::Graceful);
    assert!(started.elapsed() >= ms(300));
    let most = 10 + started.elapsed().as_millis() / 40;
    assert!((steps as u128) < most, "{steps} steps");
    assert_eq!(closing.report().unwrap().unacked_bytes, Some(0));
    assert_eq!(reading.join().unwrap(), 100_000);
}

#[test]
fn dropped_pending_it_closes() {
    for stepped in [false, true] {
        let (ours, peer) = tcp_pair();
        payload::send(&ours, 5000);
        let mut closing = begin(ours, &within(LONG));
        if stepped {
            assert_eq!(step(&mut closing), None);
        }
        let started = Instant::now();
        drop(closing);
        assert_prompt(started.elapsed());
        assert_eq!(payload::receive(&peer, 5000, ms(0)).unwrap(), 5000);
    }
}

#[test]
fn dropped_pending_it_resets_if_told_so() {
    for stepped in [false, true] {
        let (ours, peer) = tcp_pair();
        let mut closing = begin(ours, &within(LONG).fallback(Fallback::Abort));
        if stepped {
            assert_eq!(step(&mut closing), None);
        }
        drop(closing);
        eventually("the peer cannot send", || is_reset(&peer));
    }
}

/// There is nobody left to hand it to: the owner's ordinary close.
#[test]
fn dropped_pending_it_cannot_be_kept() {
    let (ours, peer) = tcp_pair();
    drop(begin(ours, &within(LONG).fallback(Fallback::Keep)));
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    eventually("nobody receives any more", || is_reset(&peer));
}

#[test]
fn a_pending_one_can_be_taken_back() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(LONG).fallback(Fallback::Keep));
    assert_eq!(step(&mut closing), None);
    let ours = TcpStream::from(closing.into_socket().expect("it was to be kept"));
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0, "half-closed");
    (&peer).write_all(b"late").unwrap();
    await_news(&ours);
    assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 4);
}

#[test]
fn after_the_time_it_can_be_taken_back() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(ms(20)).fallback(Fallback::Keep));
    assert_eq!(drive(&mut closing).0, Outcome::TimedOut);
    assert!(!closing.report().unwrap().closed && closing.socket().is_some());
    let ours = closing.into_socket().expect("it was to be kept");
    finish(&peer);
    let mut again = Closing::new(ours, &within(LONG)).unwrap();
    assert_eq!(drive(&mut again).0, Outcome::Graceful);
}

#[test]
fn a_pending_one_that_is_to_be_closed_is_not_given_back() {
    let (ours, peer) = tcp_pair();
    let mut closing = begin(ours, &within(LONG));
    assert_eq!(step(&mut closing), None);
    assert!(closing.into_socket().is_none());
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn the_dead_are_closed() {
    for stepped in [false, true] {
        let (ours, peer) = tcp_pair();
        let mut closing = begin(ours, &within(LONG).fallback(Fallback::Keep));
        if stepped {
            assert_eq!(step(&mut closing), None);
        }
        reset(peer);
        assert_eq!(drive(&mut closing).0, Outcome::Reset);
        assert!(closing.report().unwrap().closed && closing.into_socket().is_none());
    }
}

#[test]
fn what_was_never_connected_ends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut closing = Closing::new(listener, &within(LONG)).unwrap();
    assert_eq!(step(&mut closing), Some(Outcome::NotConnected));
    assert!(closing.report().unwrap().closed);
}

#[test]
#[cfg(unix)]
fn what_is_no_socket_comes_back() {
    use std::os::fd::{AsRawFd, OwnedFd};
    let file = std::fs::File::open("/dev/null").unwrap();
    let fd = file.as_raw_fd();
    let refused = match Closing::new(OwnedFd::from(file), &within(LONG)) {
        Ok(_) => panic!("taken for a socket"),
        Err(refused) => refused,
    };
    assert_eq!(refused.system_error().raw_os_error(), Some(libc::ENOTSOCK));
    assert_eq!(refused.into_socket().as_raw_fd(), fd);
}
