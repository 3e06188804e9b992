//! Keep-alive of POSIX systems: what they do not have is left out.

use super::socket::Socket;
use libc::{c_int, SO_KEEPALIVE};

/// Seconds without anything from the peer until it is asked.
const IDLE_SECONDS: c_int = 45;
/// Seconds from one question to the next.
const INTERVAL_SECONDS: c_int = 10;
/// So many questions without an answer end the connection.
const QUESTIONS: c_int = 5;

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd"
))]
const TIMES: [(c_int, c_int); 3] = [
    (libc::TCP_KEEPIDLE, IDLE_SECONDS),
    (libc::TCP_KEEPINTVL, INTERVAL_SECONDS),
    (libc::TCP_KEEPCNT, QUESTIONS),
];
#[cfg(target_vendor = "apple")]
const TIMES: [(c_int, c_int); 3] = [
    (libc::TCP_KEEPALIVE, IDLE_SECONDS),
    (libc::TCP_KEEPINTVL, INTERVAL_SECONDS),
    (libc::TCP_KEEPCNT, QUESTIONS),
];
/// OpenBSD has the system's times alone; the unit of DragonFly's is another one.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_vendor = "apple"
)))]
const TIMES: [(c_int, c_int); 0] = [];

impl Socket {
    /// Not if the program has turned it on itself; whether it was done.
    pub(in crate::sys) fn set_keep_alive(self, on: bool) -> bool {
        let level = libc::SOL_SOCKET;
        if on && self.option(level, SO_KEEPALIVE) != Ok(0) {
            return false;
        }
        if on {
            // First, so that the clock starts with them.
            for (name, value) in TIMES {
                let _ = self.set_option(libc::IPPROTO_TCP, name, value);
            }
        }
        self.set_option(level, SO_KEEPALIVE, c_int::from(on))
            .is_ok()
    }
}
