//! Calls that socket2 has names for.

use super::fault::fault;
use super::handle::Socket;
use crate::connection::Fault;
use socket2::SockRef;
use std::io;
use std::os::windows::io::BorrowedSocket;
use windows_sys::Win32::Networking::WinSock as ws;

impl Socket {
    /// A call that socket2 has.
    pub(in crate::sys) fn by_socket2<T>(
        self,
        call: impl FnOnce(SockRef<'_>) -> io::Result<T>,
    ) -> Result<T, Fault> {
        // No BorrowedSocket may have this number.
        if self.0 == ws::INVALID_SOCKET {
            return Err(fault(ws::WSAENOTSOCK));
        }
        // SAFETY: borrowed for this call only; a number that is not open makes it fail.
        let borrowed = unsafe { BorrowedSocket::borrow_raw(self.0 as _) };
        let refused = |error: io::Error| fault(error.raw_os_error().unwrap_or(ws::WSAEINVAL));
        call(SockRef::from(&borrowed)).map_err(refused)
    }
}
