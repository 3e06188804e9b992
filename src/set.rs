//! Many closings on one poller: a table, their deadlines, and who is next. It
//! belongs to one thread; others only add to its poller.

use crate::clock::{Clock, Time};
use crate::closing::{End, Machine, Next, Sink, Wait, Watch};
use crate::connection::{Connection, Fault, FaultKind};
use crate::log::Ends;
use crate::outcome::Outcome;
use crate::report::Report;
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Called once, when it is over.
pub(crate) type Done = Box<dyn FnOnce(&Report) + Send>;

/// Gets the drained data.
pub(crate) type Reader = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// A connection that can be told from others by a small number.
pub(crate) trait Indexed: Connection + Copy {
    /// No other open one has it.
    fn index(&self) -> usize;
}

/// What tells of the events on many connections.
pub(crate) trait Watcher<C> {
    /// Every change is told once; otherwise what is readable is told again and
    /// again, and changes of state have to be looked for.
    const TELLS_EDGES: bool;

    /// Whether it shall be watched for something to read.
    fn watch(&self, connection: C, readable: bool);

    /// The connection is closed and forgotten.
    fn remove(&self, connection: C);
}

/// One closing in the background.
pub(crate) struct Entry<C> {
    pub(crate) socket: C,
    pub(crate) machine: Machine,
    /// What few of them have.
    pub(crate) extras: Option<Box<Extras>>,
    /// The poller tells of its events; otherwise it is looked at now and then.
    pub(crate) is_watched: bool,
}

/// What few closings have, apart so that the others stay small.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) done: Option<Done>,
    pub(crate) reader: Option<Reader>,
    pub(crate) ends: Option<Ends>,
}

/// A place in the table.
struct Slot<C> {
    entry: Entry<C>,
    /// When it is looked at, if nothing happens: not later than it wants to be.
    /// Its timer in the heap is the one with this tick, others are left over.
    due: Tick,
    /// Stands in `again`.
    is_next: bool,
    /// Position in the line of arrival.
    arrived: u32,
}

/// How often one is looked at that the poller could not take.
const UNWATCHED: Duration = Duration::from_millis(20);

/// No slot.
const NONE: u32 = u32::MAX;

/// Points in time in tenths of a millisecond, rounded up: never early.
type Tick = u64;

/// A tick and a slot in one word, smallest tick on top of the heap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer(std::cmp::Reverse<u64>);

/// A million at a time; and the ticks have room for 55 years.
const SLOT_BITS: u32 = 20;

impl Timer {
    fn new(tick: Tick, slot: u32) -> Timer {
        Timer(std::cmp::Reverse(tick << SLOT_BITS | u64::from(slot)))
    }

    fn tick(self) -> Tick {
        self.0 .0 >> SLOT_BITS
    }

    fn slot(self) -> u32 {
        (self.0 .0 & ((1 << SLOT_BITS) - 1)) as u32
    }
}

fn tick(time: Time) -> Tick {
    match time {
        Time::NEVER => NEVER,
        time => (time.nanos() / 100_000 + 1).min(NEVER - 1),
    }
}

/// The largest tick that a timer has room for.
const NEVER: Tick = u64::MAX >> SLOT_BITS;

/// The table.
pub(crate) struct Set<C, P, K> {
    poller: Arc<P>,
    clock: K,
    slots: Vec<Option<Slot<C>>>,
    free: Vec<u32>,
    by_socket: Vec<u32>,
    timers: BinaryHeap<Timer>,
    /// In order of arrival, for eviction; those that have gone stay in line
    /// until they come to the front.
    line: VecDeque<u32>,
    left_line: u32,
    keeps_line: bool,
    /// To be stepped again at once, each only once: their last pass was full.
    again: VecDeque<u32>,
    len: usize,
}

/// Timers, and places in line, for so many.
fn most(len: usize) -> usize {
    2 * len + 64
}

