//! A bell and poll() for the table of many.

use super::close_raw;
use crate::clock::Time;
use crate::connection::Fault;
use crate::sys::unix::{poll, syscall, RawSocket, Socket};
use libc::c_int;

/// A pipe.
pub(crate) struct Bell {
    read: RawSocket,
    write: RawSocket,
}

impl Bell {
    pub(crate) fn new() -> Result<Bell, Fault> {
        let mut ends: [c_int; 2] = [-1; 2];
        syscall!(libc::pipe(ends.as_mut_ptr()))?;
        let [read, write] = ends;
        for end in ends {
            let _ = syscall!(libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC));
            let _ = syscall!(libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK));
        }
        Ok(Bell { read, write })
    }

    pub(crate) fn socket(&self) -> Socket {
        Socket(self.read)
    }

    pub(crate) fn ring(&self) {
        let _ = syscall!(libc::write(self.write, b"!".as_ptr().cast(), 1));
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0u8; 64];
        let room = bytes.as_mut_ptr().cast();
        while syscall!(libc::read(self.read, room, 64)).is_ok_and(|got| got > 0) {}
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let _ = close_raw(self.read);
        let _ = close_raw(self.write);
    }
}

/// One entry for poll().
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct PollEntry(libc::pollfd);

impl PollEntry {
    pub(crate) fn readable(socket: Socket) -> PollEntry {
        PollEntry(libc::pollfd {
            fd: socket.0,
            events: libc::POLLIN,
            revents: 0,
        })
    }

    pub(crate) fn socket(&self) -> Socket {
        Socket(self.0.fd)
    }

    pub(crate) fn has_event(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits for any of them; whether it could be waited at all.
pub(crate) fn poll_many(entries: &mut [PollEntry], until: Time) -> bool {
    let first = entries.as_mut_ptr().cast::<libc::pollfd>();
    // SAFETY: PollEntry is a pollfd and nothing else; as many as there are.
    poll(
        unsafe { std::slice::from_raw_parts_mut(first, entries.len()) },
        until,
    )
}
