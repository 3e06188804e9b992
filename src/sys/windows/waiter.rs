//! Waiting for one socket.

use super::event::Event;
use super::handle::Socket;
use super::wait::nap;
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Wait, Watch};
use windows_sys::Win32::Networking::WinSock::POLLRDNORM;

/// How long to pause where waiting for an event does not work.
const PAUSE_MS: u32 = 10;

/// Waits for one socket.
pub(crate) struct Waiter {
    /// The last wait ended with news that are none to a reader.
    in_vain: bool,
    /// Set by what comes in, from the first wait on.
    event: Option<Event>,
    has_waited: bool,
}

impl Waiter {
    /// For one among several: it waits for nothing that they are not looked at for.
    pub(crate) const TELLS_MORE: bool = false;

    pub(crate) fn new() -> Waiter {
        Waiter {
            in_vain: false,
            event: None,
            has_waited: false,
        }
    }

    /// Returns when a step may be worth while, or the time is up.
    pub(crate) fn wait(&mut self, socket: Socket, wait: Wait) {
        match wait.watch {
            Watch::Readable => self.wait_readable(socket, wait.until),
            // No event tells of an acknowledgement.
            Watch::Acknowledged => self.wait_readable(socket, wait.recheck),
            Watch::Change => nap(wait.recheck),
        }
    }

    /// An end or an error is answered by the next receive, which ends the wait
    /// for data. Should it not, a pause keeps the next one from spinning; and so
    /// after a wait that fails.
    fn wait_readable(&mut self, socket: Socket, until: Time) {
        if self.in_vain {
            nap(until.min(SystemClock.now().plus_millis(PAUSE_MS)));
        }
        // Once only: later the handle may be another one's.
        if !std::mem::replace(&mut self.has_waited, true) {
            self.event = Event::of(socket);
        }
        self.in_vain = match socket.wait_by(self.event.as_ref(), until) {
            Ok(0) => false,
            Ok(events) => events & POLLRDNORM == 0,
            Err(_) => true,
        };
    }

    /// Leaves no trace on a socket that stays open.
    pub(crate) fn leave(&mut self, socket: Socket) {
        if self.event.take().is_some() {
            socket.end_selection();
        }
    }
}