impl<C: Connection> Entry<C> {
    /// Goes on; `None` once it has ended.
    pub(crate) fn step<K: Clock>(&mut self, clock: &K) -> Option<Next> {
        let reader = self.extras.as_mut();
        let mut sink: Sink<'_> = match reader.and_then(|extras| extras.reader.as_mut()) {
            Some(reader) => Some(&mut **reader),
            None => None,
        };
        match self.machine.step(&mut self.socket, clock, &mut sink) {
            Next::Ended => None,
            next => Some(next),
        }
    }

    /// The system's refusal to begin, if that is how it ended.
    pub(crate) fn refusal(&self) -> Option<Fault> {
        match self.machine.end() {
            Some(End::Refused(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Somebody is to be told of its end.
    pub(crate) fn has_done(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.done.is_some())
    }

    /// After the end: counts, logs and tells; no lock of ours is held. A socket
    /// that was closed behind our back counts as one whose end nobody saw.
    pub(crate) fn tell<K: Clock>(mut self, clock: &K) {
        // Refused by the system, but left to the background: nobody else is there
        // to close it.
        let is_left = |fault: Fault| fault.kind != FaultKind::NotASocket;
        let is_left = self.refusal().is_some_and(is_left);
        if is_left {
            let _ = self.socket.close(false);
        }
        let mut extras = self.extras;
        let ends = extras.as_ref().and_then(|extras| extras.ends.as_ref());
        self.machine.record(ends, clock);
        let Some(done) = extras.as_mut().and_then(|extras| extras.done.take()) else {
            return;
        };
        let outcome = match self.machine.end() {
            Some(End::Outcome(outcome)) => outcome,
            Some(End::Refused(_)) | None => Outcome::Uncertain,
        };
        let mut report = self.machine.report(outcome, clock.now());
        report.closed |= is_left;
        // A panic of a Rust program's own must not end the thread.
        let _ = catch_unwind(AssertUnwindSafe(|| done(&report)));
    }
}

impl<C: Indexed, P: Watcher<C>, K: Clock> Set<C, P, K> {
    /// `keeps_line`: the oldest may have to be evicted.
    pub(crate) fn new(poller: Arc<P>, clock: K, keeps_line: bool) -> Set<C, P, K> {
        Set {
            poller,
            clock,
            slots: Vec::new(),
            free: Vec::new(),
            by_socket: Vec::new(),
            timers: BinaryHeap::new(),
            line: VecDeque::new(),
            left_line: 0,
            keeps_line,
            again: VecDeque::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// When one wants to be looked at next, if nothing happens.
    pub(crate) fn due(&self) -> Time {
        if !self.again.is_empty() {
            return Time::from_nanos(0);
        }
        match self.timers.peek() {
            Some(timer) if timer.tick() < NEVER => Time::from_nanos(timer.tick() * 100_000),
            _ => Time::NEVER,
        }
    }

    /// Takes one in that is registered with the poller already, and steps it:
    /// what happened before cannot be missed. Ended ones go to `ended`.
    pub(crate) fn admit(&mut self, mut entry: Entry<C>, ended: &mut Vec<Entry<C>>) {
        let Some(next) = entry.step(&self.clock) else {
            self.forget(&entry);
            ended.push(entry);
            return;
        };
        if self.make_room(entry.socket.index(), ended).is_err() {
            entry.machine.give_up(&mut entry.socket, Outcome::Evicted);
            self.forget(&entry);
            ended.push(entry);
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.by_socket[entry.socket.index()] = slot;
        let arrived = self.left_line.wrapping_add(self.line.len() as u32);
        if self.keeps_line {
            self.line.push_back(slot);
        }
        self.slots[slot as usize] = Some(Slot {
            entry,
            due: NEVER,
            is_next: false,
            arrived,
        });
        self.len += 1;
        self.follow(slot, next);
    }

    /// All memory that taking one in may need.
    fn make_room(
        &mut self,
        index: usize,
        ended: &mut Vec<Entry<C>>,
    ) -> Result<(), std::collections::TryReserveError> {
        // All of them may end in one go.
        ended.try_reserve(self.len + 2)?;
        if self.free.is_empty() {
            self.slots.try_reserve(1)?;
            // Room to give every slot back without asking for memory.
            let slots = self.slots.len() + 1;
            self.free.try_reserve(slots)?;
            self.again.try_reserve(slots)?;
        }
        if self.by_socket.len() <= index {
            let more = index + 1 - self.by_socket.len();
            self.by_socket.try_reserve(more)?;
            self.by_socket.resize(index + 1, NONE);
        }
        let most_timers = most(self.len + 1) + 1;
        let more = most_timers.saturating_sub(self.timers.len());
        self.timers.try_reserve(more)?;
        self.line.try_reserve(usize::from(self.keeps_line))
    }

    /// An event on the socket with this number. `false`: it is none of ours.
    pub(crate) fn event(&mut self, index: usize, ended: &mut Vec<Entry<C>>) -> bool {
        match self.by_socket.get(index) {
            Some(&slot) if slot != NONE => {
                // A flooding peer gets no more than one pass a round.
                let is_next = |slot: &Slot<C>| slot.is_next;
                if !self.slots[slot as usize].as_ref().is_some_and(is_next) {
                    self.step(slot, ended);
                }
                true
            }
            _ => false,
        }
    }

    /// Those whose time has come, and those whose last pass was full. Whether
    /// there was anything to do.
    pub(crate) fn run_due(&mut self, ended: &mut Vec<Entry<C>>) -> bool {
        let mut worked = false;
        for _ in 0..self.again.len() {
            let Some(slot) = self.again.pop_front() else {
                break;
            };
            if let Some(occupied) = &mut self.slots[slot as usize] {
                occupied.is_next = false;
            }
            self.step(slot, ended);
            worked = true;
        }
        let now = self.clock.now().nanos() / 100_000;
        while let Some(&timer) = self.timers.peek() {
            if timer.tick() > now {
                break;
            }
            self.timers.pop();
            match &mut self.slots[timer.slot() as usize] {
                Some(occupied) if occupied.due == timer.tick() => occupied.due = NEVER,
                _ => continue,
            }
            self.step(timer.slot(), ended);
            worked = true;
        }
        worked
    }

    /// Ends the one that has waited longest by its fallback.
    pub(crate) fn evict_oldest(&mut self, ended: &mut Vec<Entry<C>>) {
        while let Some(slot) = self.line.pop_front() {
            let place = self.left_line;
            self.left_line = place.wrapping_add(1);
            let stands_here = |slot: &Slot<C>| slot.arrived == place;
            if self.slots[slot as usize].as_ref().is_some_and(stands_here) {
                self.end(slot, ended);
                return;
            }
        }
    }

    /// Ends all by their fallback.
    pub(crate) fn evict_all(&mut self, ended: &mut Vec<Entry<C>>) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                self.end(slot as u32, ended);
            }
        }
    }

    fn end(&mut self, slot: u32, ended: &mut Vec<Entry<C>>) {
        if let Some(Slot { entry, .. }) = &mut self.slots[slot as usize] {
            entry.machine.give_up(&mut entry.socket, Outcome::Evicted);
        }
        self.take_out(slot, ended);
    }

    fn step(&mut self, slot: u32, ended: &mut Vec<Entry<C>>) {
        let Some(occupied) = &mut self.slots[slot as usize] else {
            return;
        };
        match occupied.entry.step(&self.clock) {
            Some(next) => self.follow(slot, next),
            None => self.take_out(slot, ended),
        }
    }

    fn take_out(&mut self, slot: u32, ended: &mut Vec<Entry<C>>) {
        let Some(Slot { entry, is_next, .. }) = self.slots[slot as usize].take() else {
            return;
        };
        self.forget(&entry);
        // Closed behind our back, the number may be another one's by now.
        let by_socket = &mut self.by_socket[entry.socket.index()];
        if *by_socket == slot {
            *by_socket = NONE;
        }
        if is_next {
            self.again.retain(|&other| other != slot);
        }
        self.free.push(slot);
        self.len -= 1;
        ended.push(entry);
        self.drop_leftovers();
    }

    /// What was never registered has nothing to be forgotten: the number may be
    /// another one's by now.
    fn forget(&self, entry: &Entry<C>) {
        if entry.is_watched {
            self.poller.remove(entry.socket);
        }
    }

    /// Sees to it that the slot is looked at when it wants to be.
    fn follow(&mut self, slot: u32, next: Next) {
        let Some(occupied) = &mut self.slots[slot as usize] else {
            return;
        };
        let Next::Wait(Wait {
            watch,
            until,
            recheck,
        }) = next
        else {
            if !occupied.is_next {
                occupied.is_next = true;
                self.again.push_back(slot);
            }
            return;
        };
        self.poller
            .watch(occupied.entry.socket, watch == Watch::Readable);
        let due = match watch {
            _ if !occupied.entry.is_watched => tick(until.min(self.clock.now().plus(UNWATCHED))),
            Watch::Change if !P::TELLS_EDGES => tick(recheck),
            _ => tick(until),
        };
        // Later is early enough: the timer that stands steps it, and then it is
        // put off. Else every byte would cost a timer where there is an idle time.
        if due < occupied.due {
            occupied.due = due;
            self.timers.push(Timer::new(due, slot));
            self.drop_leftovers();
        }
    }

    /// Timers of those that have gone must not pile up when closings are short
    /// and their deadlines far.
    fn drop_leftovers(&mut self) {
        if self.len == 0 {
            self.timers.clear();
            self.line.clear();
        }
        if self.timers.len() > most(self.len) {
            let slots = &self.slots;
            self.timers.retain(|timer| {
                let slot = slots[timer.slot() as usize].as_ref();
                slot.is_some_and(|slot| slot.due == timer.tick())
            });
        }
        if self.line.len() > most(self.len) {
            self.straighten_line();
        }
    }

    /// Those still here close ranks.
    fn straighten_line(&mut self) {
        let mut place = self.left_line;
        let first = place;
        let slots = &mut self.slots;
        let mut next = first;
        self.line.retain(|&slot| {
            let here = place;
            place = place.wrapping_add(1);
            match slots[slot as usize].as_mut() {
                Some(occupied) if occupied.arrived == here => {
                    occupied.arrived = next;
                    next = next.wrapping_add(1);
                    true
                }
                _ => false,
            }
        });
    }
}
