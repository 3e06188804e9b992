//! The connection gone now: the peer told by a reset, nothing left behind.

mod support;

use graceful_close::abort;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use support::descriptors::{self, identity, into_raw, is_still};
use support::{await_news, c, payload, scenes, tcp_pair, wine};

fn assert_was_reset(peer: &TcpStream) {
    await_news(peer);
    let mut peer = peer;
    let told = peer.read(&mut [0; 8]);
    if let (Ok(0), true) = (&told, wine::hides_resets()) {
        return;
    }
    let told = told.unwrap_err().kind();
    // Winsock's word behind a FIN.
    let aborted = cfg!(windows) && told == ErrorKind::ConnectionAborted;
    assert!(told == ErrorKind::ConnectionReset || aborted, "{told:?}");
}

#[test]
fn the_peer_is_told_by_a_reset() {
    let (ours, peer) = tcp_pair();
    abort(ours).unwrap();
    assert_was_reset(&peer);

    let (ours, peer) = tcp_pair();
    let raw = into_raw(ours);
    let before = identity(raw);
    assert_eq!(c::abort(raw), 0);
    if cfg!(unix) {
        assert!(!is_still(raw, before));
    }
    assert_was_reset(&peer);
}

/// Unread, unsent, half-closed: whatever the connection was in.
#[test]
fn in_every_state_of_a_connection() {
    use std::io::Write;
    if wine::hides_resets() {
        return;
    }
    let (ours, peer) = tcp_pair();
    payload::send(&peer, 1000);
    await_news(&ours);
    abort(ours).unwrap();
    assert_was_reset(&peer);

    let (ours, peer) = support::narrow_pair();
    support::fill(&ours);
    abort(ours).unwrap();
    support::eventually("a reset", || match cfg!(windows) {
        // SO_ERROR tells none there.
        true => (&peer).write(b"?").is_err(),
        false => peer.take_error().unwrap().is_some(),
    });

    let (ours, peer) = tcp_pair();
    support::finish(&peer);
    await_news(&ours);
    abort(ours).unwrap();
    assert_was_reset(&peer);

    // The peer has read our FIN: it can send no more.
    let (ours, peer) = tcp_pair();
    support::finish(&ours);
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    abort(ours).unwrap();
    support::eventually("no more sending", || (&peer).write(b"?").is_err());
}

/// A linger time that the program has left behind must not hold it up.
#[test]
fn no_linger_time_holds_it_up() {
    let (ours, peer) = tcp_pair();
    let linger = Some(support::ms(5000));
    socket2::SockRef::from(&ours).set_linger(linger).unwrap();
    payload::send(&ours, 100_000);
    let started = std::time::Instant::now();
    abort(ours).unwrap();
    support::assert_prompt(started.elapsed());
    drop(peer);
}

#[test]
#[cfg(target_os = "linux")]
fn a_duplicate_does_not_keep_it() {
    use std::io::Write;
    let (ours, peer) = tcp_pair();
    let other = ours.try_clone().unwrap();
    abort(ours).unwrap();
    assert_was_reset(&peer);
    (&other).write(b"?").expect_err("the connection is gone");
}

