//! Many closes under one deadline, on the caller's thread.
//!
//! No poller: it sweeps over all of them now and then, and waits meanwhile for the first
//! unfinished one and for those that had something to read, a few dozen at most, by poll().
//! That needs no registration and no descriptor, and costs less than watching all, as most of
//! them finish unseen meanwhile. A sweep asks poll() for hundreds in one call, and steps those
//! alone that have news or are due.

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Indexed, Mark, Watch};
use crate::drive::job::{self, Sink};
use crate::log::{self, About, Caller};
use crate::machine::{End, Machine, Next};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::reaper;
use crate::report::Report;
use crate::sys::{look_for_sharing, wait_for_any, PollEntry, Socket};
use std::collections::TryReserveError;
use std::time::Duration;

#[cfg(test)]
mod tests;
mod watch;

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

/// So many are watched between two sweeps; all, if no more are left.
const WATCHED: usize = 64;

/// So many are asked for news in one call.
const ASKED: usize = 256;

/// One of many.
pub(crate) struct One {
    socket: Socket,
    machine: Machine,
    /// What the last step said.
    next: Next,
    /// What tells it from a later one that has its number; known once it has waited.
    mark: Option<Mark>,
    /// It stands in the list of those that are watched.
    is_watched: bool,
    /// It waits for something to read, and there was nothing a moment ago.
    is_quiet: bool,
    /// It has read something since the last sweep.
    has_read: bool,
    /// When it ended, for its report.
    ended: Time,
}

/// Closes on their way, in the caller's order.
pub(crate) struct Many {
    all: Vec<One>,
    /// For the log, if anybody listens: as many, or none.
    abouts: Vec<About>,
    /// Places of those that are watched between two sweeps.
    watched: Vec<usize>,
    /// What is handed to the system, and whose it is.
    entries: Vec<PollEntry>,
    polled: Vec<usize>,
}

impl Many {
    /// Nothing happens yet; the one deadline counts from here.
    pub(crate) fn new(
        sockets: impl ExactSizeIterator<Item = Socket>,
        options: &Options,
    ) -> Result<Many, TryReserveError> {
        let now = SystemClock.now();
        let mut many = Many {
            all: Vec::new(),
            abouts: Vec::new(),
            watched: Vec::new(),
            entries: Vec::new(),
            polled: Vec::new(),
        };
        let count = sockets.len();
        many.all.try_reserve_exact(count)?;
        many.watched.try_reserve_exact(WATCHED)?;
        let listed = count.clamp(WATCHED + 1, ASKED);
        many.entries.try_reserve_exact(listed)?;
        many.polled.try_reserve_exact(listed)?;
        many.all.extend(sockets.map(|socket| One {
            socket,
            machine: Machine::new(options, now),
            next: Next::Again,
            mark: None,
            is_watched: false,
            is_quiet: false,
            has_read: false,
            ended: now,
        }));
        if log::is_on() {
            many.abouts.try_reserve_exact(count)?;
            let caller = Caller::now();
            let about = |one: &One| About::new(one.socket, caller.clone());
            many.abouts.extend(many.all.iter().map(about));
        }
        Ok(many)
    }

    /// Nobody will look at what they report; how they end counts all the same.
    pub(crate) fn skip_final_count(&mut self) {
        self.all
            .iter_mut()
            .for_each(|one| one.machine.skip_final_count());
    }

    pub(crate) fn all(&self) -> &[One] {
        &self.all
    }

    /// Finds out who else holds them, in one search for all: it may take long.
    fn look_for_sharing(&mut self) {
        let first = self.all.first();
        let deadline = first.map_or(Time::NEVER, |one| one.machine.deadline());
        look_for_sharing(
            &mut self.all,
            |one| one.machine.asks_for_sharing().then_some(one.socket),
            deadline,
            |one, sharing| one.machine.sharing_is(sharing),
        );
    }

