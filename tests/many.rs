//! Everything a program has, closed at once: one deadline for all, and each
//! result at its place.

mod support;

use graceful_close::{close_many, Fallback, Options, Outcome};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};
use support::{accept_from, assert_prompt, assert_took, await_news, finish, ms, payload};
use support::{reset, tcp_pair, LONG};

fn pairs(count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (0..count).map(|_| accept_from(&listener)).unzip()
}

/// Under Wine a connection costs a hundred times as much.
const MANY: usize = if cfg!(windows) { 150 } else { 2000 };

/// Room for both ends of all.
#[cfg(unix)]
fn allow_descriptors() {
    // SAFETY: valid limits; raising the soft one to what is allowed.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(20_000);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

#[cfg(windows)]
fn allow_descriptors() {}

/// Spread over half a second without a pattern.
fn finishes_at(number: usize) -> Duration {
    ms((number as u64).wrapping_mul(2_654_435_761) % 500)
}

#[test]
fn thousands_that_finish_at_random_are_all_graceful() {
    allow_descriptors();
    let (ours, peers) = pairs(MANY);
    let mut order: Vec<_> = peers.into_iter().enumerate().collect();
    order.sort_by_key(|(number, _)| finishes_at(*number));
    let started = Instant::now();
    let ending = thread::spawn(move || {
        for (number, peer) in order {
            let left = finishes_at(number).saturating_sub(started.elapsed());
            if left > ms(2) {
                thread::sleep(left);
            }
            drop(peer);
        }
        started.elapsed()
    });
    let results = close_many(ours, &Options::new().timeout(LONG)).unwrap();
    let took = started.elapsed();
    let last_peer = ending.join().unwrap();
    assert_eq!(results.len(), MANY);
    for result in results {
        let report = result.unwrap().report;
        assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
        assert!(report.closed && report.peer_closed);
        assert!(report.elapsed <= took);
    }
    assert_prompt(took.saturating_sub(last_peer));
}

#[test]
fn silent_ones_end_at_the_one_deadline() {
    for fallback in [Fallback::Close, Fallback::Abort] {
        let (ours, peers) = pairs(if cfg!(windows) { 50 } else { 300 });
        let options = Options::new().timeout(ms(300)).fallback(fallback);
        let started = Instant::now();
        let results = close_many(ours, &options).unwrap();
        assert_took(started.elapsed(), ms(300));
        for result in results {
            let report = result.unwrap().report;
            assert_eq!(report.outcome, Outcome::TimedOut);
            assert_took(report.elapsed, ms(300));
            assert!(report.closed);
        }
        drop(peers);
    }
}

/// More than can be watched: the sweeps find those that have finished.
#[test]
fn a_silent_one_in_front_holds_nobody_up() {
    let (ours, mut peers) = pairs(if cfg!(windows) { 80 } else { 200 });
    let ending = thread::spawn(move || {
        thread::sleep(ms(30));
        peers.truncate(1);
        peers
    });
    let results = close_many(ours, &Options::new().timeout(ms(2000))).unwrap();
    let reports: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().report)
        .collect();
    assert_eq!(reports[0].outcome, Outcome::TimedOut);
    for report in &reports[1..] {
        assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
        assert!(report.elapsed < ms(1000), "{report:?}");
    }
    ending.join().unwrap();
}

/// Of one, of so many that all can be watched, and of more.
#[test]
#[cfg(target_os = "linux")]
fn waiting_takes_next_to_no_processor_time() {
    use support::linux::Usage;
    for count in [1, 30, 300] {
        let (ours, _peers) = pairs(count);
        let before = Usage::now();
        close_many(ours, &Options::new().timeout(ms(500))).unwrap();
        let used = Usage::now().since(before).processor_us;
        assert!(used < 150_000, "{count}: {used} us");
    }
}

#[test]
fn idle_ones_end_sooner_and_only_they() {
    let (ours, mut peers) = pairs(3);
    let talker = peers.pop().unwrap();
    let talking = thread::spawn(move || {
        for _ in 0..10 {
            payload::send(&talker, 1);
            thread::sleep(ms(50));
        }
        drop(talker);
    });
    let options = Options::new().timeout(LONG).idle_timeout(ms(250));
    let started = Instant::now();
    let results = close_many(ours, &options).unwrap();
    assert_took(started.elapsed(), ms(500));
    talking.join().unwrap();
    let outcomes: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().report)
        .collect();
    for idle in &outcomes[..2] {
        assert_eq!(idle.outcome, Outcome::TimedOut);
        assert_took(idle.elapsed, ms(250));
    }
    assert_eq!(outcomes[2].outcome, Outcome::Graceful);
    assert_eq!(outcomes[2].drained_bytes, 10);
}

