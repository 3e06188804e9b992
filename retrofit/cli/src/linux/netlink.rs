//! The kernel's sockets for questions about sockets (man 7 netlink, sock_diag).

use libc::{c_int, c_void};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

fn result(value: isize) -> io::Result<usize> {
    usize::try_from(value).map_err(|_| io::Error::last_os_error())
}

pub fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers; a descriptor that is returned is ours alone.
    unsafe {
        let fd = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG);
        result(fd as isize)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub fn set(socket: &OwnedFd, name: c_int, value: c_int) -> io::Result<()> {
    let (at, size) = (&value as *const c_int, size_of::<c_int>());
    // SAFETY: the value lives through the call, and has this size.
    let set = unsafe {
        let (level, fd) = (libc::SOL_SOCKET, socket.as_raw_fd());
        libc::setsockopt(fd, level, name, at.cast(), size as libc::socklen_t)
    };
    result(set as isize).map(drop)
}

/// A socket that is not bound gets no messages.
pub fn join(socket: &OwnedFd, groups: u32) -> io::Result<()> {
    // SAFETY: all zeroes is an address of the kernel.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = groups;
    let (at, size) = (
        &address as *const libc::sockaddr_nl,
        size_of::<libc::sockaddr_nl>(),
    );
    // SAFETY: the address lives through the call, and has this size.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), at.cast(), size as libc::socklen_t) };
    result(bound as isize).map(drop)
}

pub fn cookie(socket: &OwnedFd) -> io::Result<u64> {
    let mut cookie = 0u64;
    let mut size = size_of::<u64>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_NETNS_COOKIE);
    let at = (&mut cookie as *mut u64).cast::<c_void>();
    // SAFETY: there is room for the number, of this size.
    let got = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, at, &mut size) };
    result(got as isize).map(|_| cookie)
}

pub fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the bytes live through the call.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    result(sent).map(drop)
}

pub fn receive(socket: &OwnedFd, room: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    let length = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            room.as_mut_ptr().cast(),
            room.len(),
            flags,
        )
    };
    result(length)
}

/// For something to receive, or so long.
pub fn wait(socket: &OwnedFd, limit: Duration) {
    let mut entry = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, which lives through the call.
    unsafe { libc::poll(&mut entry, 1, limit.as_millis() as c_int) };
}
