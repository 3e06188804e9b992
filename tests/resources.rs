//! Nothing is used up: descriptors, and the thread's last error.

mod support;

use graceful_close::{abort, close, close_with, Fallback, Options, Outcome};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;
use support::descriptors::{count, into_raw, last_error, set_last_error, NONE};
use support::{accept_from, alone, await_news, c, finish, ms, payload, reset, LONG};

/// A close under Wine costs a hundred times as much.
const ROUNDS: usize = if cfg!(windows) { 100 } else { 1500 };

/// Runs it until what is made once has been made, then again, and counts.
#[track_caller]
fn assert_leaks_nothing(rounds: usize, mut round: impl FnMut(usize)) {
    (0..10).for_each(&mut round);
    if count() == 0 {
        support::skipped("resources", "this system (Wine 8) does not count handles");
    }
    let before = count();
    (0..rounds).for_each(&mut round);
    let after = count();
    // Windows opens and closes handles of its own in the background.
    let noise = if cfg!(windows) { rounds / 10 } else { 0 };
    assert!(
        after <= before + noise,
        "{before} descriptors before, {after} after"
    );
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn closes_of_all_kinds_leave_no_descriptor() {
    let _alone = alone();
    let listener = listener();
    assert_leaks_nothing(ROUNDS, |round| {
        let (ours, peer) = accept_from(&listener);
        let at_once = Options::new().timeout(Duration::ZERO);
        let outcome = match round % 7 {
            0 => {
                finish(&peer);
                close(ours, LONG).unwrap().outcome
            }
            1 => close(ours, Duration::ZERO).unwrap().outcome,
            2 => {
                let aborting = at_once.fallback(Fallback::Abort);
                close_with(ours, &aborting).unwrap().report.outcome
            }
            3 => {
                let closed = close_with(ours, &at_once.fallback(Fallback::Keep)).unwrap();
                drop(closed.kept);
                closed.report.outcome
            }
            4 => {
                reset(peer);
                await_news(&ours);
                close(ours, LONG).unwrap().outcome
            }
            5 => {
                abort(ours).unwrap();
                return;
            }
            _ => {
                drop(ours);
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                close(socket, LONG).unwrap().outcome
            }
        };
        let expected = match round % 7 {
            0 => Outcome::Graceful,
            4 => Outcome::Reset,
            6 => Outcome::NotConnected,
            _ => Outcome::TimedOut,
        };
        assert_eq!(outcome, expected);
    });
}

/// The wait for the last acknowledgement uses a descriptor of its own.
#[test]
fn waits_for_acknowledgements_leave_no_descriptor() {
    let _alone = alone();
    let mut scenes = Vec::new();
    for _ in 0..2 {
        let (ours, peer) = support::narrow_pair();
        support::fill(&ours);
        finish(&peer);
        await_news(&ours);
        scenes.push((ours, peer));
    }
    let before = count();
    let mut peers = Vec::new();
    for (number, (ours, peer)) in scenes.into_iter().enumerate() {
        let fallback = [Fallback::Close, Fallback::Abort][number];
        let options = Options::new().timeout(ms(30)).fallback(fallback);
        let report = close_with(ours, &options).unwrap().report;
        if cfg!(target_os = "linux") {
            assert_eq!(report.outcome, Outcome::TimedOut);
        }
        peers.push(peer);
    }
    // Ours are gone, and nothing has come.
    let noise = if cfg!(windows) { 6 } else { 0 };
    assert!(count() + 2 <= before + noise);
}

#[test]
fn refusals_leave_no_descriptor() {
    let _alone = alone();
    assert_leaks_nothing(ROUNDS, |_| {
        assert_eq!(c::close(NONE, 1000), c::ERR_NOT_A_SOCKET);
        assert_eq!(c::abort(NONE), c::ERR_NOT_A_SOCKET);
        let mut options = c::Options::timeout(0);
        options.fallback = 77;
        assert_eq!(c::close_with(NONE, &options).0, c::ERR_ARGUMENT);
    });
}

/// The sharing policy looks through folders and handles.
#[test]
fn looks_at_sharing_leave_no_descriptor() {
    let _alone = alone();
    let listener = listener();
    assert_leaks_nothing(ROUNDS / 20, |_| {
        let (ours, peer) = accept_from(&listener);
        finish(&peer);
        assert_eq!(c::closesocket(into_raw(ours)), 0);
    });
}

#[test]
fn a_second_close_of_what_is_closed_is_refused() {
    let _alone = alone();
    for _ in 0..20 {
        let (ours, peer) = support::tcp_pair();
        finish(&peer);
        let raw = into_raw(ours);
        assert_eq!(c::close(raw, 5000), c::GRACEFUL);
        assert_eq!(c::close(raw, 5000), c::ERR_NOT_A_SOCKET);
        assert_eq!(c::abort(raw), c::ERR_NOT_A_SOCKET);
    }
}

/// What a program finds in errno or WSAGetLastError after an outcome.
#[test]
fn outcomes_leave_the_last_error_alone() {
    let _alone = alone();
    let check = |what: &str, act: &mut dyn FnMut(TcpStream, TcpStream)| {
        let (ours, peer) = support::tcp_pair();
        act(ours, peer);
        assert_eq!(last_error(), 4321, "{what}");
    };
    check("graceful", &mut |ours, peer| {
        payload::send(&peer, 10);
        finish(&peer);
        set_last_error(4321);
        assert_eq!(c::close(into_raw(ours), 10_000), c::GRACEFUL);
    });
    check("graceful, Rust", &mut |ours, peer| {
        finish(&peer);
        set_last_error(4321);
        assert_eq!(close(ours, LONG).unwrap().outcome, Outcome::Graceful);
    });
    check("timed out", &mut |ours, _peer| {
        set_last_error(4321);
        assert_eq!(c::close(into_raw(ours), 20), c::TIMED_OUT);
    });
    check("reset", &mut |ours, peer| {
        reset(peer);
        await_news(&ours);
        set_last_error(4321);
        assert_eq!(c::close(into_raw(ours), 10_000), c::RESET);
    });
    check("abort", &mut |ours, _peer| {
        set_last_error(4321);
        assert_eq!(c::abort(into_raw(ours)), 0);
    });
    check("abort, Rust", &mut |ours, _peer| {
        set_last_error(4321);
        abort(ours).unwrap();
    });
    check("not connected", &mut |_ours, _peer| {
        let socket = listener();
        set_last_error(4321);
        assert_eq!(c::close(into_raw(socket), 10_000), c::NOT_CONNECTED);
    });
    check("shared or not", &mut |ours, peer| {
        finish(&peer);
        set_last_error(4321);
        assert_eq!(c::closesocket(into_raw(ours)), 0);
    });
}

#[test]
fn refusals_say_why() {
    let _alone = alone();
    let (no_socket, wrong) = match cfg!(windows) {
        true => (10038, 10022), // WSAENOTSOCK, WSAEINVAL
        false => (9, 22),       // EBADF, EINVAL
    };
    for act in [
        (|| c::close(NONE, 0)) as fn() -> i32,
        || c::abort(NONE),
        || c::closesocket(NONE),
        || c::close_with(NONE, &c::Options::timeout(0)).0,
    ] {
        set_last_error(4321);
        assert_eq!(act(), -1);
        assert_eq!(last_error(), no_socket);
    }
    let mut options = c::Options::timeout(0);
    options.if_shared = 77;
    let (code, report) = c::close_with(NONE, &options);
    assert_eq!((code, last_error()), (c::ERR_ARGUMENT, wrong));
    assert_eq!((report.closed, report.system_error), (0, wrong));
}

#[cfg(unix)]
mod none_left {
    use super::*;
    use std::io::Write;
    use support::unix::{self, use_up_descriptors};

    /// A server out of descriptors must still get rid of its connections.
    #[test]
    fn closes_work_with_no_descriptor_left() {
        if !unix::is_alone() {
            // starting a process takes descriptors, which others count
            let _alone = alone();
            return unix::run_alone("none_left::closes_work_with_no_descriptor_left");
        }
        let pairs: Vec<_> = (0..6).map(|_| support::tcp_pair()).collect();
        let mut pairs = pairs.into_iter();
        let mut next = || pairs.next().unwrap();
        let (small, its_peer) = support::narrow_pair();
        let sent = support::fill(&small);
        finish(&its_peer);
        await_news(&small);
        let mut all = use_up_descriptors();
        // Every close frees one, which is taken again.
        let mut refill = || all.extend(std::fs::File::open("/dev/null"));

        let (ours, mut peer) = next();
        peer.write_all(b"unread").unwrap();
        finish(&peer);
        let report = close(ours, LONG).unwrap();
        assert_eq!(
            (report.outcome, report.drained_bytes),
            (Outcome::Graceful, 6)
        );
        refill();

        let (ours, _peer) = next();
        assert_eq!(close(ours, ms(20)).unwrap().outcome, Outcome::TimedOut);
        refill();

        let (ours, peer) = next();
        reset(peer);
        await_news(&ours);
        refill();
        assert_eq!(close(ours, LONG).unwrap().outcome, Outcome::Reset);
        refill();

        let (ours, _peer) = next();
        abort(ours).unwrap();
        refill();

        // Nothing can be seen of sharing: it counts as not shared.
        let (ours, peer) = next();
        finish(&peer);
        assert_eq!(c::closesocket(into_raw(ours)), 0);
        refill();

        // Here it would like one of its own, and does without.
        let reading = std::thread::spawn(move || {
            std::thread::sleep(ms(40));
            unix::read_all(&its_peer).unwrap().len()
        });
        assert_eq!(close(small, LONG).unwrap().outcome, Outcome::Graceful);
        assert_eq!(reading.join().unwrap(), sent);
    }
}
