//! What the tests of the behaviour share: real sockets in every state, the C
//! functions, and looks behind the system's curtain.

#![allow(dead_code)] // every test program uses a part of it

pub mod c;
pub mod descriptors;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "linux")]
pub mod network;
pub mod payload;
pub mod scenes;
#[cfg(unix)]
pub mod unix;
pub mod wine;

use socket2::SockRef;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Noise that a test puts up with: two busy cores, and Wine.
pub const SLACK: Duration = Duration::from_secs(2);

/// A time-out that no test that goes well comes near to.
pub const LONG: Duration = Duration::from_secs(20);

/// For tests that count descriptors, fork, or use a number that is closed: one
/// at a time in their program.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A connection over loopback: ours (the accepted side) and the peer's.
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    accept_from(&listener)
}

/// The same with small buffers, so that data of ours stays unacknowledged.
pub fn narrow_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let peer = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // Before the connect: the window scale is agreed upon there.
    peer.set_recv_buffer_size(16 << 10).unwrap();
    let address = listener.local_addr().unwrap();
    peer.connect(&address.into()).expect("loopback");
    let ours = listener.accept().expect("the connection").0;
    SockRef::from(&ours).set_send_buffer_size(64 << 10).unwrap();
    (ours, peer.into())
}

pub fn accept_from(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let peer = TcpStream::connect(listener.local_addr().unwrap()).expect("loopback");
    let ours = listener.accept().expect("the connection").0;
    assert_eq!(ours.peer_addr().unwrap(), peer.local_addr().unwrap());
    (ours, peer)
}

/// Closes with a reset.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .expect("SO_LINGER");
    drop(stream);
}

pub fn finish(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("a half-close");
}

/// Waits for what happens in the background.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONG, "in vain: {what}");
        std::thread::sleep(ms(1));
    }
}

/// Waits until something has arrived: data, the end, or a reset.
pub fn await_news(stream: &TcpStream) {
    eventually("news from the peer", || descriptors::has_news(stream));
}

/// Fills both buffers while the peer does not read; how much went in.
pub fn fill(stream: &TcpStream) -> usize {
    use std::io::Write;
    stream.set_nonblocking(true).unwrap();
    let (block, mut total, mut refused) = ([b'x'; 16 << 10], 0, 0);
    // The kernel moves on for a while after the first refusal.
    while refused < 5 {
        match (&*stream).write(&block) {
            Ok(count) => (total, refused) = (total + count, 0),
            Err(_) => {
                refused += 1;
                std::thread::sleep(ms(2));
            }
        }
    }
    stream.set_nonblocking(false).unwrap();
    total
}

/// A test of timing: never early, and late only by noise.
#[track_caller]
pub fn assert_took(elapsed: Duration, at_least: Duration) {
    assert!(elapsed >= at_least, "early: {elapsed:?} of {at_least:?}");
    assert!(
        elapsed < at_least + SLACK,
        "late: {elapsed:?} of {at_least:?}"
    );
}

#[track_caller]
pub fn assert_prompt(elapsed: Duration) {
    assert!(elapsed < SLACK, "waited {elapsed:?}");
}

/// A test that cannot run here says so where nobody misses it: scripts/test
/// puts such lines into its summary.
pub fn skipped(test: &str, reason: &str) {
    use std::io::Write;
    // Not eprintln!: the test harness keeps that to itself. In one piece, and on
    // a line of its own, although the harness is in the middle of one.
    let line = format!("\nSKIPPED: {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
