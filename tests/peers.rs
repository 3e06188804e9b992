//! Peers of every kind: what a close says of them, and how long it takes.

mod support;

use graceful_close::{close_reading, close_with, Fallback, Options, Outcome, Report};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};
use support::{
    assert_prompt, assert_took, await_news, fill, finish, ms, narrow_pair, payload, reset,
    tcp_pair, wine, LONG,
};

/// Closes while the peer does its part on a thread.
fn close_against<P: Send>(
    ours: TcpStream,
    options: &Options,
    peer: impl FnOnce() -> P + Send,
) -> (Report, Duration, P) {
    thread::scope(|scope| {
        // Before the peer's clock: what it waits is a part of what the close takes.
        let started = Instant::now();
        let peer = scope.spawn(peer);
        let closed = close_with(ours, options).expect("a socket");
        let elapsed = started.elapsed();
        assert!(closed.report.elapsed <= elapsed);
        (closed.report, elapsed, peer.join().unwrap())
    })
}

/// What the system can tell of our bytes that were not acknowledged.
fn known(bytes: usize) -> Option<usize> {
    let is_proved = bytes == 0 && support::wine::tells_state();
    (cfg!(target_os = "linux") || is_proved).then_some(bytes)
}

#[test]
fn a_silent_peer_costs_the_timeout() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(ms(80));
    let (report, elapsed, ()) = close_against(ours, &options, || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_took(elapsed, ms(80));
    assert!(report.elapsed >= ms(80));
    assert_eq!((report.drained_bytes, report.peer_closed), (0, false));
    // Our FIN has been acknowledged by its kernel meanwhile.
    assert_eq!(report.unacked_bytes, known(0));
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_silent_peer_costs_the_idle_time_if_that_is_shorter() {
    let (ours, _peer) = tcp_pair();
    let options = Options::new().timeout(LONG).idle_timeout(ms(60));
    let (report, elapsed, ()) = close_against(ours, &options, || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_took(elapsed, ms(60));
}

#[test]
fn what_a_deaf_peer_did_not_take_is_counted() {
    let (ours, peer) = narrow_pair();
    let sent = fill(&ours);
    let options = Options::new().timeout(ms(300));
    let (report, elapsed, ()) = close_against(ours, &options, || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_took(elapsed, ms(300));
    #[cfg(target_os = "linux")]
    {
        let taken = support::linux::unread(&peer);
        assert!(taken < sent);
        assert_eq!(report.unacked_bytes, Some(sent - taken));
    }
    // The kernel goes on after an ordinary close: nothing is lost.
    let mut rest = Vec::new();
    assert_eq!((&peer).read_to_end(&mut rest).unwrap(), sent);
}

fn drip(mut peer: &TcpStream, count: usize, pause: Duration) {
    for _ in 0..count {
        peer.write_all(b".").unwrap();
        thread::sleep(pause);
    }
}

#[test]
fn a_dripping_peer_keeps_it_alive_until_it_finishes() {
    let (ours, peer) = tcp_pair();
    // In all it takes longer than the idle time, each drop far less.
    let options = Options::new().timeout(LONG).idle_timeout(ms(500));
    let (report, elapsed, ()) = close_against(ours, &options, || {
        drip(&peer, 80, ms(10));
        finish(&peer);
    });
    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
    assert_took(elapsed, ms(800));
    assert_eq!((report.drained_bytes, report.peer_closed), (80, true));
    assert_eq!(report.unacked_bytes, known(0));
}

#[test]
fn a_dripping_peer_cannot_stretch_the_deadline() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(ms(150)).idle_timeout(ms(100));
    let dripping = thread::spawn(move || {
        while (&peer).write_all(b".").is_ok() {
            thread::sleep(ms(3));
        }
    });
    let (report, elapsed, ()) = close_against(ours, &options, || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_took(elapsed, ms(150));
    assert!((1..=60).contains(&report.drained_bytes), "{report:?}");
    dripping.join().unwrap();
}

/// Sends until it is told to stop by an error.
fn flood(mut peer: TcpStream) -> thread::JoinHandle<()> {
    thread::spawn(move || while peer.write_all(&[b'f'; 64 << 10]).is_ok() {})
}

#[test]
fn a_flooding_peer_cannot_stretch_the_deadline() {
    for with_reader in [false, true] {
        let (ours, peer) = tcp_pair();
        let flooding = flood(peer);
        let options = Options::new().timeout(ms(150));
        let started = Instant::now();
        let closed = match with_reader {
            false => close_with(ours, &options),
            true => close_reading(ours, &options, |_| ControlFlow::Continue(())),
        };
        assert_took(started.elapsed(), ms(150));
        let report = closed.unwrap().report;
        assert_eq!(report.outcome, Outcome::TimedOut);
        assert!(report.drained_bytes > 64 << 10, "{report:?}");
        assert!(!report.peer_closed);
        flooding.join().unwrap();
    }
}

#[test]
fn a_flooding_peer_with_nothing_to_wait() {
    let (ours, peer) = tcp_pair();
    let flooding = flood(peer);
    await_news(&ours);
    let (report, elapsed, ()) = close_against(ours, &Options::new().timeout(Duration::ZERO), || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_prompt(elapsed);
    flooding.join().unwrap();
}

#[test]
fn more_than_the_limit_ends_it() {
    for limit in [1, 1000, 300_000] {
        let (ours, peer) = tcp_pair();
        let flooding = flood(peer);
        let options = Options::new().timeout(LONG).max_drain_bytes(limit);
        let (report, elapsed, ()) = close_against(ours, &options, || ());
        assert_eq!(report.outcome, Outcome::DrainLimit);
        assert_prompt(elapsed);
        // One byte more shows that there was more.
        assert_eq!(report.drained_bytes, limit + 1);
        flooding.join().unwrap();
    }
}

#[test]
fn exactly_the_limit_is_within_it() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG).max_drain_bytes(70_000);
    let (report, _, ()) = close_against(ours, &options, || {
        payload::send(&peer, 70_000);
        finish(&peer);
    });
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_eq!(report.drained_bytes, 70_000);
}

#[test]
fn a_reset_in_the_middle() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG);
    let (report, elapsed, ()) = close_against(ours, &options, || {
        payload::send(&peer, 1000);
        thread::sleep(ms(60));
        reset(peer);
    });
    assert_eq!(report.outcome, Outcome::Reset);
    assert_took(elapsed, ms(60));
    assert_eq!((report.drained_bytes, report.peer_closed), (1000, false));
    assert_ne!(report.system_error, 0);
    assert_eq!(report.unacked_bytes, cfg!(target_os = "linux").then_some(0));
}

