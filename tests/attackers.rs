//! What the other end can make the library do at most, for each connection: time, bytes, memory,
//! descriptors and processor time (SECURITY.md). Each bound is an option's, or written down there. They
//! run one at a time: memory and processor time are those of the whole process.
#![cfg(target_os = "linux")]

mod support;

use graceful_close::{Fallback, Options, Outcome, Reaper, ReaperOptions, Report, WhenFull};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::{accept_from, alone, assert_took, fill, ms, skipped, tcp_pair, LONG, SLACK};

const CROWD: usize = 10_000;
/// So many wait at each listening socket to be accepted, which nobody does:
/// the backlog that Rust's library asks for has room for them.
const AT_ONE_LISTENER: usize = 100;
/// Ours, each: what the reaper keeps of it, and its place in the tables.
const BYTES_EACH: usize = 512;

/// Processor time of the whole process.
fn processor_time() -> Duration {
    // SAFETY: all zeroes is a valid rusage, and the one asked for is filled.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Memory of this process that is its own.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<usize> = text
        .split(' ')
        .map(|word| word.trim().parse().unwrap_or(0))
        .collect();
    (pages[1] - pages[2]) * 4096
}

/// Root may raise the limit.
fn allow_descriptors(count: usize) -> bool {
    let limit = libc::rlimit {
        rlim_cur: count as u64,
        rlim_max: count as u64,
    };
    // SAFETY: one struct, which is read.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 }
}

/// Connections whose peers acknowledge, and do nothing else: nobody has accepted them.
fn silent_crowd() -> (Vec<TcpListener>, Vec<TcpStream>) {
    let listen = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: Vec<_> = (0..CROWD / AT_ONE_LISTENER).map(listen).collect();
    let ours = listeners.iter().flat_map(|listener| {
        let address = listener.local_addr().unwrap();
        (0..AT_ONE_LISTENER).map(move |_| TcpStream::connect(address).unwrap())
    });
    let ours = ours.collect();
    (listeners, ours)
}

fn close(reaper: &Reaper, socket: TcpStream, options: &Options) -> mpsc::Receiver<Report> {
    let (tell, told) = mpsc::channel();
    reaper
        .close_then(socket, options, move |report: &Report| {
            tell.send(*report).unwrap()
        })
        .unwrap();
    told
}

/// Thousands of peers that keep their side open and say nothing: a descriptor and some bytes each, and
/// no processor time while they wait; all of them end when their time is up, within a second.
#[test]
fn a_silent_crowd_costs_memory_and_descriptors_only() {
    let _alone = alone();
    if !allow_descriptors(CROWD + CROWD / AT_ONE_LISTENER + 100) {
        return skipped("a silent crowd", "not so many descriptors here");
    }
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    let (_listeners, ours) = silent_crowd();
    let before = resident_bytes();
    let options = Options::new().timeout(ms(4000)).fallback(Fallback::Abort);
    let started = Instant::now();
    for socket in ours {
        reaper.close(socket, &options).unwrap();
    }
    let handed_over = started.elapsed();
    let grown = resident_bytes().saturating_sub(before) / CROWD;
    assert!(grown <= BYTES_EACH, "{grown} bytes for each");
    thread::sleep(ms(300));
    let (since, used) = (Instant::now(), processor_time());
    thread::sleep(ms(500));
    let waited = processor_time() - used;
    if started.elapsed() < ms(3500) {
        assert_eq!(reaper.pending(), CROWD);
        assert!(
            waited < since.elapsed() / 10,
            "{waited:?} while nothing happened"
        );
    }
    assert!(reaper.flush(LONG));
    let all = started.elapsed();
    assert!(
        all >= ms(4000) && all < ms(4000) + handed_over + SLACK,
        "{all:?}"
    );
}

