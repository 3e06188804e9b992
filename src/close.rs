//! The blocking form: one machine, driven to its end on the caller's thread.

use crate::clock::{Clock, SystemClock};
use crate::closing::{End, Machine, Next, Sink, Wait, Watch};
use crate::connection::{Connection, Fault, Kind, TcpState};
use crate::log::{self, Ends};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::reaper;
use crate::report::Report;
use crate::set::{Indexed, Mark};
use crate::stats;
use crate::sys::{Socket, Waiter};

/// So long a wait needs no precautions.
const SHORT_MS: u32 = 1;

/// A close in progress on the caller's stack. It outlives a panic on its way,
/// so that what has become of the socket can be told then, too.
pub(crate) struct Blocking {
    socket: Socket,
    machine: Machine,
    /// For the log, if anybody listens.
    ends: Option<Ends>,
    has_waited: bool,
    /// Known from the first long wait on.
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
            ends: log::is_on().then(|| socket.ends()),
            has_waited: false,
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
        loop {
            match self.machine.step(&mut self.socket, &SystemClock, sink) {
                Next::Again => {}
                Next::Wait(wait) => self.wait(&mut waiter, wait),
                Next::Ended => {}
            }
            if self.machine.is_continued() {
                reaper::go_on_with(self.socket, &mut self.machine, self.ends.as_ref());
            }
            if let Some(end) = self.machine.end() {
                self.machine.record(self.ends.as_ref(), &SystemClock);
                return end;
            }
        }
    }

    /// A program that closes the socket on another thread meanwhile is at fault,
    /// and would have been with a bare close; but that does not last for seconds.
    /// What has the number then is left alone. Most peers answer sooner than it
    /// takes to care.
    fn wait(&mut self, waiter: &mut Waiter, wait: Wait) {
        if !self.has_waited && wait.watch == Watch::Readable {
            self.has_waited = true;
            let short = SystemClock.now().plus_millis(SHORT_MS);
            return waiter.wait(self.socket, wait.no_longer_than(short));
        }
        let mark = match self.mark {
            Some(mark) => Some(mark),
            None => self.socket.mark(),
        };
        self.mark = mark;
        waiter.wait(self.socket, wait);
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
            conn.wake_blocked();
            conn.close(true)
        }
    };
    // The descriptor is gone, whatever the system thinks of the connection.
    let _ = result;
    Ok(())
}
