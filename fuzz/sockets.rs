//! Connections, made quickly.

use std::ffi::c_int;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

/// The program's end, a number as C has it, and the peer's.
pub fn local_pair() -> (c_int, c_int) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (ours.into_raw_fd(), theirs.into_raw_fd())
}

/// The same with TCP. Each connection goes to another address of this machine: the ports of one
/// are used up soon.
pub fn tcp_pair() -> (c_int, c_int) {
    static LISTENER: OnceLock<TcpListener> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let listener = LISTENER.get_or_init(|| TcpListener::bind("0.0.0.0:0").expect("a listener"));
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let address = Ipv4Addr::from(0x7F00_0001 + next % 0x00FF_FF00);
    let port = listener.local_addr().expect("its port").port();
    let theirs = TcpStream::connect((address, port)).expect("connects");
    let (ours, _) = listener.accept().expect("accepts");
    (ours.into_raw_fd(), theirs.into_raw_fd())
}

/// What tells an open file from all others: its device and its inode.
pub type Identity = (libc::dev_t, libc::ino_t);

/// `None`: the number is free. That it is taken does not say that it is the same: a number that has come free may be
/// another thread's for a moment, which looks something up in /proc.
pub fn identity(number: c_int) -> Option<Identity> {
    // SAFETY: plain numbers; any number may be asked, and `is` is as large as the call expects.
    unsafe {
        let mut is: libc::stat = std::mem::zeroed();
        (libc::fstat(number, &mut is) == 0).then_some((is.st_dev, is.st_ino))
    }
}

pub fn close(sock: c_int) {
    if sock >= 0 {
        // SAFETY: the caller's number.
        let closed = unsafe { libc::close(sock) };
        assert_eq!(closed, 0, "{sock} was closed by somebody else");
    }
}

pub fn send(sock: c_int, count: usize) {
    let bytes = [7u8; 4096];
    let count = count.min(bytes.len());
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: so many bytes are there.
    unsafe { libc::send(sock, bytes.as_ptr().cast(), count, flags) };
}

pub fn half_close(sock: c_int) {
    // SAFETY: any number may be shut down.
    unsafe { libc::shutdown(sock, libc::SHUT_WR) };
}

/// The peer resets; its end is gone.
pub fn reset(sock: c_int) {
    // SAFETY: the caller's number.
    let stream = unsafe { TcpStream::from_raw_fd(sock) };
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = std::mem::size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: `linger` is as large as said.
    unsafe {
        libc::setsockopt(
            sock,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
    drop(stream);
}

/// The lowest number that is free: it is another one if a descriptor has been left open.
pub fn lowest_free() -> c_int {
    // SAFETY: duplicates the standard error, and closes that again.
    unsafe {
        let number = libc::dup(2);
        libc::close(number);
        number
    }
}
