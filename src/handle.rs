//! One closing in the caller's own event loop: no thread, no blocking call.

use crate::clock::{Clock, SystemClock, Time};
use crate::closing::{End, Machine, Next, Sink, Watch};
use crate::connection::{Connection, Fault};
use crate::log::{self, Ends};
use crate::options::{Options, INFINITE};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::set::{Indexed, Mark};
use crate::sys::Socket;

/// A machine and what its last step said.
pub(crate) struct Handle {
    socket: Socket,
    machine: Machine,
    next: Next,
    /// For the log, if anybody listens.
    ends: Option<Ends>,
    /// When it ended.
    ended: Option<Time>,
    /// What tells the socket from a later one with its number. `None`: it was not open.
    mark: Option<Mark>,
}

impl Handle {
    /// Only looks what it is; the deadline counts from here.
    pub(crate) fn new(mut socket: Socket, options: &Options) -> Result<Handle, Fault> {
        let kind = socket.classify()?;
        let mut machine = Machine::new(options, SystemClock.now());
        machine.classified(kind);
        machine.keep_selection();
        Ok(Handle {
            socket,
            machine,
            next: Next::Again,
            ends: log::is_on().then(|| socket.ends()),
            ended: None,
            mark: socket.mark(),
        })
    }

    /// Goes on as far as it can without waiting; after the end it changes
    /// nothing. How it ended, if it has.
    pub(crate) fn step(&mut self, sink: &mut Sink<'_>) -> Option<End> {
        if self.ended.is_none() && self.is_ours() {
            self.next = self.machine.step(&mut self.socket, &SystemClock, sink);
            // A level-triggered loop would be woken by it for ever.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            if self.machine.is_tcp() && self.wants_read() {
                self.socket.drop_notice();
            }
            self.note_end();
        }
        self.machine.end()
    }

    /// Ends it by its fallback, if it has not ended.
    pub(crate) fn give_up(&mut self) {
        if self.ended.is_none() && self.is_ours() {
            self.machine.give_up(&mut self.socket, Outcome::Evicted);
            self.note_end();
        }
    }

    /// Whether the number is still that of the same open socket. What the program has closed
    /// meanwhile is let go, and what has the number now is left alone.
    fn is_ours(&mut self) -> bool {
        if self.mark.is_some_and(|mark| self.socket.is_still(mark)) {
            return true;
        }
        self.machine.abandon();
        self.note_end();
        false
    }

    fn note_end(&mut self) {
        if self.machine.has_ended() {
            self.next = Next::Ended;
            self.ended = Some(SystemClock.now());
            self.machine.record(self.ends.as_ref(), &SystemClock);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.report(Outcome::Uncertain).closed
    }

    pub(crate) fn socket(&self) -> Socket {
        self.socket
    }

    /// Milliseconds until it wants the next step at the latest, rounded up.
    pub(crate) fn timeout_ms(&self) -> u32 {
        let until = match self.next {
            Next::Again => return 0,
            Next::Ended => return INFINITE,
            Next::Wait(wait) => match wait.watch {
                Watch::Readable => wait.until,
                // A level-triggered loop is told nothing of an acknowledgement.
                Watch::Change | Watch::Acknowledged => wait.recheck,
            },
        };
        match until.millis_from(SystemClock.now()) {
            None => INFINITE,
            Some(ms) => u32::try_from(ms).unwrap_or(INFINITE - 1),
        }
    }

    /// Whether watching for something to read makes sense, or would spin.
    pub(crate) fn wants_read(&self) -> bool {
        match self.next {
            Next::Again => true,
            Next::Wait(wait) => wait.watch != Watch::Change,
            Next::Ended => false,
        }
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.machine.end()
    }

    /// What is known of it; as of its end, if it has ended.
    pub(crate) fn report(&self, outcome: Outcome) -> Report {
        let now = self.ended.unwrap_or_else(|| SystemClock.now());
        self.machine.report(outcome, now)
    }
}
