//! Keep-alive of Winsock.

use super::handle::Socket;
use socket2::TcpKeepalive;
use std::time::Duration;

/// Without anything from the peer until it is asked.
const IDLE: Duration = Duration::from_secs(45);
/// From one question to the next; ten without an answer end the connection, a number that only
/// Windows 10 1703 and later let a program set ("SIO_KEEPALIVE_VALS", "TCP_KEEPCNT").
const INTERVAL: Duration = Duration::from_secs(5);

impl Socket {
    /// Not if the program has turned it on itself; whether it was done.
    pub(super) fn set_keep_alive(self, on: bool) -> bool {
        if !on {
            return self
                .by_socket2(|socket| socket.set_keepalive(false))
                .is_ok();
        }
        if self.by_socket2(|socket| socket.keepalive()) != Ok(false) {
            return false;
        }
        let times = TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL);
        // If they are refused: with the system's times.
        self.by_socket2(|socket| socket.set_tcp_keepalive(&times))
            .is_ok()
            || self.by_socket2(|socket| socket.set_keepalive(true)).is_ok()
    }
}
