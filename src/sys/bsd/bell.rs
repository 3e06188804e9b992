//! A bell and poll() for the table of many.

use crate::connection::Fault;
use crate::sys::hand_over::HandOver;
use crate::sys::unix::{close_raw, syscall, RawSocket, Socket};
use libc::c_int;

/// A pair of sockets, as send() and recv() fail on everything else; and only while they are
/// still the same: the program may have closed them.
pub(crate) struct Bell {
    read: RawSocket,
    write: RawSocket,
    /// What fstat() tells of either.
    identities: [Option<Identity>; 2],
}

type Identity = (libc::dev_t, libc::ino_t);

fn identity(fd: RawSocket) -> Option<Identity> {
    // SAFETY: all zeroes is a valid stat to be overwritten.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    syscall!(libc::fstat(fd, &mut stat)).ok()?;
    (stat.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some((stat.st_dev, stat.st_ino))
}

/// Of the family that a bell has, without a name.
fn is_nameless(fd: RawSocket) -> bool {
    let ends = Socket(fd).ends();
    ends.local.is_none() && ends.peer.is_none()
}

impl Bell {
    pub(crate) fn new() -> Result<Bell, Fault> {
        let mut ends: [c_int; 2] = [-1; 2];
        let kind = libc::SOCK_STREAM;
        syscall!(libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()))?;
        for end in ends {
            Socket(end).keep_from_children();
            let _ = syscall!(libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK));
        }
        // The low numbers are the program's.
        let ends = ends.map(|end| Socket(end).out_of_the_way().0);
        let [read, write] = ends;
        Ok(Bell {
            read,
            write,
            identities: ends.map(identity),
        })
    }

    /// Both are still what they were, as far as the system tells.
    pub(crate) fn is_ours(&self) -> bool {
        let ends = [self.read, self.write];
        ends.map(identity) == self.identities && ends.into_iter().all(is_nameless)
    }

    pub(crate) fn socket(&self) -> Socket {
        Socket(self.read)
    }

    pub(crate) fn ring(&self) {
        if self.is_ours() {
            let flags = libc::MSG_DONTWAIT;
            let _ = syscall!(libc::send(self.write, b"!".as_ptr().cast(), 1, flags));
        }
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0u8; 64];
        let room = bytes.as_mut_ptr().cast();
        let flags = libc::MSG_DONTWAIT;
        while self.is_ours()
            && syscall!(libc::recv(self.read, room, 64, flags)).is_ok_and(|got| got > 0)
        {}
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.is_ours() {
            let _ = close_raw(self.read);
            let _ = close_raw(self.write);
        }
    }
}