#[test]
fn a_reset_before_everything_was_taken() {
    let (ours, peer) = narrow_pair();
    let sent = fill(&ours);
    #[cfg(target_os = "linux")]
    let taken = support::linux::unread(&peer);
    let options = Options::new().timeout(LONG);
    let (report, _, ()) = close_against(ours, &options, || {
        thread::sleep(ms(60));
        reset(peer);
    });
    assert_eq!(report.outcome, Outcome::Reset);
    #[cfg(target_os = "linux")]
    assert_eq!(report.unacked_bytes, Some(sent - taken));
    let _ = sent;
}

/// What comes of a peer's own bare close with our answer unread.
#[test]
fn a_peer_that_walks_away() {
    let (ours, peer) = tcp_pair();
    (&ours).write_all(b"the answer").unwrap();
    await_news(&peer);
    let options = Options::new().timeout(LONG);
    let (report, _, ()) = close_against(ours, &options, || drop(peer));
    assert_eq!(report.outcome, Outcome::Reset);
}

#[test]
fn a_peer_that_half_closes_first_and_then_reads_on() {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    payload::send(&ours, 100_000);
    let options = Options::new().timeout(LONG);
    let (report, _, received) = close_against(ours, &options, || {
        payload::receive(&peer, 9000, ms(5)).unwrap()
    });
    assert_eq!(received, 100_000);
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_eq!((report.drained_bytes, report.peer_closed), (0, true));
    assert_eq!(report.unacked_bytes, cfg!(target_os = "linux").then_some(0));
}

