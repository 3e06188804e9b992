//! What the library is for: the peer gets every byte and a clean end, however
//! much of its own is unread, late or under way.

mod support;

use graceful_close::{close_with, Options, Outcome};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::{await_news, finish, ms, narrow_pair, payload, tcp_pair, LONG};

#[cfg(target_os = "linux")]
use support::network::in_own_network;

/// Elsewhere the counters of resets cannot be had.
#[cfg(not(target_os = "linux"))]
fn in_own_network(_test: &str, body: impl FnOnce(&NoNetwork)) {
    body(&NoNetwork)
}

#[cfg(not(target_os = "linux"))]
struct NoNetwork;

#[cfg(not(target_os = "linux"))]
impl NoNetwork {
    fn resets(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

struct Exchange {
    /// What the server sends before it closes.
    answer: usize,
    /// Of the request, unread when the server closes.
    unread: usize,
    /// The client goes on sending while it reads.
    late: bool,
}

/// One exchange, ended by `close` after the server has sent its answer; what
/// the client got.
fn run(exchange: &Exchange, close: impl FnOnce(TcpStream)) -> std::io::Result<usize> {
    let (server, peer) = tcp_pair();
    let has_all = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            payload::send(&peer, exchange.unread);
            // Until the client has all of the answer, and some more.
            let mut rest = if exchange.late { 5 } else { 0 };
            while rest > 0 {
                (&peer).write_all(b"late").expect("nobody resets");
                thread::sleep(ms(1));
                rest -= u8::from(has_all.load(Ordering::Relaxed));
            }
        });
        let client = scope.spawn(|| {
            let received = payload::receive(&peer, 32 << 10, Duration::ZERO);
            has_all.store(true, Ordering::Relaxed);
            sender.join().unwrap();
            finish(&peer);
            received
        });
        if exchange.unread > 0 {
            await_news(&server);
        }
        payload::send(&server, exchange.answer);
        close(server);
        client.join().unwrap()
    })
}

#[test]
fn every_answer_arrives_whole() {
    in_own_network("lossless", |network| {
        let before = network.resets();
        for answer in [1, 1000, 64 << 10, 1 << 20, 16 << 20] {
            for unread in [0, 1, 1 << 20] {
                for late in [false, true] {
                    whole(&Exchange {
                        answer,
                        unread,
                        late,
                    });
                }
            }
        }
        assert_eq!(network.resets(), before, "a connection was reset");
    });
}

fn whole(exchange: &Exchange) {
    let case = format!("{} B, {} unread", exchange.answer, exchange.unread);
    let started = std::time::Instant::now();
    let received = run(exchange, |server| {
        let options = Options::new().timeout(LONG);
        let report = close_with(server, &options).unwrap().report;
        assert_eq!(report.outcome, Outcome::Graceful, "{case}: {report:?}");
        assert!(report.peer_closed);
        match exchange.late {
            false => assert_eq!(report.drained_bytes, exchange.unread, "{case}"),
            true => assert!(report.drained_bytes >= exchange.unread, "{case}"),
        }
    });
    assert_eq!(received.expect(&case), exchange.answer, "{case}");
    println!("{:?} {case}, late: {}", started.elapsed(), exchange.late);
}

/// The test above can fail: what it replaces does reset, and does lose.
#[test]
#[cfg(target_os = "linux")]
fn a_bare_close_resets() {
    in_own_network("lossless, the control", |network| {
        let before = network.resets();
        let (server, peer) = narrow_pair();
        payload::send(&peer, 1);
        await_news(&server);
        let sent = support::fill(&server);
        drop(server);
        let mut answer = Vec::new();
        let end = (&peer).read_to_end(&mut answer);
        assert!(
            end.is_err() && answer.len() < sent,
            "{end:?}, {}",
            answer.len()
        );
        if network.is_own() {
            let moved = |name: &str| value(&network.resets(), name) > value(&before, name);
            assert!(moved("OutRsts") && moved("TCPAbortOnClose"), "{before:?}");
        }
    });
}

#[cfg(target_os = "linux")]
fn value(counters: &[(&str, u64)], name: &str) -> u64 {
    counters.iter().find(|(is, _)| *is == name).unwrap().1
}

/// Envoy's lesson: the idle clock must not run while the peer takes our data.
#[test]
fn a_slow_reader_gets_it_all_although_the_idle_time_is_shorter() {
    // Without a look at what is acknowledged a reader is an idle peer.
    if cfg!(not(target_os = "linux")) {
        return;
    }
    in_own_network("lossless, slow reader", |network| {
        let before = network.resets();
        let (server, peer) = narrow_pair();
        let sent = support::fill(&server);
        thread::scope(|scope| {
            // With the pauses longer than the idle time in all, far shorter each.
            let client = scope.spawn(move || {
                let got = read_slowly(&peer, ms(60));
                finish(&peer);
                got
            });
            let options = Options::new().timeout(LONG).idle_timeout(ms(600));
            let report = close_with(server, &options).unwrap().report;
            assert_eq!(client.join().unwrap(), sent);
            assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
            assert!(
                report.elapsed > ms(600),
                "too fast to be a test: {report:?}"
            );
        });
        assert_eq!(network.resets(), before, "a connection was reset");
    });
}

fn read_slowly(mut peer: &TcpStream, pause: Duration) -> usize {
    let mut block = [0; 8 << 10];
    let mut total = 0;
    loop {
        match peer.read(&mut block).expect("a clean end") {
            0 => return total,
            bytes => total += bytes,
        }
        thread::sleep(pause);
    }
}

/// What the system holds back to make larger segments of it.
#[test]
#[cfg(target_os = "linux")]
fn corked_data_arrives_too() {
    let (server, peer) = tcp_pair();
    support::linux::set_tcp_option(&server, libc::TCP_CORK, 1);
    payload::send(&server, 100);
    let client = thread::spawn(move || payload::receive(&peer, 1000, Duration::ZERO));
    let report = close_with(server, &Options::new().timeout(LONG))
        .unwrap()
        .report;
    assert_eq!(report.outcome, Outcome::Graceful);
    assert_eq!(client.join().unwrap().unwrap(), 100);
}

/// Half-closed and no more: a late byte meets a closed socket, and resets.
#[test]
#[cfg(target_os = "linux")]
fn a_half_close_alone_is_not_enough() {
    in_own_network("lossless, the second control", |network| {
        let before = network.resets();
        let (server, peer) = narrow_pair();
        let sent = support::fill(&server);
        finish(&server);
        drop(server);
        payload::send(&peer, 1);
        let mut answer = Vec::new();
        let end = (&peer).read_to_end(&mut answer);
        assert!(
            end.is_err() && answer.len() < sent,
            "{end:?}, {}",
            answer.len()
        );
        if network.is_own() {
            assert_ne!(network.resets(), before);
        }
    });
}
