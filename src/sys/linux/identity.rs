//! What tells one socket from another.

use crate::connection::{Fault, FaultKind, Indexed, Mark};
use crate::sys::unix::{syscall, Socket};

impl Indexed for Socket {
    fn index(&self) -> usize {
        self.0 as usize
    }

    fn mark(&self) -> Option<Mark> {
        mark(*self)
    }

    fn is_still(&self, mark: Mark) -> bool {
        is_still(*self, mark)
    }
}

/// In the socket file system every socket has a number of its own (net/socket.c, sock_alloc).
fn mark(socket: Socket) -> Option<Mark> {
    match stat(socket) {
        Ok(stat) => Some(mark_of(&stat)),
        Err(gone) if gone.kind == FaultKind::NotASocket => None,
        // Refused (a seccomp filter). An open socket is not let go for that, half-closed.
        Err(_) => Some(Mark::UNTOLD),
    }
}

fn is_still(socket: Socket, mark: Mark) -> bool {
    match self::mark(socket) {
        Some(now) => now == mark || now == Mark::UNTOLD || mark == Mark::UNTOLD,
        None => false,
    }
}

pub(super) fn stat(socket: Socket) -> Result<libc::stat, Fault> {
    // SAFETY: all zeroes is a valid stat to be overwritten.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    syscall!(libc::fstat(socket.0, &mut stat))?;
    Ok(stat)
}

/// With the file system: a file may have the number of a socket.
#[allow(clippy::unnecessary_cast)] // narrower on some systems
pub(super) fn mark_of(stat: &libc::stat) -> Mark {
    Mark::of((stat.st_ino as u64) ^ (stat.st_dev as u64) << 40)
}
