//! Closing in the background, by the Rust face: answers arrive whole, ends are
//! told once and in time, and the socket of a refused hand-over comes back.

mod support;

use graceful_close::{Fallback, Options, Outcome, Reaper, ReaperOptions, Report, WhenFull};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use support::{accept_from, assert_prompt, await_news, descriptors, eventually, finish};
use support::{ms, payload, reset, tcp_pair, LONG, SLACK};

fn reaper() -> Reaper {
    Reaper::new(&ReaperOptions::new()).unwrap()
}

fn of_at_most(connections: usize, when_full: WhenFull) -> Reaper {
    let options = ReaperOptions::new().max_pending(connections);
    Reaper::new(&options.when_full(when_full)).unwrap()
}

fn patient() -> Options {
    Options::new().timeout(LONG)
}

/// Hands over; the report comes by the channel.
fn close(reaper: &Reaper, socket: TcpStream, options: &Options) -> mpsc::Receiver<Report> {
    let (tell, told) = mpsc::channel();
    let done = move |report: &Report| tell.send(*report).unwrap();
    reaper.close_then(socket, options, done).unwrap();
    told
}

#[test]
fn every_answer_arrives_whole() {
    let reaper = reaper();
    for answer in [1, 1000, 64 << 10, 1 << 20, 4 << 20] {
        for unread in [0, 1, 100_000] {
            let (ours, peer) = tcp_pair();
            let client = thread::spawn(move || {
                payload::send(&peer, unread);
                let received = payload::receive(&peer, 1 << 16, Duration::ZERO);
                // Late words, after the end: a bare close would have reset.
                payload::send(&peer, 10);
                received
            });
            if unread > 0 {
                await_news(&ours);
            }
            payload::send(&ours, answer);
            let told = close(&reaper, ours, &patient());
            assert_eq!(client.join().unwrap().expect("a clean end"), answer);
            let report = told.recv_timeout(LONG).unwrap();
            assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
            assert_eq!(report.drained_bytes, unread + 10);
            assert!(report.closed && report.peer_closed);
        }
    }
}

/// Nothing was reset on the way, as the kernel counts it.
#[test]
#[cfg(target_os = "linux")]
fn five_hundred_at_once_and_no_reset() {
    support::network::in_own_network("reaper, five hundred", |network| {
        let before = network.resets();
        five_hundred_at_once();
        assert_eq!(network.resets(), before, "a connection was reset");
    });
}

#[test]
#[cfg(not(target_os = "linux"))]
fn many_at_once() {
    five_hundred_at_once();
}

fn five_hundred_at_once() {
    const ANSWER: usize = 20_000;
    let count = if cfg!(windows) { 100 } else { 500 };
    let reaper = reaper();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peers = Vec::new();
    let mut ends = Vec::new();
    for number in 0..count {
        let (ours, peer) = accept_from(&listener);
        payload::send(&peer, number % 3 * 50);
        payload::send(&ours, ANSWER + number);
        ends.push(close(&reaper, ours, &patient()));
        peers.push(peer);
    }
    assert_eq!(reaper.pending(), count);
    // The last comes first, and some are slow.
    for (number, peer) in peers.iter().enumerate().rev() {
        let pause = if number % 100 == 0 { ms(1) } else { ms(0) };
        let received = payload::receive(peer, 10_000, pause).expect("a clean end");
        assert_eq!(received, ANSWER + number);
    }
    // Linux acknowledges a FIN up to 200 ms late (TCP_DELACK_MAX), from a timer.
    // Such an ACK of one processor may be delivered after the peer's own FIN of
    // another one: TIME_WAIT answers it, and by then no socket takes the answer,
    // which the kernel counts as a reset sent (OutRsts, reason NO_SOCKET).
    thread::sleep(ms(250));
    drop(peers);
    assert!(reaper.flush(LONG));
    for told in ends {
        let report = told.try_recv().expect("told before the flush ends");
        assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
        assert!(told.try_recv().is_err(), "told twice");
    }
}

#[test]
fn deadlines_are_never_early() {
    let reaper = reaper();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut all = Vec::new();
    for number in 0..100u64 {
        let (ours, peer) = accept_from(&listener);
        let due = ms(1 + number * 61 % 500);
        let fallback = [Fallback::Close, Fallback::Abort][number as usize % 2];
        let options = match number % 4 {
            0 => patient().idle_timeout(due),
            _ => Options::new().timeout(due),
        };
        let (tell, told) = mpsc::channel();
        let started = Instant::now();
        let done = move |report: &Report| tell.send((*report, started.elapsed())).unwrap();
        reaper
            .close_then(ours, &options.fallback(fallback), done)
            .unwrap();
        all.push((due, told, peer));
    }
    assert!(reaper.flush(LONG));
    for (due, told, _peer) in all {
        let (report, elapsed) = told.try_recv().unwrap();
        assert_eq!(report.outcome, Outcome::TimedOut);
        support::assert_took(elapsed, due);
        assert!(report.elapsed >= due && report.elapsed <= elapsed + ms(1));
    }
}

