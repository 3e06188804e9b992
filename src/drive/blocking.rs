//! The blocking form: one machine, driven to its end on the caller's thread.

use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, Fault, Indexed, Kind, Mark, TcpState};
use crate::drive::job::{self, step, Sink};
use crate::log::{self, About};
use crate::machine::{End, Machine, Next};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::reaper;
use crate::report::Report;
use crate::stats;
use crate::sys::{Socket, Waiter};

/// A close in progress on the caller's stack. It outlives a panic on its way,
/// so that what has become of the socket can be told then, too.
pub(crate) struct Blocking {
    socket: Socket,
    machine: Machine,
    /// For the log, if anybody listens.
    about: Option<About>,
    /// Known from the first step on that was not the last one, or before a reader is called.
    mark: Option<Mark>,
}

impl Blocking {
    /// Nothing happens yet; with a report to be made the deadline counts from here,
    /// without one from the first look at the clock.
    pub(crate) fn new(socket: Socket, options: &Options, reports: bool) -> Blocking {
        let mut machine = match reports || log::is_on() {
            true => Machine::new(options, SystemClock.now()),
            false => Machine::without_clock(options),
        };
        machine.allow_bulk();
        Blocking {
            socket,
            machine,
            about: log::about(socket),
            mark: None,
        }
    }

    /// What is known at this moment.
    pub(crate) fn report(&self, outcome: Outcome) -> Report {
        self.machine.report(outcome, SystemClock.now())
    }

    /// Waits and steps until it is over.
    pub(crate) fn run(&mut self, sink: &mut Sink<'_>) -> End {
        let mut waiter = Waiter::new();
        if sink.is_some() {
            self.mark = self.socket.mark();
        }
        loop {
            let next = self.step(sink);
            if self.machine.is_left_open() {
                waiter.leave(self.socket);
            }
            if self.machine.is_continued() {
                reaper::go_on_with(self.socket, &mut self.machine, self.about.as_ref());
            }
            if !self.machine.has_ended() {
                self.go_on(&mut waiter, next);
            }
            if let Some(end) = self.machine.end() {
                job::record(&self.machine, self.about.as_ref(), &SystemClock);
                return end;
            }
        }
    }

    fn step(&mut self, sink: &mut Sink<'_>) -> Next {
        let (machine, mark) = (&mut self.machine, self.mark);
        step(machine, &mut self.socket, mark, &SystemClock, sink)
    }

    /// Waits for the next step. A program that closes the socket on another thread meanwhile
    /// (two threads that both close it are enough) is at fault, and would have been with a bare
    /// close; but that is over in a moment. What has the number then is left alone.
    fn go_on(&mut self, waiter: &mut Waiter, next: Next) {
        self.mark = self.mark.or_else(|| self.socket.mark());
        if let (Next::Wait(wait), Some(_)) = (next, self.mark) {
            waiter.wait(self.socket, wait);
        }
        let mark = self.mark;
        if !mark.is_some_and(|mark| self.socket.is_still(mark)) {
            self.machine.abandon();
        }
    }
}

/// Resets the connection now; what has none is closed ordinarily.
pub(crate) fn abort<C: Connection>(conn: &mut C) -> Result<(), Fault> {
    let connected = match conn.classify()? {
        Kind::Other => false,
        Kind::Tcp(TcpState::Closed | TcpState::Listen | TcpState::SynSent) => false,
        Kind::Tcp(_) => true,
        Kind::Stream => conn.is_connected(),
    };
    let result = match connected {
        true => {
            stats::count_abort();
            conn.abort()
        }
        false => {
            conn.wake_blocked()?;
            conn.close(true)
        }
    };
    // The descriptor is gone, whatever the system thinks of the connection.
    let _ = result;
    Ok(())
}