#[test]
fn every_answer_arrives_whole() {
    const ANSWER: usize = 300_000;
    let (ours, peers) = pairs(20);
    let clients: Vec<_> = peers
        .into_iter()
        .map(|peer| {
            thread::spawn(move || {
                payload::send(&peer, 5000);
                payload::receive(&peer, 50_000, ms(1))
            })
        })
        .collect();
    for socket in &ours {
        await_news(socket);
        payload::send(socket, ANSWER);
    }
    for result in close_many(ours, &Options::new().timeout(LONG)).unwrap() {
        let report = result.unwrap().report;
        assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
        assert_eq!(report.drained_bytes, 5000);
    }
    for client in clients {
        assert_eq!(client.join().unwrap().expect("a clean end"), ANSWER);
    }
}

#[test]
fn results_stand_in_the_order_of_the_sockets() {
    let (first, first_peer) = tcp_pair();
    let (second, second_peer) = tcp_pair();
    let (third, third_peer) = tcp_pair();
    finish(&first_peer);
    reset(third_peer);
    await_news(&third);
    let fourth = UdpSocket::bind("127.0.0.1:0").unwrap();
    let all: Vec<graceful_close::OwnedSocket> =
        vec![first.into(), second.into(), third.into(), fourth.into()];
    let options = Options::new().timeout(ms(60)).fallback(Fallback::Keep);
    let mut results = close_many(all, &options).unwrap();
    let outcomes: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().unwrap().report.outcome)
        .collect();
    let expected = [
        Outcome::Graceful,
        Outcome::TimedOut,
        Outcome::Reset,
        Outcome::NotConnected,
    ];
    assert_eq!(outcomes, expected);
    for (at, result) in results.iter().enumerate() {
        let closed = result.as_ref().unwrap();
        assert_eq!(closed.kept.is_some(), at == 1);
        assert_eq!(closed.report.closed, at != 1);
    }
    let kept = results.swap_remove(1).unwrap().kept.unwrap();
    payload::send(&second_peer, 100);
    finish(&second_peer);
    let kept = TcpStream::from(kept);
    assert_eq!(payload::receive(&kept, 1000, ms(0)).unwrap(), 100);
}

#[test]
fn none_at_all_is_no_error() {
    let none: Vec<TcpStream> = Vec::new();
    assert!(close_many(none, &Options::new()).unwrap().is_empty());
}

#[test]
fn no_time_to_wait() {
    let (ours, peers) = pairs(10);
    for peer in &peers[..5] {
        payload::send(peer, 1000);
        finish(peer);
    }
    for socket in &ours[..5] {
        await_news(socket);
    }
    thread::sleep(ms(20));
    let started = Instant::now();
    let results = close_many(ours, &Options::new().timeout(Duration::ZERO)).unwrap();
    assert_prompt(started.elapsed());
    for (at, result) in results.into_iter().enumerate() {
        let outcome = result.unwrap().report.outcome;
        let expected = [Outcome::TimedOut, Outcome::Graceful][usize::from(at < 5)];
        assert_eq!(outcome, expected, "{at}");
    }
}

/// What waits for the last acknowledgements only: no event tells of them.
#[test]
fn slow_readers_in_front_hold_nobody_up() {
    let (ours, mut peers) = pairs(4);
    let (slow, slow_peer) = support::narrow_pair();
    let sent = support::fill(&slow);
    finish(&slow_peer);
    await_news(&slow);
    let reading = thread::spawn(move || {
        thread::sleep(ms(300));
        payload_len(&slow_peer)
    });
    drop(peers.pop());
    let all = std::iter::once(slow).chain(ours);
    let options = Options::new().timeout(ms(1500));
    let started = Instant::now();
    let results = close_many(all.collect::<Vec<_>>(), &options).unwrap();
    assert_took(started.elapsed(), ms(1500));
    assert_eq!(reading.join().unwrap(), sent);
    let reports: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().report)
        .collect();
    assert_eq!(reports[0].outcome, Outcome::Graceful, "{:?}", reports[0]);
    assert_eq!(reports[4].outcome, Outcome::Graceful);
    assert!(reports[4].elapsed < ms(290), "{:?}", reports[4]);
    drop(peers);
}

fn payload_len(mut from: &TcpStream) -> usize {
    use std::io::Read;
    let mut all = Vec::new();
    from.read_to_end(&mut all).expect("a clean end");
    all.len()
}