/// max_pending is the bound of how many there are at a time.
#[test]
fn a_crowd_takes_no_more_places_than_there_are() {
    let _alone = alone();
    for when_full in [WhenFull::EvictOldest, WhenFull::Refuse] {
        let options = ReaperOptions::new().max_pending(50).when_full(when_full);
        let reaper = Reaper::new(&options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut refused, mut peers) = (0, Vec::new());
        for _ in 0..300 {
            let (ours, peer) = accept_from(&listener);
            peers.push(peer);
            refused += usize::from(reaper.close(ours, &Options::new().timeout(LONG)).is_err());
            assert!(reaper.pending() <= 50, "{}", reaper.pending());
        }
        let expected = if when_full == WhenFull::Refuse {
            250
        } else {
            0
        };
        assert_eq!(refused, expected);
    }
}

/// A byte every few milliseconds, for ever: the idle time begins anew with each, the total time does
/// not, and max_drain_bytes counts them.
#[test]
fn a_trickle_ends_with_the_total_time_or_the_bytes() {
    let _alone = alone();
    for (limit, expected) in [(0, Outcome::TimedOut), (20, Outcome::DrainLimit)] {
        let (ours, peer) = tcp_pair();
        let trickle = thread::spawn(move || {
            while (&peer).write_all(b".").is_ok() {
                thread::sleep(ms(2));
            }
        });
        let options = Options::new()
            .timeout(ms(700))
            .idle_timeout(ms(200))
            .max_drain_bytes(limit);
        let started = Instant::now();
        let report = graceful_close::close_with(ours, &options).unwrap().report;
        assert_eq!(report.outcome, expected, "{report:?}");
        match limit {
            0 => assert_took(started.elapsed(), ms(700)),
            limit => assert_eq!(report.drained_bytes, limit + 1),
        }
        trickle.join().unwrap();
    }
}

/// Takes a little of our answer at a time: it moves, so the idle time does not count; the total does.
#[test]
fn a_slow_reader_ends_with_the_total_time() {
    let _alone = alone();
    let (ours, mut peer) = tcp_pair();
    fill(&ours);
    peer.set_read_timeout(Some(ms(20))).unwrap();
    let reading = thread::spawn(move || {
        let mut some = [0; 512];
        loop {
            match peer.read(&mut some) {
                Ok(0) => return,
                Err(error)
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return
                }
                _ => thread::sleep(ms(3)),
            }
        }
    });
    let options = Options::new()
        .timeout(ms(800))
        .idle_timeout(ms(300))
        .fallback(Fallback::Abort);
    let started = Instant::now();
    let report = graceful_close::close_with(ours, &options).unwrap().report;
    assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
    assert!(started.elapsed() < ms(800) + SLACK);
    assert!(
        report.unacked_bytes.is_some_and(|left| left > 0),
        "{report:?}"
    );
    // The reset takes what is left in the kernel: it is not kept for a peer that does not want it.
    reading.join().unwrap();
}

/// Sends as fast as the machine can: none of it is kept, and a pass for one is a MiB, so that a silent
/// one beside it ends in time.
#[test]
fn floods_are_thrown_away_and_delay_nobody() {
    let _alone = alone();
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    let options = Options::new().timeout(ms(600)).fallback(Fallback::Abort);
    let before = resident_bytes();
    let mut floods = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..8 {
        let (ours, peer) = tcp_pair();
        floods.push(thread::spawn(
            move || while (&peer).write(&[0; 1 << 16]).is_ok() {},
        ));
        ends.push(close(&reaper, ours, &options));
    }
    let (silent, _peer) = tcp_pair();
    let started = Instant::now();
    let told = close(&reaper, silent, &Options::new().timeout(ms(200)));
    assert_eq!(told.recv_timeout(LONG).unwrap().outcome, Outcome::TimedOut);
    assert!(
        started.elapsed() < ms(200) + SLACK,
        "{:?}",
        started.elapsed()
    );
    let mut drained = 0;
    for end in ends {
        let report = end.recv_timeout(LONG).unwrap();
        assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
        drained += report.drained_bytes;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(drained > 8 << 20, "no flood: {drained}");
    assert!(grown < 4 << 20, "{grown} bytes are kept");
    for flood in floods {
        flood.join().unwrap();
    }
}
