//! Never early, whatever interrupts the wait; and no end where none was asked.

mod support;

use graceful_close::{close, close_with, Options, Outcome};
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};
use support::{assert_took, c, descriptors, finish, ms, tcp_pair, LONG};

#[test]
fn never_before_the_timeout() {
    for count in 0..=40 {
        let (ours, _peer) = tcp_pair();
        let started = Instant::now();
        let report = close(ours, ms(count)).unwrap();
        assert_took(started.elapsed(), ms(count));
        assert!(report.elapsed >= ms(count), "{report:?}");
        assert_eq!(report.outcome, Outcome::TimedOut);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn waiting_takes_next_to_no_processor_time() {
    let (ours, _peer) = tcp_pair();
    let before = support::linux::Usage::now();
    close(ours, ms(300)).unwrap();
    let used = support::linux::Usage::now().since(before).processor_us;
    assert!(used < 30_000, "{used} us");
}

/// The half-close is the last movement, and comes after the call.
#[test]
fn never_before_the_idle_time() {
    for count in 1..=30 {
        let (ours, _peer) = tcp_pair();
        let options = Options::new().timeout(LONG).idle_timeout(ms(count));
        let started = Instant::now();
        let report = close_with(ours, &options).unwrap().report;
        assert_took(started.elapsed(), ms(count));
        assert_eq!(report.outcome, Outcome::TimedOut);
    }
}

#[test]
fn the_idle_time_runs_from_the_last_byte() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(LONG).idle_timeout(ms(300));
    let sent = thread::spawn(move || {
        thread::sleep(ms(100));
        let before = Instant::now();
        support::payload::send(&peer, 1);
        (before, peer)
    });
    let report = close_with(ours, &options).unwrap().report;
    let returned = Instant::now();
    let (before, _peer) = sent.join().unwrap();
    assert_eq!(
        (report.outcome, report.drained_bytes),
        (Outcome::TimedOut, 1)
    );
    assert_took(returned - before, ms(300));
}

#[test]
fn our_fin_never_before_the_peer_had_its_time() {
    for count in 1..=20 {
        let (ours, peer) = tcp_pair();
        let options = Options::new().timeout(LONG).peer_first(ms(count));
        let started = Instant::now();
        let end = thread::spawn(move || {
            assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
            started.elapsed()
        });
        let report = close_with(ours, &options).unwrap().report;
        assert_took(end.join().unwrap(), ms(count));
        assert_eq!(report.outcome, Outcome::Graceful);
    }
}

/// A part of a millisecond counts as a whole one.
#[test]
fn durations_are_rounded_up() {
    let (ours, _peer) = tcp_pair();
    let started = Instant::now();
    close(ours, Duration::from_micros(2001)).unwrap();
    assert_took(started.elapsed(), ms(3));
}

#[test]
fn without_a_bound_it_waits_for_the_peer() {
    for rust in [true, false] {
        let (ours, peer) = tcp_pair();
        let ending = thread::spawn(move || {
            thread::sleep(ms(150));
            finish(&peer);
            peer
        });
        let started = Instant::now();
        match rust {
            true => {
                let report = close(ours, Duration::MAX).unwrap();
                assert_eq!(report.outcome, Outcome::Graceful);
            }
            false => {
                let raw = descriptors::into_raw(ours);
                assert_eq!(c::close(raw, c::INFINITE), c::GRACEFUL);
            }
        }
        assert_took(started.elapsed(), ms(140));
        drop(ending.join().unwrap());
    }
}

#[test]
fn a_bound_of_forty_days_is_none_in_practice() {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    let report = close(ours, Duration::from_secs(40 * 24 * 3600)).unwrap();
    assert_eq!(report.outcome, Outcome::Graceful);
}

#[cfg(unix)]
mod signals {
    use super::*;
    use support::unix::under_signals;

    const OFTEN: Duration = ms(3);

    #[test]
    fn do_not_shorten_the_wait_for_data() {
        let (ours, _peer) = tcp_pair();
        let started = Instant::now();
        let (report, signals) = under_signals(OFTEN, || close(ours, ms(250)).unwrap());
        assert_took(started.elapsed(), ms(250));
        assert_eq!(
            (report.outcome, report.system_error),
            (Outcome::TimedOut, 0)
        );
        assert!(signals > 10, "{signals}");
    }

    #[test]
    fn do_not_shorten_the_idle_time() {
        let (ours, _peer) = tcp_pair();
        let options = Options::new().timeout(LONG).idle_timeout(ms(150));
        let started = Instant::now();
        let (closed, _) = under_signals(OFTEN, || close_with(ours, &options).unwrap());
        assert_took(started.elapsed(), ms(150));
        assert_eq!(closed.report.outcome, Outcome::TimedOut);
        assert_eq!(closed.report.system_error, 0);
    }

    #[test]
    fn do_not_shorten_the_wait_for_an_acknowledgement() {
        let (ours, peer) = support::narrow_pair();
        support::fill(&ours);
        finish(&peer);
        support::await_news(&ours);
        let started = Instant::now();
        let (report, _) = under_signals(OFTEN, || close(ours, ms(150)).unwrap());
        assert_took(started.elapsed(), ms(150));
        assert_eq!(
            (report.outcome, report.system_error),
            (Outcome::TimedOut, 0)
        );
        assert!(report.peer_closed);
    }

    #[test]
    fn do_not_end_what_goes_well() {
        let (ours, peer) = tcp_pair();
        let sending = thread::spawn(move || {
            for _ in 0..30 {
                support::payload::send(&peer, 1);
                thread::sleep(ms(5));
            }
        });
        let (report, _) = under_signals(OFTEN, || close(ours, LONG).unwrap());
        sending.join().unwrap();
        assert_eq!(
            (report.outcome, report.drained_bytes),
            (Outcome::Graceful, 30)
        );
        assert_eq!(report.system_error, 0);
    }

    /// A long way from the call to the deadline, all of it in pieces.
    #[test]
    fn do_not_add_up_to_a_late_end() {
        let (ours, _peer) = tcp_pair();
        let started = Instant::now();
        under_signals(Duration::from_micros(300), || close(ours, ms(200)).unwrap());
        assert_took(started.elapsed(), ms(200));
    }
}
