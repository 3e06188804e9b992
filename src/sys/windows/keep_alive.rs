//! Keep-alive of Winsock.

use super::handle::Socket;
use socket2::{SockRef, TcpKeepalive};
use std::os::windows::io::BorrowedSocket;
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock as ws;

/// Without anything from the peer until it is asked.
const IDLE: Duration = Duration::from_secs(45);
/// From one question to the next; ten without an answer end the connection, a number that only
/// Windows 10 1703 and later let a program set ("SIO_KEEPALIVE_VALS", "TCP_KEEPCNT").
const INTERVAL: Duration = Duration::from_secs(5);

impl Socket {
    /// Not if the program has turned it on itself; whether it was done.
    pub(super) fn set_keep_alive(self, on: bool) -> bool {
        if self.0 == ws::INVALID_SOCKET {
            return false;
        }
        // SAFETY: borrowed for these calls only; a number that is not open makes them fail.
        let borrowed = unsafe { BorrowedSocket::borrow_raw(self.0 as _) };
        let socket = SockRef::from(&borrowed);
        if !on {
            return socket.set_keepalive(false).is_ok();
        }
        if !matches!(socket.keepalive(), Ok(false)) {
            return false;
        }
        let times = TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL);
        if socket.set_tcp_keepalive(&times).is_err() {
            // With the system's times.
            return socket.set_keepalive(true).is_ok();
        }
        true
    }
}
