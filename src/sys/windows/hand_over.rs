//! Handing over. WSAAsyncSelect and WSAEventSelect are ended when the close begins
//! ([`Connection::prepare`]).

use super::handle::Socket;
use crate::connection::{Connection, Ends, Fault, Mark};
use crate::sys::hand_over::{HandOver, Probe};
use socket2::SockRef;
use std::os::windows::io::BorrowedSocket;
use windows_sys::Win32::Foundation::{SetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT};
use windows_sys::Win32::Networking::WinSock as ws;

impl HandOver for Socket {
    fn ends(self) -> Ends {
        if self.0 == ws::INVALID_SOCKET {
            return Ends::default();
        }
        // SAFETY: borrowed for these calls only; a number that is not open makes
        // them fail.
        let borrowed = unsafe { BorrowedSocket::borrow_raw(self.0 as _) };
        let socket = SockRef::from(&borrowed);
        let internet = |address: std::io::Result<socket2::SockAddr>| address.ok()?.as_socket();
        Ends {
            local: internet(socket.local_addr()),
            peer: internet(socket.peer_addr()),
        }
    }

    fn keep_from_children(self) {
        // SAFETY: a number and flags; what is no handle makes it fail.
        unsafe { SetHandleInformation(self.0 as HANDLE, HANDLE_FLAG_INHERIT, 0) };
    }
}

impl Probe for Socket {
    fn check(mut self) -> Result<Mark, Fault> {
        self.classify()?;
        Ok(self.ends_mark())
    }
}
