//! A socket in every state that a program may close it in.

use super::descriptors::{into_raw, raw, with_ref, Raw, NONE};
use super::{accept_from, await_news, eventually, finish, reset, tcp_pair};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::any::Any;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream, UdpSocket};

/// The descriptor to be closed, and what must stay alive meanwhile.
pub struct Scene {
    pub raw: Raw,
    _others: Box<dyn Any>,
}

/// `None`: this system has no such thing.
pub type Build = fn() -> Option<Scene>;

#[cfg(unix)]
pub fn scene(ours: impl std::os::fd::IntoRawFd, others: impl Any) -> Option<Scene> {
    of_raw(into_raw(ours), others)
}

#[cfg(windows)]
pub fn scene(ours: impl std::os::windows::io::IntoRawSocket, others: impl Any) -> Option<Scene> {
    of_raw(into_raw(ours), others)
}

fn of_raw(raw: Raw, others: impl Any) -> Option<Scene> {
    Some(Scene {
        raw,
        _others: Box::new(others),
    })
}

fn tcp() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

fn any_port() -> SockAddr {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()
}

pub fn fresh() -> Option<Scene> {
    scene(tcp(), ())
}

pub fn bound() -> Option<Scene> {
    let socket = tcp();
    socket.bind(&any_port()).unwrap();
    scene(socket, ())
}

pub fn listening() -> Option<Scene> {
    scene(TcpListener::bind("127.0.0.1:0").unwrap(), ())
}

pub fn listening_with_a_caller() -> Option<Scene> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    scene(listener, caller)
}

/// The listener's queue is full, so its system does not answer.
pub fn connecting() -> Option<Scene> {
    let listener = tcp();
    listener.bind(&any_port()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut callers = Vec::new();
    while callers.len() < 10 {
        let caller = tcp();
        caller.set_nonblocking(true).unwrap();
        let _ = caller.connect(&address);
        std::thread::sleep(super::ms(5));
        let waits = caller.peer_addr().is_err() && caller.take_error().unwrap().is_none();
        callers.push(caller);
        if waits {
            let last = callers.pop().unwrap();
            last.set_nonblocking(false).unwrap();
            return scene(last, (listener, callers));
        }
    }
    None
}

pub fn refused() -> Option<Scene> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let socket = tcp();
    socket.connect(&address.into()).expect_err("nobody listens");
    scene(socket, ())
}

/// Refused, and the program has not asked yet.
pub fn refused_unseen() -> Option<Scene> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let socket = tcp();
    socket.set_nonblocking(true).unwrap();
    let _ = socket.connect(&address.into());
    let stream = TcpStream::from(socket);
    await_news(&stream);
    scene(stream, ())
}

pub fn idle_peer() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    scene(ours, peer)
}

pub fn connected_side() -> Option<Scene> {
    let (peer, ours) = tcp_pair();
    scene(ours, peer)
}

pub fn over_ipv6() -> Option<Scene> {
    let listener = TcpListener::bind("[::1]:0").ok()?;
    let (ours, peer) = accept_from(&listener);
    finish(&peer);
    await_news(&ours);
    scene(ours, peer)
}

pub fn peer_gone() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    drop(peer);
    await_news(&ours);
    scene(ours, ())
}

pub fn peer_finished() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    scene(ours, peer)
}

pub fn peer_finished_5_unread() -> Option<Scene> {
    let (ours, peer) = with_five();
    finish(&peer);
    settle();
    scene(ours, peer)
}

pub fn peer_finished_and_seen() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 0);
    scene(ours, peer)
}

pub fn half_closed_by_us() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&ours);
    scene(ours, peer)
}

pub fn half_closed_by_both() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&ours);
    finish(&peer);
    await_end(&ours);
    scene(ours, peer)
}

pub fn half_closed_by_both_we_connected() -> Option<Scene> {
    let (peer, ours) = tcp_pair();
    finish(&ours);
    finish(&peer);
    await_end(&ours);
    scene(ours, peer)
}

pub fn half_closed_by_both_peer_first() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    finish(&ours);
    await_end(&ours);
    scene(ours, peer)
}

