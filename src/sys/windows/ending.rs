//! closesocket, and what is pending then.

use super::fault::{fault, syscall};
use super::handle::Socket;
use super::started::fresh_socket;
use super::system_dll;
use crate::connection::{Connection, Fault, TcpState};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, Ordering};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::IO::CancelIoEx;

/// What closesocket says when it has not closed.
fn is_still_open(result: Result<(), Fault>) -> bool {
    result.is_err_and(|refused| refused.code == ws::WSAEWOULDBLOCK)
}

/// Whether there was anything to be cancelled, as the system says.
fn cancel_all(socket: Socket) -> bool {
    // SAFETY: a number and no pointer; nothing pending or no such handle makes it fail,
    // harmlessly.
    unsafe { CancelIoEx(socket.0 as _, null_mut()) != 0 }
}

/// CancelIoEx of a socket with nothing pending fails (ERROR_NOT_FOUND); Wine 8 says that it has
/// succeeded. Asked once, of a socket of our own.
fn tells_what_was_pending() -> bool {
    const UNASKED: u8 = 2;
    static TELLS: AtomicU8 = AtomicU8::new(UNASKED);
    let known = TELLS.load(Ordering::Relaxed);
    if known != UNASKED {
        return known == 1;
    }
    let Some(socket) = fresh_socket() else {
        return true;
    };
    let tells = !cancel_all(socket);
    let _ = socket.close_once();
    TELLS.store(u8::from(tells), Ordering::Relaxed);
    tells
}

impl Socket {
    /// A receive still pending would make a reset of the close, so it is cancelled. A send that
    /// is cut and followed by our FIN looks to the peer as if it had everything. So where sends
    /// may be pending, receives are cancelled alone before, and then the close resets as soon as
    /// anything more was cancelled; what was not pending needs nothing.
    pub(super) fn cancel_pending(mut self) {
        let may_cut = !self.has_sent_all();
        if may_cut {
            self.cancel_receives();
            // Before the cut, behind which our FIN leaves.
            self.set_linger(true);
        }
        let was_pending = cancel_all(self);
        if may_cut && !was_pending {
            self.set_linger(false);
        }
    }

    /// No send is pending. The acknowledgement of our FIN, which is queued behind them, proves
    /// it; where the state is not told, room in the send buffer shows it. (Its want does not show
    /// the contrary: that is for CancelIoEx to tell, where it does.)
    fn has_sent_all(&mut self) -> bool {
        match self.tcp_state() {
            Ok(Some(state)) if state.proves_acknowledgement() || state == TcpState::Closed => true,
            Ok(Some(_)) if tells_what_was_pending() => false,
            _ => self.has_room(),
        }
    }

    /// Nothing waits for room in the send buffer. What has no buffer shows nothing by that, and
    /// is left to CancelIoEx, too.
    fn has_room(self) -> bool {
        let events = self.poll(ws::POLLWRNORM, 0).unwrap_or(0);
        let has_room = events & (ws::POLLWRNORM | ws::POLLERR) != 0;
        has_room && (self.is_buffered() || !tells_what_was_pending())
    }

    /// As closesocket: what waits to receive comes back, and nothing is written into the program's
    /// buffers any more. No send is cut: where receives are not cancelled alone, all is cancelled
    /// if the send buffer shows that no send is pending.
    pub(crate) fn give_back_receives(self) {
        self.cancel_receives();
        if self.is_buffered() && self.has_room() {
            cancel_all(self);
        }
    }

    fn is_buffered(self) -> bool {
        self.option(ws::SO_SNDBUF).is_ok_and(|size| size > 0)
    }

    pub(super) fn close_for_certain(self) -> Result<(), Fault> {
        let mut result = self.close_once();
        // Not closed: a linger time on a non-blocking socket ("closesocket").
        if is_still_open(result) {
            self.set_linger(false);
            result = self.close_once();
        }
        if is_still_open(result) {
            self.end_selection();
            self.set_nonblocking(false);
            result = self.close_once();
        }
        result
    }

    pub(crate) fn close_once(self) -> Result<(), Fault> {
        let Some(closesocket) = system_dll::closesocket() else {
            return Err(fault(ws::WSASYSNOTREADY));
        };
        syscall!(closesocket(self.0)).map(drop)
    }
}
