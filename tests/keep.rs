//! What becomes of a socket whose close did not end gracefully: handed back,
//! half-closed and usable, or reset.

mod support;

use graceful_close::{close_reading, close_with, Closed, Fallback, Options, Outcome, OwnedSocket};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use support::{
    assert_took, await_news, c, descriptors, eventually, fill, finish, ms, narrow_pair, payload,
    reset, tcp_pair, LONG,
};

fn keeping(timeout: Duration) -> Options {
    Options::new().timeout(timeout).fallback(Fallback::Keep)
}

fn kept(closed: Closed) -> OwnedSocket {
    assert!(!closed.report.closed);
    closed.kept.expect("it was to be kept")
}

#[test]
fn it_comes_back_half_closed_and_readable() {
    let (ours, peer) = tcp_pair();
    let closed = close_with(ours, &keeping(ms(30))).unwrap();
    assert_eq!(closed.report.outcome, Outcome::TimedOut);
    let ours = TcpStream::from(kept(closed));

    // The peer has our FIN, and may still speak.
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    (&ours).write(b"more").expect_err("half-closed");
    (&peer).write_all(b"late").unwrap();
    await_news(&ours);
    let mut late = [0; 8];
    assert_eq!((&ours).read(&mut late).unwrap(), 4);
    assert_eq!(&late[..4], b"late");
    assert_eq!(SockRef::from(&ours).linger().unwrap(), None);

    let again = close_with(ours, &keeping(ms(20))).unwrap();
    assert_eq!(again.report.outcome, Outcome::TimedOut);
    finish(&peer);
    let last = close_with(kept(again), &keeping(LONG)).unwrap();
    assert_eq!(last.report.outcome, Outcome::Graceful, "{:?}", last.report);
    assert!(last.report.closed && last.kept.is_none());
}

#[test]
fn the_c_function_leaves_it_open() {
    let (ours, peer) = tcp_pair();
    let raw = descriptors::into_raw(ours);
    let before = descriptors::identity(raw);
    let mut options = c::Options::timeout(20);
    options.fallback = c::THEN_KEEP;
    let (code, report) = c::close_with(raw, &options);
    assert_eq!((code, report.closed), (c::TIMED_OUT, 0));
    assert!(descriptors::is_still(raw, before));
    finish(&peer);
    assert_eq!(c::close(raw, 10_000), c::GRACEFUL);
}

#[test]
fn what_was_over_the_limit_is_still_there() {
    let (ours, peer) = tcp_pair();
    payload::send(&peer, 50_000);
    finish(&peer);
    let options = keeping(LONG).max_drain_bytes(20_000);
    let closed = close_with(ours, &options).unwrap();
    assert_eq!(closed.report.outcome, Outcome::DrainLimit);
    let drained = closed.report.drained_bytes;
    let mut rest = Vec::new();
    let ours = TcpStream::from(kept(closed));
    ours.set_nonblocking(false).unwrap();
    (&ours).read_to_end(&mut rest).unwrap();
    assert_eq!(drained + rest.len(), 50_000);
    payload::check(&rest, drained);
}

