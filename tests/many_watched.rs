//! `close_many` between two sweeps: what ends then is found by an event and not by the next sweep,
//! and waiting for that takes no processor time.

#![cfg(target_os = "linux")]

mod support;

use graceful_close::{clear_log, close_many, set_log, Options, Outcome, OwnedSocket, Report};
use socket2::{Domain, Socket, Type};
use std::fmt::Debug;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use support::linux::{unread_by_peer, Usage};
use support::{
    accept_from, await_news, descriptors, fill, finish, ms, narrow_pair, payload, reset, tcp_pair,
    unix, LONG,
};

/// Where nothing is read the sweeps come after 20, 100 and 420 ms at the earliest. What happens
/// now is found before the last of these only if something tells of it.
const BETWEEN_SWEEPS: Duration = ms(170);
const BY_AN_EVENT: Duration = ms(100);

/// How it went, seen from outside.
struct Seen {
    began: Instant,
    reports: Vec<Report>,
    usage: Usage,
    /// When a peer did what ends one of them.
    acted: Instant,
}

impl Seen {
    /// From what the peer did to the end of that one.
    fn delay(&self, at: usize) -> Duration {
        (self.began + self.reports[at].elapsed).saturating_duration_since(self.acted)
    }
}

/// Closes all of these. What the peers do meanwhile is done on another thread, and it says when.
fn close_while(
    ours: Vec<impl Into<OwnedSocket>>,
    options: &Options,
    meanwhile: impl FnOnce() -> Instant + Send,
) -> Seen {
    thread::scope(|scope| {
        let acting = scope.spawn(meanwhile);
        let (before, began) = (Usage::now(), Instant::now());
        let results = close_many(ours, options).unwrap();
        let usage = Usage::now().since(before);
        let reports = results.into_iter().map(|it| it.unwrap().report);
        Seen {
            began,
            reports: reports.collect(),
            usage,
            acted: acting.join().unwrap(),
        }
    })
}

/// One of some rounds goes as it should: other programs may stop a thread, but no noise wakes it
/// when it is time.
#[track_caller]
fn assert_once<T: Debug>(round: impl Fn() -> T, is_good: impl Fn(&T) -> bool) {
    let mut rounds = Vec::new();
    while !rounds.last().is_some_and(&is_good) {
        assert!(rounds.len() < 5, "{rounds:?}");
        rounds.push(round());
    }
}

/// On a busy machine, too, what spins uses more for each time that it sleeps.
fn spins(usage: &Usage) -> bool {
    usage.processor_us > 300 * usage.sleeps
}

/// All that we have sent waits for the peer to read, which has finished: our FIN, too.
fn slow_reader() -> (TcpStream, TcpStream) {
    let (ours, peer) = narrow_pair();
    fill(&ours);
    finish(&peer);
    await_news(&ours);
    (ours, peer)
}

fn read_all(mut peer: &TcpStream) -> Instant {
    std::io::copy(&mut peer, &mut std::io::sink()).expect("a clean end");
    Instant::now()
}

fn assert_graceful(report: &Report) {
    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
}

/// The last acknowledgement of the only one that is left is told by an event: nobody looks for it.
#[test]
fn the_only_one_is_woken_by_the_last_acknowledgement() {
    let round = || {
        let (ours, peer) = slow_reader();
        let seen = close_while(vec![ours], &Options::new().timeout(LONG), || {
            // The sweeps come after 20, 100, 420, 740 and 1060 ms.
            thread::sleep(ms(900));
            read_all(&peer)
        });
        assert_graceful(&seen.reports[0]);
        (seen.delay(0), seen.usage.sleeps)
    };
    // Those sweeps and the event; looking for it takes 20.
    assert_once(round, |&(delay, sleeps)| delay < BY_AN_EVENT && sleeps <= 8);
}

/// One that is looked at now and then holds up nobody behind it, and does not spin.
#[test]
fn a_slow_reader_in_front_and_one_that_ends_between_two_sweeps() {
    let round = || {
        let ((slow, slow_peer), (ours, peer)) = (slow_reader(), tcp_pair());
        let seen = close_while(vec![slow, ours], &Options::new().timeout(LONG), move || {
            thread::sleep(BETWEEN_SWEEPS);
            let acted = Instant::now();
            drop(peer);
            thread::sleep(ms(330));
            read_all(&slow_peer);
            acted
        });
        assert_graceful(&seen.reports[0]);
        assert_graceful(&seen.reports[1]);
        (seen.delay(1), seen.usage)
    };
    assert_once(round, |(delay, usage)| {
        *delay < BY_AN_EVENT && usage.sleeps < 40 && !spins(usage)
    });
}

