//! Handing over. WSAAsyncSelect and WSAEventSelect are ended when the close begins
//! ([`Connection::prepare`]).

use super::handle::Socket;
use crate::connection::{Connection, Ends, Fault, Mark};
use crate::sys::hand_over::{HandOver, Probe};
use socket2::SockAddr;
use windows_sys::Win32::Foundation::{SetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT};

impl HandOver for Socket {
    fn ends(self) -> Ends {
        let internet = |address: Result<SockAddr, Fault>| address.ok()?.as_socket();
        Ends {
            local: internet(self.by_socket2(|socket| socket.local_addr())),
            peer: internet(self.by_socket2(|socket| socket.peer_addr())),
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
