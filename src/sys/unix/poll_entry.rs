//! poll() for several sockets.

use super::socket::Socket;
use super::wait::poll;
use crate::clock::Time;

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

    #[cfg_attr(linux_calls, allow(dead_code))]
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