#[test]
#[cfg(target_os = "linux")]
fn a_blocked_reader_does_not_keep_it() {
    let (ours, peer) = tcp_pair();
    let mut other = ours.try_clone().unwrap();
    let reading = std::thread::spawn(move || other.read(&mut [0; 8]).map_or(0, |bytes| bytes));
    std::thread::sleep(support::ms(50));
    abort(ours).unwrap();
    assert_was_reset(&peer);
    assert_eq!(reading.join().unwrap(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left_in_the_tables() {
    use support::network::{in_own_network, TIME_WAIT};
    in_own_network("abort", |network| {
        for finished in [false, true] {
            let (ours, peer) = tcp_pair();
            let ports = [ours.local_addr().unwrap(), peer.local_addr().unwrap()];
            if finished {
                support::finish(&ours);
            }
            abort(ours).unwrap();
            drop(peer);
            let left = network.connections();
            let ours = |(port, _): &&(u16, u8)| ports.iter().any(|at| at.port() == *port);
            assert_eq!(left.iter().find(ours), None);
        }
        // The control: a graceful close leaves its TIME_WAIT.
        let (ours, peer) = tcp_pair();
        let port = ours.local_addr().unwrap().port();
        let closing = std::thread::spawn(|| graceful_close::close(ours, support::LONG));
        let _ = (&peer).read(&mut [0; 8]);
        drop(peer);
        closing.join().unwrap().unwrap();
        assert!(network.connections().contains(&(port, TIME_WAIT)));
    });
}

/// Who closes first is left with TIME_WAIT: the peer, if it is given the time.
#[test]
#[cfg(target_os = "linux")]
fn time_wait_falls_on_the_peer_that_closes_first() {
    use graceful_close::{close_with, Options, Outcome};
    use support::network::{in_own_network, TIME_WAIT};
    in_own_network("abort, peer first", |network| {
        let (ours, peer) = tcp_pair();
        let port = ours.local_addr().unwrap().port();
        let peers = peer.local_addr().unwrap().port();
        let closing = std::thread::spawn(|| {
            let patient = Options::new().timeout(support::LONG);
            close_with(ours, &patient.peer_first(support::ms(10_000)))
        });
        std::thread::sleep(support::ms(30));
        drop(peer);
        let report = closing.join().unwrap().unwrap().report;
        assert_eq!(report.outcome, Outcome::Graceful);
        let left = network.connections();
        assert!(left.contains(&(peers, TIME_WAIT)), "{left:?}");
        assert!(!left
            .iter()
            .any(|(at, state)| *at == port && *state == TIME_WAIT));
    });
}

#[test]
fn without_a_connection_it_is_a_plain_close() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    abort(listener).unwrap();
    TcpStream::connect(address).expect_err("nobody listens");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    abort(socket).unwrap();
    UdpSocket::bind(address).expect("the port is free");

    for build in [
        scenes::fresh,
        scenes::bound,
        scenes::connecting,
        scenes::refused,
    ] {
        let Some(scene) = build() else {
            // Wine 10 answers getpeername() before it is connected.
            assert_eq!(wine::version(), Some(10));
            continue;
        };
        let before = identity(scene.raw);
        assert_eq!(c::abort(scene.raw), 0);
        if cfg!(unix) {
            assert!(!is_still(scene.raw, before));
        }
    }
}

#[test]
fn the_dead_are_closed() {
    for build in [scenes::was_reset, scenes::half_closed_by_both] {
        let scene = build().unwrap();
        let before = identity(scene.raw);
        assert_eq!(c::abort(scene.raw), 0);
        if cfg!(unix) {
            assert!(!is_still(scene.raw, before));
        }
    }
}

#[test]
fn what_is_no_socket_stays_untouched() {
    assert_eq!(c::abort(descriptors::NONE), c::ERR_NOT_A_SOCKET);
    assert_eq!(c::abort(987_654), c::ERR_NOT_A_SOCKET);
    #[cfg(unix)]
    for build in [support::unix::pipe, support::unix::file] {
        let scene = build().unwrap();
        let before = identity(scene.raw);
        assert_eq!(c::abort(scene.raw), c::ERR_NOT_A_SOCKET);
        assert!(is_still(scene.raw, before));
        drop(descriptors::own(scene.raw));
    }
}

#[test]
#[cfg(unix)]
fn a_unix_stream_is_closed() {
    use std::os::unix::net::UnixStream;
    let (ours, mut peer) = UnixStream::pair().unwrap();
    abort(ours).unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
#[cfg(unix)]
fn a_refusal_hands_the_socket_back() {
    let (read, _write) = support::unix::make_pipe();
    let refused = abort(read).unwrap_err();
    assert_eq!(refused.system_error().raw_os_error(), Some(libc::ENOTSOCK));
    let before = identity(descriptors::raw(&refused.into_socket()));
    assert!(before.is_some());
}
