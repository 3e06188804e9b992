//! What tells one socket from another.

use super::handle::Socket;
use crate::connection::{Indexed, Mark};
use crate::sys::hand_over::Probe;
use windows_sys::Win32::Networking::WinSock as ws;

impl Socket {
    /// How getsockname refuses a socket that has not been bound ("getsockname").
    pub(in crate::sys) const NOT_BOUND: Option<i32> = Some(ws::WSAEINVAL);

    pub(in crate::sys) fn is_listening(self) -> bool {
        self.option(ws::SO_ACCEPTCONN).is_ok_and(|on| on != 0)
    }
}

/// Handles go by four.
impl Indexed for Socket {
    fn index(&self) -> usize {
        self.0 / 4
    }

    fn mark(&self) -> Option<Mark> {
        self.check().ok()
    }

    /// A handle is given out again at once, and nothing tells an old socket from a new one but
    /// their ends, while they are known.
    fn is_still(&self, mark: Mark) -> bool {
        self.check().is_ok_and(|now| now.may_be(mark))
    }
}
