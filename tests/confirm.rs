//! After the peer's FIN a close waits until everything of ours is acknowledged:
//! told by one event on Linux, not by looking again and again.

#![cfg(target_os = "linux")]

mod support;

use graceful_close::{close, Outcome, Report};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;
use support::linux::{set_tcp_option, tcp_state_of, Usage, CLOSING, LAST_ACK};
use support::network::in_own_network;
use support::{
    await_news, descriptors, eventually, fill, finish, ms, narrow_pair, tcp_pair, unix, LONG,
};

/// How a close went, seen from outside.
struct Seen {
    report: Report,
    usage: Usage,
    /// From the peer's last read to the return of the close, in microseconds;
    /// negative if it returned before.
    delay_us: i128,
}

/// Closes while the peer holds our data back for a while; `meanwhile` runs on
/// the peer's side once the close has begun.
fn close_with_data_in_flight(
    ours: TcpStream,
    peer: &TcpStream,
    sent: usize,
    meanwhile: impl FnOnce(i32) + Send,
) -> Seen {
    let number = descriptors::raw(&ours);
    let taken = unix::is_alone().then(unix::use_up_descriptors);
    thread::scope(|scope| {
        let closing = scope.spawn(|| {
            let before = Usage::now();
            let report = close(ours, LONG).expect("a socket");
            (report, Usage::now().since(before), Instant::now())
        });
        meanwhile(number);
        // Long enough for many looks, were it by looking.
        thread::sleep(ms(120));
        assert!(!closing.is_finished(), "it did not wait");
        let mut left = sent;
        let mut block = [0; 16 << 10];
        let mut peer = peer;
        while left > 0 {
            left -= peer.read(&mut block).expect("the data");
            thread::sleep(ms(1));
        }
        let read = Instant::now();
        let (report, usage, returned) = closing.join().unwrap();
        drop(taken);
        let delay_us = match returned.checked_duration_since(read) {
            Some(after) => after.as_micros() as i128,
            None => -(read.duration_since(returned).as_micros() as i128),
        };
        Seen {
            report,
            usage,
            delay_us,
        }
    })
}

/// The peer has finished first: LAST_ACK, then closed.
fn as_the_second() -> Seen {
    let (ours, peer) = narrow_pair();
    let sent = fill(&ours);
    finish(&peer);
    await_news(&ours);
    close_with_data_in_flight(ours, &peer, sent, |number| {
        eventually("LAST_ACK", || tcp_state_of(number) == LAST_ACK);
    })
}

/// Both finish at a time, our FIN stuck behind data: CLOSING, then TIME_WAIT.
fn simultaneously() -> Seen {
    let (ours, peer) = narrow_pair();
    let sent = fill(&ours);
    close_with_data_in_flight(ours, &peer, sent, |number| {
        thread::sleep(ms(20));
        finish(&peer);
        eventually("CLOSING", || tcp_state_of(number) == CLOSING);
    })
}

fn assert_confirmed(seen: &Seen) {
    let report = seen.report;
    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
    assert_eq!((report.unacked_bytes, report.peer_closed), (Some(0), true));
    assert!(report.elapsed >= ms(120), "{report:?}");
}

/// The best of some rounds: other programs may wake or stop a thread, too, but
/// no noise takes a wake-up away.
fn fewest_sleeps(round: fn() -> Seen) -> Seen {
    let rounds = (0..3).map(|_| {
        let seen = round();
        assert_confirmed(&seen);
        seen
    });
    rounds.min_by_key(|seen| seen.usage.sleeps).unwrap()
}

fn assert_driven_by_events(seen: &Seen, wake_ups: i64) {
    assert_eq!(seen.usage.sleeps, wake_ups, "{:?}", seen.usage);
    assert!(seen.usage.processor_us < 20_000, "{:?}", seen.usage);
    // The last of our data is acknowledged some reads before the peer is
    // through with it: its buffer holds that much.
    assert!(seen.delay_us < 1_000_000, "{} us late", seen.delay_us);
}

#[test]
fn one_event_tells_when_the_peer_had_finished_first() {
    assert_driven_by_events(&fewest_sleeps(as_the_second), 1);
}

/// One wake-up for the peer's FIN, one for the acknowledgement of ours.
#[test]
fn one_event_more_tells_of_a_simultaneous_close() {
    assert_driven_by_events(&fewest_sleeps(simultaneously), 2);
}

/// The line is cut with data under way, and the system gives up after a while.
#[test]
fn a_network_that_gives_up_is_told() {
    in_own_network("confirm, a line that is cut", |network| {
        if !network.is_own() {
            return;
        }
        for peer_finished in [false, true] {
            let (ours, peer) = tcp_pair();
            set_tcp_option(&ours, libc::TCP_USER_TIMEOUT, 300);
            if peer_finished {
                finish(&peer);
                await_news(&ours);
            }
            network.cut();
            (&ours).write_all(b"into the void").unwrap();
            let report = close(ours, LONG).unwrap();
            network.restore();
            assert_eq!(report.outcome, Outcome::Lost, "{report:?}");
            assert_eq!(report.unacked_bytes, Some(13));
            assert_eq!(report.peer_closed, peer_finished);
            assert_ne!(report.system_error, 0);
            assert!(report.elapsed < LONG / 2, "{report:?}");
        }
    });
}

#[test]
fn without_a_descriptor_for_the_events_it_looks_again() {
    if !unix::is_alone() {
        return unix::run_alone("without_a_descriptor_for_the_events_it_looks_again");
    }
    for round in [as_the_second, simultaneously] {
        let seen = round();
        assert_confirmed(&seen);
        assert!(seen.delay_us < 1_000_000, "{} us late", seen.delay_us);
        // At growing intervals: far fewer looks than one a millisecond.
        assert!((4..60).contains(&seen.usage.sleeps), "{:?}", seen.usage);
    }
}
