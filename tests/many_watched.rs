//! `close_many` between two sweeps: what ends then is found by an event and not by the next sweep,
//! and waiting for that takes no processor time.

#![cfg(target_os = "linux")]

mod support;

use graceful_close::{close_many, Options, Outcome, OwnedSocket, Report};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;
use support::linux::Usage;
use support::{
    accept_from, await_news, fill, finish, ms, narrow_pair, payload, tcp_pair, unix, LONG,
};

/// Where nothing is read the sweeps come after 20, 100 and 420 ms at the earliest. What happens
/// now is found before the last of these only if something tells of it.
const BETWEEN_SWEEPS: Duration = ms(170);
const BEFORE_THE_NEXT: Duration = ms(330);

/// How it went, seen from outside.
struct Seen {
    reports: Vec<Report>,
    usage: Usage,
}

/// Closes all of these. What the peers do meanwhile is done on another thread.
fn close_while(
    ours: Vec<impl Into<OwnedSocket>>,
    options: &Options,
    meanwhile: impl FnOnce() + Send,
) -> Seen {
    thread::scope(|scope| {
        scope.spawn(meanwhile);
        let before = Usage::now();
        let results = close_many(ours, options).unwrap();
        let usage = Usage::now().since(before);
        let reports = results.into_iter().map(|it| it.unwrap().report);
        Seen {
            reports: reports.collect(),
            usage,
        }
    })
}

/// The best of some rounds: other programs may stop a thread, but no noise wakes it when it is time.
fn best<T: Ord>(round: impl Fn() -> T) -> T {
    (0..3).map(|_| round()).min().unwrap()
}

/// All that we have sent waits for the peer to read, which has finished: our FIN, too.
fn slow_reader() -> (TcpStream, TcpStream) {
    let (ours, peer) = narrow_pair();
    fill(&ours);
    finish(&peer);
    await_news(&ours);
    (ours, peer)
}

fn read_all(mut peer: &TcpStream) {
    std::io::copy(&mut peer, &mut std::io::sink()).expect("a clean end");
}

fn assert_graceful(report: &Report, at_least: Duration) {
    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
    assert!(report.elapsed >= at_least, "{report:?}");
}

/// The last acknowledgement of the only one that is left is told by an event: nobody looks for it.
#[test]
fn the_only_one_is_woken_by_the_last_acknowledgement() {
    let round = || {
        let (ours, peer) = slow_reader();
        let seen = close_while(vec![ours], &Options::new().timeout(LONG), || {
            thread::sleep(BETWEEN_SWEEPS);
            read_all(&peer);
        });
        assert_graceful(&seen.reports[0], BETWEEN_SWEEPS);
        (seen.usage.sleeps, seen.reports[0].elapsed)
    };
    let (sleeps, elapsed) = best(round);
    // Two sweeps, and the event.
    assert!(sleeps <= 4, "{sleeps}");
    assert!(elapsed < BEFORE_THE_NEXT, "{elapsed:?}");
}

/// One that is looked at now and then holds up nobody behind it, and does not spin.
#[test]
fn a_slow_reader_in_front_and_one_that_ends_between_two_sweeps() {
    let round = || {
        let ((slow, slow_peer), (ours, peer)) = (slow_reader(), tcp_pair());
        let seen = close_while(vec![slow, ours], &Options::new().timeout(LONG), move || {
            thread::sleep(BETWEEN_SWEEPS);
            drop(peer);
            thread::sleep(ms(330));
            read_all(&slow_peer);
        });
        assert_graceful(&seen.reports[0], ms(500));
        assert_graceful(&seen.reports[1], BETWEEN_SWEEPS);
        (seen.reports[1].elapsed, seen.usage)
    };
    let rounds: Vec<_> = (0..3).map(|_| round()).collect();
    let elapsed = rounds.iter().map(|it| it.0).min().unwrap();
    assert!(elapsed < BEFORE_THE_NEXT, "{elapsed:?}");
    let sleeps = rounds.iter().map(|it| it.1.sleeps).min().unwrap();
    assert!(sleeps < 40, "{sleeps}");
    let used = rounds.iter().map(|it| it.1.processor_us).min().unwrap();
    assert!(used < 30_000, "{used} us");
}

/// More than can be watched: but the first of them always is, and so is its successor when it has
/// ended.
#[test]
fn the_first_of_more_than_can_be_watched_is_not_left_to_the_sweeps() {
    let round = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pairs = (0..200).map(|_| accept_from(&listener));
        let (ours, mut peers): (Vec<_>, Vec<_>) = pairs.unzip();
        let seen = close_while(ours, &Options::new().timeout(ms(600)), || {
            thread::sleep(BETWEEN_SWEEPS);
            peers.remove(0);
            thread::sleep(ms(30));
            peers.remove(0);
        });
        assert_graceful(&seen.reports[0], BETWEEN_SWEEPS);
        assert_graceful(&seen.reports[1], BETWEEN_SWEEPS);
        assert_eq!(seen.reports[2].outcome, Outcome::TimedOut);
        seen.reports[1].elapsed.max(seen.reports[0].elapsed)
    };
    let elapsed = best(round);
    assert!(elapsed < BEFORE_THE_NEXT, "{elapsed:?}");
}

/// The pause is for events that nobody can make anything of: what sends is read without one.
#[test]
fn no_pause_follows_what_has_been_read() {
    const SIZE: usize = 8 << 20;
    let round = || {
        let (ours, peer) = UnixStream::pair().unwrap();
        let (silent, silent_peer) = UnixStream::pair().unwrap();
        socket2::SockRef::from(&peer)
            .set_send_buffer_size(4 << 10)
            .unwrap();
        let seen = close_while(
            vec![silent, ours],
            &Options::new().timeout(LONG),
            move || {
                let mut left = SIZE;
                while left > 0 {
                    left -= (&peer).write(payload::at(0, 1024.min(left))).unwrap();
                }
                drop((peer, silent_peer));
            },
        );
        assert_graceful(&seen.reports[1], Duration::ZERO);
        assert_eq!(seen.reports[1].drained_bytes, SIZE);
        seen.reports[1].elapsed
    };
    let elapsed = best(round);
    assert!(elapsed < ms(500), "{elapsed:?}");
}

/// poll() is given more than the process may have open, and refuses.
#[test]
fn a_poll_that_is_refused_does_not_spin() {
    if !unix::is_alone() {
        return unix::run_alone("a_poll_that_is_refused_does_not_spin");
    }
    let (ours, _peers): (Vec<_>, Vec<_>) = (0..3).map(|_| tcp_pair()).unzip();
    allow_descriptors(1);
    let seen = close_while(ours, &Options::new().timeout(ms(300)), || {});
    allow_descriptors(64);
    for report in &seen.reports {
        assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
    }
    assert!(seen.usage.processor_us < 100_000, "{:?}", seen.usage);
    assert!(seen.usage.sleeps < 400, "{:?}", seen.usage);
}

fn allow_descriptors(count: libc::rlim_t) {
    // SAFETY: valid limits; the soft one within the hard one.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = count;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}
