//! Many closes under one deadline, on the caller's thread.
//!
//! No poller: it waits for the first unfinished connection alone and sweeps
//! over the others now and then. That needs no registration and no descriptor,
//! and costs less than epoll or poll as most of them finish unseen meanwhile.

use crate::clock::{Clock, SystemClock, Time};
use crate::closing::{End, Machine, Next, Sink};
use crate::log::{self, Ends};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::set::{Indexed, Mark};
use crate::sys::{look_for_sharing, Socket, Waiter};
use std::collections::TryReserveError;
use std::time::Duration;

/// Sweeps are so far apart at least, and so many times what the last one took.
const SWEEP_EVERY: Duration = Duration::from_millis(20);
const SWEEP_SHARE: u32 = 4;

/// While they find nothing to read they become rarer, by this factor, up to that:
/// those that just finish are found when it is their turn, and a sweep is needed for
/// those that cannot go on before somebody reads. Where data has come, more may.
const SWEEP_GROWTH: u32 = 4;
const SWEEP_RARELY: Duration = Duration::from_millis(320);
const SWEEP_GROWTH_AFTER_DATA: u32 = 2;
const SWEEP_RARELY_AFTER_DATA: Duration = Duration::from_millis(80);

/// One of many.
pub(crate) struct One {
    socket: Socket,
    machine: Machine,
    /// What the last step said.
    next: Next,
    /// For the log, if anybody listens.
    ends: Option<Box<Ends>>,
    /// When it ended, for its report.
    ended: Time,
    /// What tells the socket from a later one with its number; of those that have to wait.
    mark: Option<Mark>,
}

/// Closes on their way, in the caller's order.
pub(crate) struct Many(Vec<One>);

impl Many {
    /// Nothing happens yet; the one deadline counts from here.
    pub(crate) fn new(
        sockets: impl ExactSizeIterator<Item = Socket>,
        options: &Options,
    ) -> Result<Many, TryReserveError> {
        let now = SystemClock.now();
        let mut all = Vec::new();
        all.try_reserve_exact(sockets.len())?;
        all.extend(sockets.map(|socket| One {
            socket,
            machine: Machine::new(options, now),
            next: Next::Again,
            ends: log::is_on().then(|| Box::new(socket.ends())),
            ended: now,
            mark: None,
        }));
        Ok(Many(all))
    }

    /// Nobody will look at what they report; how they end counts all the same.
    pub(crate) fn nobody_asks(&mut self) {
        self.0.iter_mut().for_each(|one| one.machine.nobody_asks());
    }

    pub(crate) fn all(&self) -> &[One] {
        &self.0
    }

    /// Finds out who else holds them, in one search for all: it may take long.
    fn look_for_sharing(&mut self) {
        let deadline = self
            .0
            .first()
            .map_or(Time::NEVER, |one| one.machine.deadline());
        look_for_sharing(
            &mut self.0,
            |one| one.machine.asks_for_sharing().then_some(one.socket),
            deadline,
            |one, sharing| one.machine.sharing_is(sharing),
        );
    }

    /// Until all have ended.
    pub(crate) fn run(&mut self, sink: &mut Sink<'_>) {
        self.look_for_sharing();
        let mut first = 0;
        let (mut gap, mut has_read) = (SWEEP_EVERY, false);
        while let Some(wait) = self.sweep(&mut first, sink) {
            let swept = SystemClock.now();
            // The first one may be looked at many times between two sweeps.
            let took = swept.since(wait.began).saturating_mul(SWEEP_SHARE);
            let next_sweep = swept.plus(took.max(gap)).min(wait.until);
            has_read |= wait.has_read;
            gap = match has_read {
                _ if wait.has_read => SWEEP_EVERY,
                true => (gap * SWEEP_GROWTH_AFTER_DATA).min(SWEEP_RARELY_AFTER_DATA),
                false => (gap * SWEEP_GROWTH).min(SWEEP_RARELY),
            };
            self.watch_first(first, next_sweep, sink);
        }
    }

    /// Steps all that have not ended; `None` if all have. Those that could go on
    /// at once keep the sweeps coming.
    fn sweep(&mut self, first: &mut usize, sink: &mut Sink<'_>) -> Option<Sweep> {
        let began = SystemClock.now();
        let mut until = None;
        let mut has_read = false;
        for (at, one) in self.0.iter_mut().enumerate().skip(*first) {
            if one.next == Next::Ended {
                continue;
            }
            let before = one.machine.drained();
            one.step(sink);
            has_read |= one.machine.drained() != before;
            let due = match one.next {
                Next::Ended => continue,
                Next::Again => began,
                Next::Wait(wait) => wait.until,
            };
            if until.is_none() {
                *first = at;
            }
            until = Some(until.map_or(due, |earliest: Time| earliest.min(due)));
        }
        until.map(|until| Sweep {
            began,
            until,
            has_read,
        })
    }

    /// Waits for the first one until the next sweep; goes on to its successor as
    /// soon as it has ended.
    fn watch_first(&mut self, mut first: usize, until: Time, sink: &mut Sink<'_>) {
        let mut waiter = Waiter::new();
        while let Some(one) = self.0.get_mut(first) {
            match one.next {
                Next::Ended => {
                    first += 1;
                    waiter = Waiter::new();
                    continue;
                }
                Next::Again => {}
                Next::Wait(wait) => waiter.wait(one.socket, wait.no_longer_than(until)),
            }
            if SystemClock.now() >= until {
                return;
            }
            one.step(sink);
        }
    }
}

struct Sweep {
    began: Time,
    /// The earliest time at which one wants to be looked at.
    until: Time,
    /// One at least had something to read.
    has_read: bool,
}

impl One {
    fn step(&mut self, sink: &mut Sink<'_>) {
        let is_ours = self.mark.map_or(true, |mark| self.socket.is_still(mark));
        if is_ours {
            self.next = self.machine.step(&mut self.socket, &SystemClock, sink);
        }
        if self.mark.is_none() && self.next != Next::Ended {
            self.mark = self.socket.mark();
        }
        // Another thread has closed it, and what has the number now is left alone.
        if !is_ours || self.mark.is_none() && self.next != Next::Ended {
            self.machine.abandon();
            self.next = Next::Ended;
        }
        if self.next == Next::Ended {
            self.ended = SystemClock.now();
            self.machine.record(self.ends.as_deref(), &SystemClock);
        }
    }

    /// What is known of it.
    pub(crate) fn report(&self, outcome: Outcome) -> Report {
        self.machine.report(outcome, self.ended)
    }

    /// How it ended.
    pub(crate) fn end(&self) -> Option<End> {
        self.machine.end()
    }
}