    /// Until all have ended.
    pub(crate) fn run(&mut self, sink: &mut Sink<'_>) {
        // Others' readers, or the search, may take long before it is their turn.
        let is_long = |one: &One| sink.is_some() || one.machine.asks_for_sharing();
        for one in self.all.iter_mut() {
            if is_long(one) {
                one.mark = one.socket.mark();
                // What is no socket now is another's when it is one by then.
                if one.mark.is_none() {
                    one.machine.abandon();
                }
            }
        }
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
            self.watch(first, next_sweep, sink);
        }
    }

    /// Steps all that have not ended; `None` if all have. Those that could go on
    /// at once keep the sweeps coming, and so do those that begin to send.
    fn sweep(&mut self, first: &mut usize, sink: &mut Sink<'_>) -> Option<Sweep> {
        let began = SystemClock.now();
        self.forget_quiet_ones();
        let mut until = None;
        let mut has_read = false;
        let mut left = 0;
        let mut asked_until = *first;
        for at in *first..self.all.len() {
            if at == asked_until {
                asked_until = self.ask_from(at, began);
            }
            if self.all[at].next == Next::Ended {
                continue;
            }
            if !self.all[at].is_quiet {
                self.step(at, sink);
            }
            let one = &mut self.all[at];
            let reads = std::mem::take(&mut one.has_read);
            has_read |= reads && !one.is_watched;
            if one.next == Next::Ended {
                continue;
            }
            if reads && !one.is_watched && self.watched.len() < WATCHED {
                one.is_watched = true;
                // Nobody but itself waits longer for larger portions.
                one.machine.allow_bulk();
                self.watched.push(at);
            }
            let due = match one.next {
                Next::Wait(wait) => wait.until,
                // It is gone on with before the next sweep.
                _ if one.is_watched => Time::NEVER,
                _ => began,
            };
            if left == 0 {
                *first = at;
            }
            left += 1;
            until = Some(until.map_or(due, |earliest: Time| earliest.min(due)));
        }
        if left <= WATCHED {
            self.watch_all(*first);
        }
        until.map(|until| Sweep {
            began,
            until,
            has_read,
        })
    }

    /// Finds out in one call which of the next ones have nothing to read, and are not due: a step
    /// of theirs would find nothing. Where the next ones begin that were not asked.
    fn ask_from(&mut self, first: usize, now: Time) -> usize {
        self.entries.clear();
        self.polled.clear();
        let mut next = first;
        while let Some(one) = self.all.get_mut(next) {
            if self.entries.len() == self.entries.capacity() {
                break;
            }
            one.is_quiet = false;
            if one.waits_to_read(now) {
                self.entries.push(PollEntry::readable(one.socket));
                self.polled.push(next);
            }
            next += 1;
        }
        if !self.entries.is_empty() && wait_for_any(&mut self.entries, now) {
            for (entry, &at) in self.entries.iter().zip(&self.polled) {
                self.all[at].is_quiet = !entry.has_event();
            }
        }
        next
    }

    /// Steps one; what has its number now may be another one's. Whether that changed anything.
    fn step(&mut self, at: usize, sink: &mut Sink<'_>) -> bool {
        let one = &mut self.all[at];
        if one.mark.is_some_and(|mark| !one.socket.is_still(mark)) {
            one.machine.abandon();
        }
        let (before, watched) = (one.machine.drained(), one.watches());
        let machine = &mut one.machine;
        one.next = job::step(machine, &mut one.socket, one.mark, &SystemClock, sink);
        let has_read = one.machine.drained() != before;
        one.has_read |= has_read;
        if one.mark.is_none() && one.next != Next::Ended {
            one.mark = one.socket.mark();
            if one.mark.is_none() {
                one.machine.abandon();
                one.next = Next::Ended;
            }
        }
        if one.next == Next::Ended {
            one.ended = SystemClock.now();
            if one.machine.is_continued() {
                reaper::go_on_with(one.socket, &mut one.machine, self.abouts.get(at));
            }
            job::record(&one.machine, self.abouts.get(at), &SystemClock);
            return true;
        }
        has_read || one.watches() != watched
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
    /// Nothing but something to read makes it go on before its time.
    fn waits_to_read(&self, now: Time) -> bool {
        matches!(self.next, Next::Wait(wait) if wait.watch == Watch::Readable && now < wait.until)
    }

    fn watches(&self) -> Option<Watch> {
        match self.next {
            Next::Wait(wait) => Some(wait.watch),
            Next::Again | Next::Ended => None,
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
