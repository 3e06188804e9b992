//! A half-close acts on the connection, a close on one reference: what happens
//! to a duplicate, and to a forked child that goes on serving.

#![cfg(unix)]

mod support;

use graceful_close::{close, close_with, IfShared, Options, Outcome};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Instant;
use support::unix::{self, fork};
use support::{alone, await_news, c, descriptors, finish, ms, payload, tcp_pair, LONG};

fn releasing() -> Options {
    Options::new().timeout(LONG).if_shared(IfShared::Release)
}

fn duplicate(of: &TcpStream) -> TcpStream {
    of.try_clone().expect("dup")
}

#[test]
#[cfg(target_os = "linux")]
fn a_duplicate_lives_on_after_a_release() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let other = duplicate(&ours);
    let closed = close_with(ours, &releasing()).unwrap();
    assert_eq!(closed.report.outcome, Outcome::Released);
    assert!(closed.report.closed && !closed.report.peer_closed);

    (&other).write_all(b"there").unwrap();
    (&peer).write_all(b"and back").unwrap();
    let mut got = [0; 8];
    (&peer).read_exact(&mut got[..5]).unwrap();
    assert_eq!(&got[..5], b"there");
    (&other).read_exact(&mut got).unwrap();
    assert_eq!(&got, b"and back");

    // The last holder closes for good.
    finish(&peer);
    let last = close_with(other, &releasing()).unwrap();
    assert_eq!(last.report.outcome, Outcome::Graceful);
}

#[test]
#[cfg(target_os = "linux")]
fn releasing_leaves_so_linger_to_the_others() {
    let _alone = alone();
    let (ours, _peer) = tcp_pair();
    let other = duplicate(&ours);
    let linger = Some(ms(3000));
    socket2::SockRef::from(&other).set_linger(linger).unwrap();
    close_with(ours, &releasing()).unwrap();
    assert_eq!(socket2::SockRef::from(&other).linger().unwrap(), linger);
}

#[test]
#[cfg(target_os = "linux")]
fn a_release_does_not_wait() {
    let _alone = alone();
    let (ours, _peer) = tcp_pair();
    let _other = duplicate(&ours);
    let report = close_with(ours, &releasing()).unwrap().report;
    assert_eq!(report.outcome, Outcome::Released);
    support::assert_prompt(report.elapsed);
}

#[test]
fn what_is_not_shared_is_closed_gracefully() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let (_neighbour, _its_peer) = tcp_pair();
    finish(&peer);
    let report = close_with(ours, &releasing()).unwrap().report;
    assert_eq!(report.outcome, Outcome::Graceful);
}

#[test]
fn by_default_the_end_is_everybodys() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let other = duplicate(&ours);
    finish(&peer);
    assert_eq!(close(ours, LONG).unwrap().outcome, Outcome::Graceful);
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    (&other)
        .write(b"too late")
        .expect_err("half-closed for everybody");
}

/// What a child answers.
const ANSWER: usize = 3 << 20;
const PORTION: usize = 32 << 10;

/// The child's half of a server: a long answer, then a graceful close.
fn serve_and_close(raw: i32) -> u8 {
    let mut stream = TcpStream::from(descriptors::own(raw));
    if (0..ANSWER / PORTION).any(|at| {
        stream
            .write_all(payload::at(at * PORTION, PORTION))
            .is_err()
    }) {
        return 3;
    }
    match close(stream, LONG) {
        Ok(report) if report.outcome == Outcome::Graceful => 0,
        _ => 1,
    }
}

/// A server that forks for every connection: the parent is done with it at once
/// and calls `release`, then the child answers. What the client got, and the
/// child's exit code.
fn serve_by_child(release: impl FnOnce(TcpStream)) -> (std::io::Result<usize>, i32) {
    payload::prepare();
    let (ours, peer) = tcp_pair();
    payload::send(&peer, 5000);
    await_news(&ours);
    let (told, tell) = unix::make_pipe();
    let (mut told, mut tell) = (File::from(told), File::from(tell));
    let raw = ours.as_raw_fd();
    let not_the_childs = [peer.as_raw_fd(), tell.as_raw_fd()];
    let child = fork(|| {
        not_the_childs.into_iter().for_each(unix::close);
        match told.read(&mut [0; 1]) {
            Ok(1) => serve_and_close(raw),
            _ => 2,
        }
    });
    release(ours);
    tell.write_all(b"!").unwrap();
    let received = payload::receive(&peer, 32 << 10, ms(0));
    let _ = peer.shutdown(std::net::Shutdown::Write);
    (received, child.join())
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_goes_on_serving_after_the_parents_release() {
    let _alone = alone();
    let (received, code) = serve_by_child(|ours| {
        let report = close_with(ours, &releasing()).unwrap().report;
        assert_eq!(report.outcome, Outcome::Released);
    });
    assert_eq!((received.unwrap(), code), (ANSWER, 0));
}

/// The drop-in: the source of such a server stays as it is.
#[test]
#[cfg(target_os = "linux")]
fn a_forking_server_may_use_the_drop_in() {
    let _alone = alone();
    let (received, code) = serve_by_child(|ours| {
        assert_eq!(c::closesocket(descriptors::into_raw(ours)), 0);
    });
    assert_eq!((received.unwrap(), code), (ANSWER, 0));
}

/// What the header warns of, in bold.
#[test]
fn without_looking_the_child_is_cut_off() {
    let _alone = alone();
    let (received, code) = serve_by_child(|ours| {
        let raw = descriptors::into_raw(ours);
        assert_eq!(c::close(raw, 20), c::TIMED_OUT);
    });
    assert_ne!(code, 0);
    assert_eq!(received.unwrap(), 0);
}

#[test]
fn the_drop_in_keeps_the_return_values_of_closesocket() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    finish(&peer);
    descriptors::set_last_error(77);
    assert_eq!(c::closesocket(descriptors::into_raw(ours)), 0);
    assert_eq!(descriptors::last_error(), 77);
    assert_eq!(c::closesocket(descriptors::NONE), -1);
    assert_eq!(descriptors::last_error(), libc::EBADF);

    // A time-out is no error of closesocket's.
    c::set_default_timeout(30);
    let (ours, _peer) = tcp_pair();
    let raw = descriptors::into_raw(ours);
    let started = Instant::now();
    assert_eq!(c::closesocket(raw), 0);
    support::assert_took(started.elapsed(), ms(30));
    c::set_default_timeout(5000);
}
