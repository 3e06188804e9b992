//! Cancelling receives alone: the one overlapped call of the library.
//!
//! CancelIoEx of one TCP receive cancels all receives of the socket, and no send (dotnet/corefx
//! #34212, #36516). The program's receives are not known here, so one of our own is queued behind
//! them and cancelled: of no bytes, and posted to no completion port, since the lowest bit of its
//! event is set ("GetQueuedCompletionStatus"). Wine cancels that one only, which changes nothing.

use super::handle::Socket;
use super::system_dll;
use crate::sys::boxed;
use std::ptr::{addr_of_mut, null, null_mut};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForSingleObject};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};

/// A cancelled receive of Winsock's own is over at once; a layered provider may take its time.
const PATIENCE_MS: u32 = 100;

const NO_PACKET: usize = 1;

/// What the system writes to until the call is over.
struct Call {
    overlapped: OVERLAPPED,
    nothing: u8,
    event: HANDLE,
}

impl Call {
    fn new() -> Option<Box<Call>> {
        // SAFETY: no attributes, set by hand, not set, no name.
        let event = unsafe { CreateEventW(null(), 1, 0, null()) };
        if event.is_null() {
            return None;
        }
        let overlapped = OVERLAPPED {
            hEvent: (event as usize | NO_PACKET) as HANDLE,
            ..OVERLAPPED::default()
        };
        let call = Call {
            overlapped,
            nothing: 0,
            event,
        };
        // A close goes on without memory, too.
        boxed(call).ok()
    }

    /// Whether it is pending then. Data that is there completes it: no other receive is pending
    /// in that case, it would have taken the data.
    fn receive(&mut self, socket: Socket) -> bool {
        let buffer = ws::WSABUF {
            len: 0,
            buf: addr_of_mut!(self.nothing),
        };
        let mut flags = 0u32;
        // SAFETY: `self` is in a box, which lives until the call is over (`cancel_receives`);
        // the other pointers need not outlive the start of the call ("WSARecv").
        let result = unsafe {
            let call = addr_of_mut!(self.overlapped);
            ws::WSARecv(socket.0, &buffer, 1, null_mut(), &mut flags, call, None)
        };
        // SAFETY: takes nothing.
        result != 0 && unsafe { ws::WSAGetLastError() } == ws::WSA_IO_PENDING
    }

    /// Whether it is over then.
    fn cancel(&mut self, socket: Socket) -> bool {
        // SAFETY: a call of this socket; it fails if it is over by now. The event is open.
        unsafe {
            CancelIoEx(socket.0 as HANDLE, addr_of_mut!(self.overlapped));
            WaitForSingleObject(self.event, PATIENCE_MS) == WAIT_OBJECT_0
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: ours, and closed once.
        unsafe { CloseHandle(self.event) };
    }
}

impl Socket {
    /// Cancels the receives of the program that are pending, and none of its sends, where the
    /// system can do that.
    pub(super) fn cancel_receives(self) {
        // A receive would block there, and none can be pending.
        if system_dll::is_synchronous(self.0) != Some(false) {
            return;
        }
        let Some(mut call) = Call::new() else {
            return;
        };
        if call.receive(self) && !call.cancel(self) {
            // The system still writes to it: better some bytes lost.
            std::mem::forget(call);
        }
    }
}