#[test]
fn what_a_reader_did_not_want_is_still_there() {
    let (ours, peer) = tcp_pair();
    payload::send(&peer, 30_000);
    finish(&peer);
    let mut seen = 0;
    let closed = close_reading(ours, &keeping(LONG), |data| {
        payload::check(data, seen);
        seen += data.len();
        match seen < 10_000 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let closed = closed.unwrap();
    assert_eq!(closed.report.outcome, Outcome::Stopped);
    assert_eq!(closed.report.drained_bytes, seen);
    let last = close_reading(kept(closed), &keeping(LONG), |data| {
        payload::check(data, seen);
        seen += data.len();
        ControlFlow::Continue(())
    });
    assert_eq!(last.unwrap().report.outcome, Outcome::Graceful);
    assert_eq!(seen, 30_000);
}

#[test]
fn a_graceful_end_keeps_nothing() {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    let closed = close_with(ours, &keeping(LONG)).unwrap();
    assert_eq!(closed.report.outcome, Outcome::Graceful);
    assert!(closed.report.closed && closed.kept.is_none());
}

#[test]
fn the_dead_are_not_kept() {
    let (ours, peer) = tcp_pair();
    reset(peer);
    await_news(&ours);
    let closed = close_with(ours, &keeping(LONG)).unwrap();
    assert_eq!(closed.report.outcome, Outcome::Reset);
    assert!(closed.report.closed && closed.kept.is_none());
}

/// The half-close was still to come when the time ran out.
#[test]
fn half_closed_also_if_the_peer_was_to_be_first() {
    let (ours, peer) = tcp_pair();
    let options = keeping(ms(30)).peer_first(LONG);
    let ours = kept(close_with(ours, &options).unwrap());
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    drop(ours);
}

/// POSIX: O_NONBLOCK belongs to all who hold the socket.
#[test]
#[cfg(unix)]
fn the_blocking_mode_stays() {
    for nonblocking in [true, false] {
        let (ours, _peer) = tcp_pair();
        ours.set_nonblocking(nonblocking).unwrap();
        let ours = kept(close_with(ours, &keeping(ms(10))).unwrap());
        assert_eq!(SockRef::from(&ours).nonblocking().unwrap(), nonblocking);
    }
}

/// In bulk the socket asks to be woken for large portions only. Left so, the
/// program's next select() or poll() would sleep on ten bytes.
#[cfg(target_os = "linux")]
mod low_water {
    use super::*;
    use support::linux::{set_socket_option, socket_option};

    fn after_bulk(ours: TcpStream, peer: &TcpStream) -> TcpStream {
        let closed = std::thread::scope(|scope| {
            scope.spawn(|| payload::send(peer, 8 << 20));
            close_with(ours, &keeping(ms(400))).unwrap()
        });
        assert_eq!(closed.report.outcome, Outcome::TimedOut);
        assert_eq!(
            closed.report.drained_bytes,
            8 << 20,
            "too slow to be a test"
        );
        TcpStream::from(kept(closed))
    }

    #[test]
    fn is_taken_back() {
        let (ours, peer) = tcp_pair();
        let ours = after_bulk(ours, &peer);
        assert_eq!(socket_option(&ours, libc::SO_RCVLOWAT), 1);
        (&peer).write_all(b"ten  bytes").unwrap();
        eventually("ten bytes to read", || descriptors::has_news(&ours));
    }

    #[test]
    fn is_the_programs_own_again() {
        let (ours, peer) = tcp_pair();
        set_socket_option(&ours, libc::SO_RCVLOWAT, 100);
        let ours = after_bulk(ours, &peer);
        assert_eq!(socket_option(&ours, libc::SO_RCVLOWAT), 100);
    }

    /// The end of the stream, or a few last bytes, still wake it.
    #[test]
    fn does_not_delay_the_end() {
        let (ours, peer) = tcp_pair();
        let report = std::thread::scope(|scope| {
            scope.spawn(|| {
                payload::send(&peer, 8 << 20);
                std::thread::sleep(ms(50));
                payload::send(&peer, 10);
                std::thread::sleep(ms(50));
                finish(&peer);
            });
            close_with(ours, &keeping(LONG)).unwrap().report
        });
        assert_eq!(report.outcome, Outcome::Graceful);
        assert_eq!(report.drained_bytes, (8 << 20) + 10);
        assert!(report.elapsed < LONG / 2, "{report:?}");
    }
}

/// The peer learns that nobody listens any more, and nothing lingers.
#[test]
fn aborting_after_the_timeout_resets() {
    let (ours, peer) = tcp_pair();
    let options = Options::new().timeout(ms(40)).fallback(Fallback::Abort);
    let closed = close_with(ours, &options).unwrap();
    assert_eq!(closed.report.outcome, Outcome::TimedOut);
    assert!(closed.report.closed && closed.kept.is_none());
    if cfg!(target_os = "linux") {
        await_news(&peer);
        let told = peer.take_error().unwrap().expect("a reset");
        // Behind our FIN it counts as a broken pipe.
        assert_eq!(told.kind(), std::io::ErrorKind::BrokenPipe);
    }
    eventually("the peer cannot send", || (&peer).write(b"?").is_err());
}

/// Nor does it wait: neither on its own account nor for a SO_LINGER that the
/// program has left behind.
#[test]
fn closing_after_the_timeout_does_not_reset() {
    for linger in [None, Some(Duration::ZERO), Some(ms(5000))] {
        let (ours, peer) = narrow_pair();
        let sent = fill(&ours);
        SockRef::from(&ours).set_linger(linger).unwrap();
        let started = Instant::now();
        let report = close_with(ours, &Options::new().timeout(ms(40)))
            .unwrap()
            .report;
        assert_took(started.elapsed(), ms(40));
        assert_eq!(report.outcome, Outcome::TimedOut);
        // The kernel goes on trying.
        let mut answer = Vec::new();
        (&peer).read_to_end(&mut answer).expect("a clean end");
        assert_eq!(answer.len(), sent, "{linger:?}");
    }
}