#[test]
fn bytes_in_flight_before_the_fin_are_all_drained() {
    for size in [1, 1000, (1 << 20) + 3, 5_000_000] {
        let (ours, peer) = tcp_pair();
        let options = Options::new().timeout(LONG);
        let (report, _, ()) = close_against(ours, &options, || {
            payload::send(&peer, size);
            finish(&peer);
        });
        assert_eq!(report.outcome, Outcome::Graceful, "{size}: {report:?}");
        assert_eq!(report.drained_bytes, size);
    }
}

#[test]
fn a_peer_that_answers_our_fin_late() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG);
    let (report, elapsed, ()) = close_against(ours, &options, || {
        assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
        thread::sleep(ms(80));
        payload::send(&peer, 10);
        drop(peer);
    });
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_took(elapsed, ms(80));
    assert_eq!((report.drained_bytes, report.peer_closed), (10, true));
}

/// recv passes urgent data by; they must neither stop nor spin the wait.
#[test]
fn a_peer_that_sends_urgent_data() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG);
    let (report, elapsed, ()) = close_against(ours, &options, || {
        socket2::SockRef::from(&peer)
            .send_out_of_band(b"!")
            .unwrap();
        thread::sleep(ms(60));
        payload::send(&peer, 10);
        socket2::SockRef::from(&peer)
            .send_out_of_band(b"!")
            .unwrap();
        finish(&peer);
    });
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_took(elapsed, ms(60));
    assert!((10..=12).contains(&report.drained_bytes), "{report:?}");
}

#[test]
fn the_peer_may_close_first() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG).peer_first(ms(10_000));
    let (report, elapsed, ()) = close_against(ours, &options, || {
        thread::sleep(ms(60));
        payload::send(&peer, 10);
        finish(&peer);
        assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    });
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_took(elapsed, ms(60));
    assert_eq!(report.drained_bytes, 10);
}

#[test]
fn a_peer_that_does_not_close_first_gets_our_fin_in_time() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG).peer_first(ms(70));
    let started = Instant::now();
    let (report, elapsed, end) = close_against(ours, &options, || {
        assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
        let end = started.elapsed();
        drop(peer);
        end
    });
    assert_took(end, ms(70));
    assert_took(elapsed, ms(70));
    assert_eq!(report.outcome, Outcome::Graceful);
}

#[test]
fn the_deadline_holds_while_the_peer_may_close_first() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(ms(70)).peer_first(LONG);
    let (report, elapsed, ()) = close_against(ours, &options, || ());
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert_took(elapsed, ms(70));
    // Our FIN leaves all the same.
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_reader_gets_everything_in_order() {
    let (ours, peer) = tcp_pair();
    let sending = thread::spawn(move || {
        payload::send(&peer, 300_000);
        finish(&peer);
    });
    let mut got = 0;
    let closed = close_reading(ours, &Options::new().timeout(LONG), |data| {
        assert!(!data.is_empty());
        payload::check(data, got);
        got += data.len();
        ControlFlow::Continue(())
    });
    let report = closed.unwrap().report;
    assert_eq!(
        (report.outcome, report.drained_bytes),
        (Outcome::Graceful, 300_000)
    );
    assert_eq!(got, 300_000);
    sending.join().unwrap();
}

#[test]
fn a_reader_may_break_off() {
    for fallback in [Fallback::Close, Fallback::Abort] {
        let (ours, peer) = tcp_pair();
        payload::send(&peer, 100);
        await_news(&ours);
        let options = Options::new().timeout(LONG).fallback(fallback);
        let closed = close_reading(ours, &options, |_| ControlFlow::Break(())).unwrap();
        assert_eq!(closed.report.outcome, Outcome::Stopped);
        assert_eq!(closed.report.drained_bytes, 100);
        assert!(closed.kept.is_none());
        // Our FIN had come before the reset, so that is what is read; Windows forgets it.
        let told = (&peer).read(&mut [0; 8]);
        let may_fail = cfg!(windows) && fallback == Fallback::Abort && !wine::hides_resets();
        assert!(
            matches!(told, Ok(0)) || may_fail && told.is_err(),
            "{told:?}"
        );
        if cfg!(target_os = "linux") {
            let was_reset = peer.take_error().unwrap().is_some();
            assert_eq!(was_reset, fallback == Fallback::Abort);
        }
    }
}
