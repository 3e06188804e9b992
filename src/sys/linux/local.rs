//! AF_UNIX: has the peer gone? A zero read says so, unless both directions were shut before: by
//! the peer's close, or by the program itself, and reading does not tell one from the other. (The
//! program's SHUT_RD alone and the peer's SHUT_WR look the same to everybody.) The kernel tells the socket at the other end (sock_diag(7), UDIAG_SHOW_PEER): one that has been closed
//! has no number any more (net/unix/diag.c, sk_diag_dump_peer).

use super::identity::stat;
use crate::connection::{Answer, Fault};
use crate::sys::unix::{close_raw, fault, syscall, RawSocket, Socket};
use libc::c_int;
use std::mem::{size_of, size_of_val};

/// linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h.
const NETLINK_SOCK_DIAG: c_int = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;

/// Of the answer: its header, and what it says of the socket itself.
const TYPE_AT: usize = 4;
const ATTRIBUTES_AT: usize = 32;

/// struct nlmsghdr and struct unix_diag_req.
#[repr(C)]
struct Request {
    size: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    protocol: u8,
    padding: u16,
    states: u32,
    inode: u32,
    show: u32,
    cookie: [u32; 2],
}

/// Whether the socket at the other end has been closed. One that nobody has accepted yet has no
/// number either; but what it has not read is still there. `None`: the kernel does not tell, or
/// a sandbox does not let us ask.
pub(super) fn peer_has_gone(socket: Socket) -> Answer<bool> {
    #[allow(clippy::unnecessary_cast)] // wider on most systems
    let inode = stat(socket)?.st_ino as u32;
    let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    let diag = match syscall!(libc::socket(libc::AF_NETLINK, flags, NETLINK_SOCK_DIAG)) {
        Ok(diag) => diag,
        Err(refused) if is_for_want(refused) => return Err(refused),
        Err(_) => return Ok(None),
    };
    let peer = peer_of(diag, inode);
    let _ = close_raw(diag);
    match peer? {
        Some(0) => Ok(Some(socket.unacknowledged()? <= 1)),
        Some(_) => Ok(Some(false)),
        None => Ok(None),
    }
}

/// That may be another time.
fn is_for_want(refused: Fault) -> bool {
    let wants = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    wants.contains(&refused.code)
}

fn peer_of(diag: RawSocket, inode: u32) -> Answer<u32> {
    let request = Request {
        size: size_of::<Request>() as u32,
        kind: SOCK_DIAG_BY_FAMILY,
        flags: NLM_F_REQUEST,
        sequence: 0,
        port: 0,
        family: libc::AF_UNIX as u8,
        protocol: 0,
        padding: 0,
        states: u32::MAX,
        inode,
        show: UDIAG_SHOW_PEER,
        cookie: [u32::MAX; 2],
    };
    let from = std::ptr::from_ref(&request).cast();
    syscall!(libc::send(diag, from, size_of::<Request>(), 0))?;
    let mut answer = [0u32; 64];
    let size = size_of_val(&answer);
    let into = answer.as_mut_ptr().cast();
    let got = syscall!(libc::recv(diag, into, size, libc::MSG_DONTWAIT))?;
    let mut bytes = [0u8; 256];
    for (word, place) in answer.iter().zip(bytes.chunks_exact_mut(4)) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    parse(
        bytes
            .get(..got as usize)
            .ok_or_else(|| fault(libc::EMSGSIZE))?,
    )
}

/// `None`: an error, for one because the socket is of another network namespace.
fn parse(answer: &[u8]) -> Answer<u32> {
    if short(answer, TYPE_AT) != Some(SOCK_DIAG_BY_FAMILY) {
        return Ok(None);
    }
    let mut at = ATTRIBUTES_AT;
    while let (Some(size), Some(kind)) = (short(answer, at), short(answer, at + 2)) {
        let size = usize::from(size);
        if kind == UNIX_DIAG_PEER {
            let number = answer.get(at + 4..at + 8).and_then(|of| of.try_into().ok());
            return Ok(number.map(u32::from_ne_bytes));
        }
        at += size.max(4).next_multiple_of(4);
    }
    Ok(None)
}

fn short(of: &[u8], at: usize) -> Option<u16> {
    let bytes = of.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::peer_has_gone;
    use crate::sys::Socket;
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_peer_that_is_there_and_one_that_has_gone() {
        let (ours, peer) = UnixStream::pair().unwrap();
        let gone = || peer_has_gone(Socket(ours.as_raw_fd()));
        ours.shutdown(Shutdown::Both).unwrap();
        if gone() == Ok(None) {
            // not println!, which the test harness keeps to itself
            let line = b"\nSKIPPED: unix_diag: this kernel does not have it\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
            return;
        }
        assert_eq!(gone(), Ok(Some(false)));
        peer.shutdown(Shutdown::Both).unwrap();
        assert_eq!(gone(), Ok(Some(false)));
        drop(peer);
        assert_eq!(gone(), Ok(Some(true)));
    }

    #[test]
    fn what_nobody_has_accepted_yet_has_not_gone() {
        let path = std::env::temp_dir().join(format!("graceful-close-{}", std::process::id()));
        let _listener = UnixListener::bind(&path).unwrap();
        let mut ours = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        ours.write_all(b"unread").unwrap();
        let gone = peer_has_gone(Socket(ours.as_raw_fd()));
        assert_ne!(gone, Ok(Some(true)));
    }
}