#[test]
fn a_flush_waits_no_longer_than_it_may() {
    let reaper = reaper();
    assert!(reaper.flush(Duration::MAX), "nothing to wait for");
    let (ours, peer) = tcp_pair();
    reaper.close(ours, &patient()).unwrap();
    let started = Instant::now();
    assert!(!reaper.flush(ms(50)));
    support::assert_took(started.elapsed(), ms(50));
    assert!(!reaper.flush(Duration::ZERO));
    let ending = thread::spawn(move || {
        thread::sleep(ms(50));
        drop(peer);
    });
    let started = Instant::now();
    assert!(reaper.flush(Duration::MAX));
    assert_prompt(started.elapsed());
    ending.join().unwrap();
    assert_eq!(reaper.pending(), 0);
}

#[test]
fn dropping_it_ends_what_is_pending() {
    for fallback in [Fallback::Close, Fallback::Abort] {
        let reaper = reaper();
        let (ours, peer) = tcp_pair();
        let told = close(&reaper, ours, &patient().fallback(fallback));
        let started = Instant::now();
        drop(reaper);
        assert_prompt(started.elapsed());
        let report = told.try_recv().expect("told before the drop ends");
        assert_eq!(report.outcome, Outcome::Evicted);
        assert!(report.closed);
        // Nobody holds it any more.
        eventually("the peer cannot send", || (&peer).write(b"?").is_err());
    }
}

#[test]
fn what_makes_no_sense_in_the_background_is_refused() {
    let reaper = reaper();
    let wrong = [
        patient().fallback(Fallback::Keep),
        patient().fallback(Fallback::Background),
        patient().keep_open(),
    ];
    for options in wrong {
        let (ours, mut peer) = tcp_pair();
        let refused = reaper
            .close_then(ours, &options, |_| panic!("called"))
            .unwrap_err();
        assert_eq!(refused.system_error().kind(), ErrorKind::InvalidInput);
        assert!(
            refused.to_string().contains("is not for the background"),
            "{refused}"
        );
        // It still works, and is ours.
        let mut ours = TcpStream::from(refused.into_socket());
        ours.write_all(b"x").unwrap();
        peer.read_exact(&mut [0]).unwrap();
    }
    assert_eq!(reaper.pending(), 0);
}

/// The last handle of a reaper may be one of its own callbacks'.
#[test]
fn a_callback_may_drop_the_reaper() {
    let reaper = Arc::new(reaper());
    let (ours, silent) = tcp_pair();
    let other = close(&reaper, ours, &patient());
    let (ours, peer) = tcp_pair();
    let (tell, told) = mpsc::channel();
    let inside = Arc::clone(&reaper);
    let (let_go, go) = mpsc::channel();
    let done = move |_: &Report| {
        go.recv().unwrap();
        drop(inside);
        tell.send(()).unwrap();
    };
    reaper.close_then(ours, &patient(), done).unwrap();
    drop(reaper);
    let_go.send(()).unwrap();
    drop(peer);
    told.recv_timeout(LONG)
        .expect("it does not wait for itself");
    let report = other.recv_timeout(LONG).expect("the other one is ended");
    assert_eq!(report.outcome, Outcome::Evicted);
    drop(silent);
}

#[test]
fn a_full_one_ends_the_oldest_first() {
    let reaper = of_at_most(3, WhenFull::EvictOldest);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut peers = Vec::new();
    for number in 0..10 {
        let (ours, peer) = tcp_pair();
        let order = Arc::clone(&order);
        let done = move |report: &Report| order.lock().unwrap().push((number, report.outcome));
        reaper.close_then(ours, &patient(), done).unwrap();
        peers.push(peer);
        assert_eq!(reaper.pending(), (number + 1).min(3));
    }
    eventually("seven are evicted", || order.lock().unwrap().len() == 7);
    let expected: Vec<_> = (0..7).map(|number| (number, Outcome::Evicted)).collect();
    assert_eq!(*order.lock().unwrap(), expected);
    drop(peers);
    assert!(reaper.flush(LONG));
    assert_eq!(order.lock().unwrap().len(), 10);
}

/// Its thread, which sleeps, is woken for that: by itself it would look after a second.
#[test]
fn a_full_one_ends_the_oldest_at_once() {
    let reaper = of_at_most(1, WhenFull::EvictOldest);
    let mut all = Vec::new();
    let mut least = LONG;
    for _ in 0..4 {
        let (ours, peer) = tcp_pair();
        let began = Instant::now();
        all.push((close(&reaper, ours, &patient()), peer));
        if let [.., (oldest, _), _] = all.as_slice() {
            let report = oldest.recv_timeout(LONG).unwrap();
            assert_eq!(report.outcome, Outcome::Evicted);
            least = least.min(began.elapsed());
        }
        // Long enough for it to go to sleep.
        thread::sleep(ms(50));
    }
    drop(reaper);
    assert!(least < ms(500), "{least:?}");
}