pub fn half_closed_by_both_5_unread() -> Option<Scene> {
    let (ours, peer) = with_five();
    finish(&ours);
    finish(&peer);
    await_end(&ours);
    scene(ours, peer)
}

pub fn was_reset() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    reset(peer);
    await_news(&ours);
    scene(ours, ())
}

pub fn was_reset_5_unread() -> Option<Scene> {
    let (ours, peer) = with_five();
    reset(peer);
    settle();
    scene(ours, ())
}

pub fn reset_seen_by_recv() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    reset(peer);
    await_news(&ours);
    let _ = (&ours).read(&mut [0; 8]);
    scene(ours, ())
}

pub fn reset_seen_by_send() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    reset(peer);
    await_news(&ours);
    (&ours)
        .write(b"into the void")
        .expect_err("the connection is gone");
    scene(ours, ())
}

pub fn reset_seen_by_so_error() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    reset(peer);
    await_news(&ours);
    let _ = SockRef::from(&ours).take_error();
    scene(ours, ())
}

pub fn finished_then_reset() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    reset(peer);
    settle();
    scene(ours, ())
}

/// Both the FIN and the reset have come, and the program has taken the error.
pub fn finished_then_reset_seen_by_so_error() -> Option<Scene> {
    let scene = finished_then_reset()?;
    with_ref(scene.raw, |socket| {
        assert!(socket.take_error().unwrap().is_some())
    });
    Some(scene)
}

/// As a server sees it whose client has lost interest in the answer.
pub fn finished_then_reset_seen_by_send() -> Option<Scene> {
    let scene = finished_then_reset()?;
    with_ref(scene.raw, |socket| {
        socket.send(b"the answer").expect_err("gone")
    });
    Some(scene)
}

pub fn finished_then_reset_seen_we_connected() -> Option<Scene> {
    let (peer, ours) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    reset(peer);
    settle();
    assert!(ours.take_error().unwrap().is_some());
    scene(ours, ())
}

/// The peer did not take what we had sent.
pub fn reset_with_ours_unread() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    (&ours).write_all(b"nobody reads this").unwrap();
    await_news(&peer);
    drop(peer);
    settle();
    scene(ours, ())
}

pub fn deaf() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    ours.shutdown(Shutdown::Read).unwrap();
    scene(ours, peer)
}

pub fn deaf_then_peer_finished() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    ours.shutdown(Shutdown::Read).unwrap();
    finish(&peer);
    settle();
    scene(ours, peer)
}

/// What many old programs do before closesocket.
pub fn shut_both_ways() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    ours.shutdown(Shutdown::Both).unwrap();
    scene(ours, peer)
}

pub fn shut_both_ways_then_peer_finished() -> Option<Scene> {
    let (ours, peer) = tcp_pair();
    ours.shutdown(Shutdown::Both).unwrap();
    finish(&peer);
    settle();
    scene(ours, peer)
}

pub fn datagram() -> Option<Scene> {
    scene(UdpSocket::bind("127.0.0.1:0").unwrap(), ())
}

pub fn connected_datagram() -> Option<Scene> {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    ours.connect(peer.local_addr().unwrap()).unwrap();
    scene(ours, peer)
}

pub fn no_descriptor() -> Option<Scene> {
    of_raw(NONE, ())
}

pub fn absurd_number() -> Option<Scene> {
    of_raw(987_654, ())
}

/// Five bytes from the peer have arrived.
fn with_five() -> (TcpStream, TcpStream) {
    let (ours, peer) = tcp_pair();
    (&peer).write_all(b"12345").unwrap();
    await_news(&ours);
    (ours, peer)
}

/// Where nothing can be waited for. Over loopback a segment is there when the
/// call that sent it returns, if the machine is not very busy.
fn settle() {
    std::thread::sleep(super::ms(5));
}

/// Both FINs are exchanged and acknowledged.
#[cfg(target_os = "linux")]
fn await_end(ours: &TcpStream) {
    const CLOSED: u8 = 7;
    let fd = raw(ours);
    eventually("both ends", || super::linux::tcp_state_of(fd) == CLOSED);
}

#[cfg(not(target_os = "linux"))]
fn await_end(ours: &TcpStream) {
    let _ = raw(ours);
    eventually("news", || super::descriptors::has_news(ours));
    settle();
}