/// poll() does not tell of an acknowledgement: those that wait for nothing else are looked at all
/// the same.
#[test]
fn what_is_delivered_between_two_sweeps_is_found_before_the_next() {
    let round = || {
        let (ours, peers): (Vec<_>, Vec<_>) = (0..2).map(|_| narrow_pair()).unzip();
        for full in &ours {
            fill(full);
        }
        let options = Options::new().timeout(LONG).until_acked();
        let seen = close_while(ours, &options, || {
            thread::sleep(BETWEEN_SWEEPS);
            read_all(&peers[0]);
            read_all(&peers[1])
        });
        for report in &seen.reports {
            assert_eq!(report.outcome, Outcome::Delivered, "{report:?}");
        }
        seen.delay(0).max(seen.delay(1))
    };
    assert_once(round, |&delay| delay < BY_AN_EVENT);
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
            thread::sleep(ms(20));
            peers.remove(0);
            Instant::now()
        });
        assert_graceful(&seen.reports[0]);
        assert_graceful(&seen.reports[1]);
        assert_eq!(seen.reports[2].outcome, Outcome::TimedOut);
        seen.delay(1)
    };
    assert_once(round, |&delay| delay < BY_AN_EVENT);
}

/// Those that are not watched: where none of them has sent anything they are looked at after 20, 80
/// and then 320 ms, afterwards after 80.
#[test]
fn silent_ones_are_swept_more_and_more_rarely() {
    for (has_data, most) in [(false, 12), (true, 25)] {
        let round = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let pairs = (0..100).map(|_| accept_from(&listener));
            let (ours, peers): (Vec<_>, Vec<_>) = pairs.unzip();
            if has_data {
                payload::send(&peers[99], 1);
            }
            let seen = close_while(ours, &Options::new().timeout(ms(1000)), Instant::now);
            seen.usage.sleeps
        };
        assert_once(round, |&sleeps| sleeps <= most);
    }
}

/// The pause is for events that nobody can make anything of: what comes is read without one.
#[test]
fn no_pause_follows_what_has_been_read() {
    const WORDS: usize = 500;
    let round = || {
        let (ours, peer) = UnixStream::pair().unwrap();
        let (silent, silent_peer) = UnixStream::pair().unwrap();
        let seen = close_while(
            vec![silent, ours],
            &Options::new().timeout(LONG),
            move || {
                for _ in 0..WORDS {
                    (&peer).write_all(b"word").unwrap();
                    while unread_by_peer(&peer) > 0 {
                        thread::yield_now();
                    }
                    // Until it has looked for more, so that each word is news.
                    thread::sleep(Duration::from_micros(50));
                }
                drop((peer, silent_peer));
                Instant::now()
            },
        );
        assert_graceful(&seen.reports[1]);
        assert_eq!(seen.reports[1].drained_bytes, 4 * WORDS);
        seen.reports[1].elapsed
    };
    // With a pause of a millisecond for each of them it takes longer.
    assert_once(round, |&elapsed| elapsed < ms(WORDS as u64));
}

/// What the log's reader opens has the number that was just closed: not even a notice is taken
/// from that.
#[test]
fn what_has_the_number_of_one_that_has_ended_is_left_alone() {
    if !unix::is_alone() {
        return unix::run_alone("what_has_the_number_of_one_that_has_ended_is_left_alone");
    }
    static OPENED: Mutex<Vec<(Socket, Socket)>> = Mutex::new(Vec::new());
    let (ours, mut peers): (Vec<_>, Vec<_>) = (0..2).map(|_| tcp_pair()).unzip();
    let number = descriptors::raw(&ours[0]);
    set_log(|_, _| {
        let pair = || Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
        OPENED.lock().unwrap().extend((0..4).map(|_| pair()));
        for (one, other) in OPENED.lock().unwrap().iter() {
            one.send(b"mine").unwrap();
            other.send(b"mine").unwrap();
        }
    });
    close_while(ours, &Options::new().timeout(LONG), || {
        thread::sleep(BETWEEN_SWEEPS);
        reset(peers.remove(0));
        drop(peers);
        Instant::now()
    });
    clear_log();
    let opened = OPENED.lock().unwrap();
    let all = || opened.iter().flat_map(|(one, other)| [one, other]);
    assert!(all().any(|it| descriptors::raw(it) == number));
    for one in all() {
        assert!(descriptors::has_news(one), "its message is gone");
    }
}

/// poll() is given more than the process may have open, and refuses.
#[test]
fn a_poll_that_is_refused_does_not_spin() {
    if !unix::is_alone() {
        return unix::run_alone("a_poll_that_is_refused_does_not_spin");
    }
    let (ours, _peers): (Vec<_>, Vec<_>) = (0..3).map(|_| tcp_pair()).unzip();
    allow_descriptors(1);
    let seen = close_while(ours, &Options::new().timeout(ms(300)), Instant::now);
    allow_descriptors(64);
    for report in &seen.reports {
        assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
    }
    assert!(!spins(&seen.usage), "{:?}", seen.usage);
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
