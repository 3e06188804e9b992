//! What a blocking close waits by.

use crate::connection::{Wait, Watch};
use crate::sys::unix::{nap, Socket};

/// Waits for one socket.
pub(crate) struct Waiter;

impl Waiter {
    /// For one among several: it waits for what poll() does not tell.
    pub(crate) const TELLS_MORE: bool = false;

    pub(crate) fn new() -> Waiter {
        Waiter
    }

    /// Returns when a step may be worth while, or the time is up.
    pub(crate) fn wait(&mut self, socket: Socket, wait: Wait) {
        match wait.watch {
            Watch::Readable => {
                socket.poll_readable(wait.until);
            }
            Watch::Acknowledged => {
                socket.poll_readable(wait.recheck);
            }
            Watch::Change => nap(wait.recheck),
        }
    }

    /// Leaves no trace on a socket that stays open: there is none.
    pub(crate) fn leave(&mut self, _socket: Socket) {}
}
