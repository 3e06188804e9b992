//! WSAPoll for several sockets.

use super::handle::Socket;
use super::wait::millis_until;
use crate::clock::Time;
use windows_sys::Win32::Networking::WinSock as ws;

/// One entry for WSAPoll.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct PollEntry(ws::WSAPOLLFD);

impl PollEntry {
    pub(crate) fn readable(socket: Socket) -> PollEntry {
        PollEntry(ws::WSAPOLLFD {
            fd: socket.0,
            events: ws::POLLRDNORM,
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
    let limit = millis_until(until);
    // SAFETY: PollEntry is a WSAPOLLFD and nothing else; as many as said.
    let result = unsafe { ws::WSAPoll(entries.as_mut_ptr().cast(), entries.len() as u32, limit) };
    result != ws::SOCKET_ERROR || entries.iter().any(PollEntry::has_event)
}
