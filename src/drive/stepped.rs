//! One closing in the caller's own event loop: no thread, no blocking call.

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Connection, Fault, Indexed, Mark, TcpState, Watch};
use crate::drive::job::{self, step, Sink};
use crate::log::{self, About};
use crate::machine::{End, Machine, Next};
use crate::options::{Options, INFINITE};
use crate::outcome::Outcome;
use crate::reaper;
use crate::report::Report;
use crate::sys::{Probe, Socket};

/// A machine and what its last step said.
pub(crate) struct Handle {
    socket: Socket,
    /// What tells it from a later one that has its number.
    mark: Mark,
    machine: Machine,
    next: Next,
    /// For the log, if anybody listens.
    about: Option<About>,
    /// When it ended.
    ended: Option<Time>,
}

impl Handle {
    /// Only looks whether it is a socket; the deadline counts from here. What kind it is, and
    /// whether it is connected, is asked by the first step: it may change until then.
    pub(crate) fn new(socket: Socket, options: &Options) -> Result<Handle, Fault> {
        let mark = socket.check()?;
        let mut machine = Machine::new(options, SystemClock.now());
        machine.keep_selection();
        Ok(Handle {
            socket,
            mark,
            machine,
            next: Next::Again,
            about: log::about(socket),
            ended: None,
        })
    }

    /// Goes on as far as it can without waiting; after the end it changes
    /// nothing. How it ended, if it has.
    pub(crate) fn step(&mut self, sink: &mut Sink<'_>) -> Option<End> {
        if self.ended.is_none() && self.is_ours() {
            let (machine, mark) = (&mut self.machine, Some(self.mark));
            self.next = step(machine, &mut self.socket, mark, &SystemClock, sink);
            // A level-triggered loop would be woken by it for ever.
            #[cfg(linux_calls)]
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
            job::give_up(&mut self.machine, &mut self.socket, Outcome::Evicted);
            self.note_end();
        }
    }

    /// Whether the number is still that of the same open socket. What the program has closed
    /// meanwhile is let go, and what has the number now is left alone.
    fn is_ours(&mut self) -> bool {
        if self.socket.is_still(self.mark) {
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
            if self.machine.is_continued() {
                reaper::go_on_with(self.socket, &mut self.machine, self.about.as_ref());
            }
            job::record(&self.machine, self.about.as_ref(), &SystemClock);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.report(Outcome::Uncertain).closed
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

    /// What is known of it: of its end, or at this moment.
    pub(crate) fn report(&self, outcome: Outcome) -> Report {
        match self.ended {
            Some(ended) => self.machine.report(outcome, ended),
            None => self.so_far().report(0),
        }
    }

    /// What its last step has left, to be told also while the next one is under way.
    pub(crate) fn so_far(&self) -> SoFar {
        SoFar {
            socket: self.socket,
            mark: self.mark,
            report: self.machine.report(Outcome::Uncertain, Time::from_nanos(0)),
            began: self.machine.began(),
        }
    }
}

/// A closing that has not ended.
#[derive(Clone, Copy)]
pub(crate) struct SoFar {
    socket: Socket,
    mark: Mark,
    report: Report,
    began: Time,
}

impl SoFar {
    /// What has come in by now, with `more` bytes since; what the peer has not acknowledged is
    /// asked now.
    pub(crate) fn report(self, more: usize) -> Report {
        Report {
            drained_bytes: self.report.drained_bytes.saturating_add(more),
            unacked_bytes: self.unacked(),
            elapsed: SystemClock.now().since(self.began),
            ..self.report
        }
    }

    fn unacked(mut self) -> Option<usize> {
        let state = match self.socket.is_still(self.mark) {
            true => self.socket.tcp_state().ok().flatten()?,
            false => return None,
        };
        if state.proves_acknowledgement() {
            return Some(0);
        }
        let left = self.socket.in_flight().ok().flatten()?;
        let has_fin = matches!(
            state,
            TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck
        );
        Some(left.saturating_sub(usize::from(has_fin)))
    }
}