#[test]
fn a_full_one_may_refuse() {
    let reaper = of_at_most(1, WhenFull::Refuse);
    let (ours, peer) = tcp_pair();
    reaper.close(ours, &patient()).unwrap();
    let (second, its_peer) = tcp_pair();
    let called = Arc::new(AtomicUsize::new(0));
    let done = {
        let called = Arc::clone(&called);
        move |_: &Report| {
            called.fetch_add(1, Ordering::SeqCst);
        }
    };
    let before = descriptors::raw(&second);
    let refused = reaper.close_then(second, &patient(), done).unwrap_err();
    assert!(refused.to_string().contains("still open"));
    let second = TcpStream::from(refused.into_socket());
    assert_eq!(descriptors::raw(&second), before);
    assert_eq!(Arc::strong_count(&called), 1, "the callback is dropped");
    payload::send(&second, 1000);
    finish(&second);
    assert_eq!(payload::receive(&its_peer, 100, ms(0)).unwrap(), 1000);
    drop(peer);
    assert!(reaper.flush(LONG));
    reaper.close(second, &patient()).unwrap();
    drop(its_peer);
    assert!(reaper.flush(LONG));
    assert_eq!(called.load(Ordering::SeqCst), 0);
}

#[test]
fn others_than_connections_are_closed_at_once() {
    let reaper = reaper();
    let (tell, told) = mpsc::channel();
    let both = [tell.clone(), tell];
    let [first, second] = both.map(|tell| move |report: &Report| tell.send(*report).unwrap());
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    reaper.close_then(datagrams, &patient(), first).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    reaper.close_then(listener, &patient(), second).unwrap();
    for _ in 0..2 {
        let report = told.recv_timeout(LONG).unwrap();
        assert_eq!(report.outcome, Outcome::NotConnected);
    }
}

#[test]
fn resets_are_told() {
    let reaper = reaper();
    let (ours, peer) = tcp_pair();
    let told = close(&reaper, ours, &patient());
    thread::sleep(ms(20));
    reset(peer);
    let report = told.recv_timeout(LONG).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(report.outcome, Outcome::Reset);
        assert_ne!(report.system_error, 0);
    }
}

/// Several threads hand over to one, and others come and go.
#[test]
fn many_threads_at_once() {
    let reaper = reaper();
    let told = AtomicUsize::new(0);
    let (each, threads) = (if cfg!(windows) { 15 } else { 60 }, 8);
    let told = Arc::new(told);
    thread::scope(|scope| {
        for number in 0..threads {
            let (reaper, told) = (&reaper, &told);
            scope.spawn(move || {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                for round in 0..each {
                    let (ours, peer) = accept_from(&listener);
                    let size = 1 + number * 1000 + round;
                    payload::send(&ours, size);
                    let told = Arc::clone(told);
                    let done = move |report: &Report| {
                        assert_eq!(report.outcome, Outcome::Graceful);
                        told.fetch_add(1, Ordering::SeqCst);
                    };
                    reaper.close_then(ours, &patient(), done).unwrap();
                    assert_eq!(payload::receive(&peer, 1000, ms(0)).unwrap(), size);
                    drop(peer);
                    if round % 10 == 0 {
                        drop(Reaper::new(&ReaperOptions::new()).unwrap());
                    }
                }
            });
        }
    });
    assert!(reaper.flush(LONG));
    assert_eq!(told.load(Ordering::SeqCst), threads * each);
}

/// One that never stops sending delays the ends of the others by a little only,
/// and its own deadline by nothing worth mentioning.
#[test]
fn a_flood_delays_nobody() {
    let reaper = reaper();
    let (ours, flooder) = tcp_pair();
    let flood = thread::spawn(move || while (&flooder).write(&[0; 1 << 16]).is_ok() {});
    let options = Options::new().timeout(ms(600)).fallback(Fallback::Abort);
    let started = Instant::now();
    let flooded = close(&reaper, ours, &options);
    for _ in 0..20 {
        let (ours, peer) = tcp_pair();
        let told = close(&reaper, ours, &patient());
        thread::sleep(ms(3));
        let ended = Instant::now();
        drop(peer);
        assert_eq!(told.recv_timeout(LONG).unwrap().outcome, Outcome::Graceful);
        assert!(ended.elapsed() < ms(500), "{:?}", ended.elapsed());
    }
    let report = flooded.recv_timeout(LONG).unwrap();
    support::assert_took(started.elapsed().max(report.elapsed), ms(600));
    assert_eq!(report.outcome, Outcome::TimedOut);
    assert!(report.drained_bytes > 1 << 20, "no flood: {report:?}");
    assert!(report.elapsed < ms(600) + SLACK);
    flood.join().unwrap();
}
