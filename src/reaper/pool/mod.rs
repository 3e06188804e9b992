//! Many closings on one poller: a table, their deadlines, and who is next. It
//! belongs to one thread; others only add to its poller.

use crate::clock::{Clock, Time};
use crate::connection::{Indexed, Wait, Watch, Watcher};
use crate::machine::Next;
use crate::sys::Counted;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

mod entry;
mod place;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(crate) mod tests;
mod timer;

pub(crate) use entry::{Done, Entry, Extras, Keep, Packed, Reader, Unpacked};
use place::{Held, Slot};
use timer::{tick, Tick, Timer, NEVER, SLOT_BITS};

/// How often one is looked at that the poller could not take.
const UNWATCHED: Duration = Duration::from_millis(20);

/// No slot.
const NONE: u32 = u32::MAX;

/// So many ends are told in one go. A vector with that much room is all the memory
/// that ending takes, and those who wait for their turn wait no longer than that. Miri interprets
/// each instruction: a few there.
pub(crate) const ENDED: usize = if cfg!(miri) { 6 } else { 64 };

/// So many timers, and places in line, may be left over whatever the table holds.
const LEFT_OVER: usize = if cfg!(miri) { 6 } else { 64 };

/// The table.
pub(crate) struct Pool<C, P, K> {
    poller: Counted<P>,
    clock: K,
    slots: Vec<Option<Slot<C>>>,
    free: Vec<u32>,
    by_socket: Vec<u32>,
    timers: BinaryHeap<Timer>,
    /// In order of arrival, for eviction; those that have gone stay in line
    /// until they come to the front.
    line: VecDeque<u32>,
    /// By slot: its position in the line.
    arrived: Vec<u32>,
    left_line: u32,
    keeps_line: bool,
    /// To be stepped again at once, each only once: their last pass was full.
    again: VecDeque<u32>,
    len: usize,
}

/// Timers, and places in line, for so many.
fn most(len: usize) -> usize {
    2 * len + LEFT_OVER
}

impl<C: Indexed, P: Watcher<C>, K: Clock> Pool<C, P, K> {
    /// `keeps_line`: the oldest may have to be evicted.
    pub(crate) fn new(poller: Counted<P>, clock: K, keeps_line: bool) -> Pool<C, P, K> {
        Pool {
            poller,
            clock,
            slots: Vec::new(),
            free: Vec::new(),
            by_socket: Vec::new(),
            timers: BinaryHeap::new(),
            line: VecDeque::new(),
            arrived: Vec::new(),
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
        // What never comes due has no timer.
        let first = self.timers.peek();
        first.map_or(Time::NEVER, |timer| {
            Time::from_nanos(timer.tick() * 100_000)
        })
    }

    /// Takes one in that is registered with the poller already, and steps it:
    /// what happened before cannot be missed. If it has ended it goes to `ended`. Whoever admits
    /// it has just looked whether it is still there. `is_told`: an event tells of what is there already.
    pub(crate) fn admit(
        &mut self,
        mut entry: Unpacked<C>,
        is_told: bool,
        ended: &mut Vec<Entry<C>>,
    ) {
        let next = match is_told {
            true => entry.wait_or_step(&self.clock),
            false => entry.step_seen(&self.clock),
        };
        let Some(next) = next else {
            self.forget(&entry);
            ended.push(entry.into_entry());
            return;
        };
        let index = entry.socket.index();
        if self.make_room(index).is_err() {
            entry.give_up();
            self.forget(&entry);
            ended.push(entry.into_entry());
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        if let Some(place) = self.by_socket.get_mut(index) {
            *place = slot;
        }
        if self.keeps_line {
            self.arrived.resize(self.slots.len(), 0);
            if let Some(place) = self.arrived.get_mut(slot as usize) {
                *place = self.left_line.wrapping_add(self.line.len() as u32);
            }
            self.line.push_back(slot);
        }
        self.len += 1;
        self.follow(slot, Held::new(entry), next, ended);
    }

    /// All memory that taking one in may need.
    fn make_room(&mut self, index: usize) -> Result<(), std::collections::TryReserveError> {
        if self.free.is_empty() {
            // One more than a timer can name is as one more than there is memory for.
            let is_full = self.slots.len() >> SLOT_BITS != 0;
            self.slots
                .try_reserve(if is_full { usize::MAX } else { 1 })?;
            // Room to give every slot back without asking for memory.
            let slots = self.slots.len() + 1;
            self.free.try_reserve(slots)?;
            self.again.try_reserve(slots)?;
        }
        if self.by_socket.len() <= index {
            let places = index + 1;
            self.by_socket.try_reserve(places - self.by_socket.len())?;
            self.by_socket.resize(places, NONE);
        }
        let most_timers = most(self.len + 1) + 1;
        let more = most_timers.saturating_sub(self.timers.len());
        self.timers.try_reserve(more)?;
        if self.keeps_line {
            let more = self.slots.len() + 1 - self.arrived.len();
            self.arrived.try_reserve(more)?;
            self.line.try_reserve(1)?;
        }
        Ok(())
    }

    fn waiting(&mut self, slot: u32) -> Option<&mut Slot<C>> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// To be worked on: its place is free meanwhile.
    fn hold(&mut self, slot: u32) -> Option<Held<C>> {
        let waiting = self.slots.get_mut(slot as usize)?.take();
        waiting.map(Slot::hold)
    }

    /// An event on the socket with this number. `false`: it is none of ours.
    pub(crate) fn event(&mut self, index: usize, ended: &mut Vec<Entry<C>>) -> bool {
        match self.by_socket.get(index) {
            Some(&slot) if slot != NONE => {
                // A flooding peer gets no more than one pass a round.
                if !self.waiting(slot).is_some_and(|waiting| waiting.is_next()) {
                    self.step(slot, ended);
                }
                true
            }
            _ => false,
        }
    }

    /// Those whose time has come, and those whose last pass was full; no more once
    /// [`ENDED`] have ended. Whether there was anything to do.
    pub(crate) fn run_due(&mut self, ended: &mut Vec<Entry<C>>) -> bool {
        let mut worked = false;
        for _ in 0..self.again.len() {
            let next = match ended.len() < ENDED {
                true => self.again.pop_front(),
                false => None,
            };
            let Some(slot) = next else {
                break;
            };
            if let Some(waiting) = self.waiting(slot) {
                waiting.when().set_next(false);
            }
            self.step(slot, ended);
            worked = true;
        }
        let now = self.clock.now().nanos() / 100_000;
        while let Some(&timer) = self.timers.peek() {
            if timer.tick() > now || ended.len() >= ENDED {
                break;
            }
            self.timers.pop();
            match self.waiting(timer.slot()) {
                Some(waiting) if waiting.due() == timer.tick() => waiting.when().set_due(NEVER),
                _ => continue,
            }
            self.step(timer.slot(), ended);
            worked = true;
        }
        worked
    }

    /// The poller has lost what was registered, or its memory of it: registers and steps those
    /// from this slot on, [`ENDED`] in one go. Where to go on; `None` once that were all.
    pub(crate) fn register_anew(
        &mut self,
        from: usize,
        add: impl Fn(C) -> bool,
        ended: &mut Vec<Entry<C>>,
    ) -> Option<usize> {
        for slot in from..self.slots.len() {
            if ended.len() >= ENDED {
                return Some(slot);
            }
            let Some(mut held) = self.hold(slot as u32) else {
                continue;
            };
            // Not if it is another one's by now: the step finds that out.
            let may_add = held.entry.is_still_there();
            let is_watched = may_add && add(held.entry.socket);
            held.entry.keep.set_watched(is_watched);
            match held.entry.step(&self.clock) {
                Some(next) => self.follow(slot as u32, held, next, ended),
                None => self.take_out(slot as u32, held, ended),
            }
        }
        None
    }

    /// Ends the one that has waited longest by its fallback.
    pub(crate) fn evict_oldest(&mut self, ended: &mut Vec<Entry<C>>) {
        while let Some(slot) = self.line.pop_front() {
            let position = self.left_line;
            self.left_line = position.wrapping_add(1);
            if self.stands_at(slot, position) {
                self.end(slot, ended);
                return;
            }
        }
    }

    fn stands_at(&self, slot: u32, position: u32) -> bool {
        let slot = slot as usize;
        self.slots.get(slot).is_some_and(Option::is_some)
            && self.arrived.get(slot) == Some(&position)
    }

    /// Ends all by their fallback, [`ENDED`] in one go; whether that was all.
    pub(crate) fn evict_all(&mut self, ended: &mut Vec<Entry<C>>) -> bool {
        for slot in 0..self.slots.len() {
            if ended.len() >= ENDED {
                return self.len == 0;
            }
            self.end(slot as u32, ended);
        }
        true
    }

    fn end(&mut self, slot: u32, ended: &mut Vec<Entry<C>>) {
        if let Some(mut held) = self.hold(slot) {
            held.entry.give_up();
            self.take_out(slot, held, ended);
        }
    }

    #[inline(never)]
    fn step(&mut self, slot: u32, ended: &mut Vec<Entry<C>>) {
        let Some(mut held) = self.hold(slot) else {
            return;
        };
        match held.entry.step(&self.clock) {
            Some(next) => self.follow(slot, held, next, ended),
            None => self.take_out(slot, held, ended),
        }
    }

    #[inline(never)]
    fn take_out(&mut self, slot: u32, held: Held<C>, ended: &mut Vec<Entry<C>>) {
        let entry = held.entry.into_entry();
        self.forget(&entry);
        // Closed behind our back, the number may be another one's by now.
        match self.by_socket.get_mut(entry.socket.index()) {
            Some(place) if *place == slot => *place = NONE,
            _ => {}
        }
        if held.when.is_next() {
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
        if entry.keep.is_watched() {
            self.poller.remove(entry.socket);
        }
    }

    /// Puts it back, and sees to it that it is looked at when it wants to be.
    #[inline(never)]
    fn follow(&mut self, slot: u32, mut held: Held<C>, next: Next, ended: &mut Vec<Entry<C>>) {
        let entry = &held.entry;
        let mut due = NEVER;
        if let Next::Wait(wait) = next {
            let readable = wait.watch != Watch::Change;
            self.poller.watch(entry.socket, readable);
            due = self.look_by(wait, entry.keep.is_watched());
        } else if !held.when.is_next() {
            held.when.set_next(true);
            self.again.push_back(slot);
        }
        // Later is early enough: the timer that stands steps it, and then it is
        // put off. Else every byte would cost a timer where there is an idle time.
        let is_new = due < held.when.due();
        if is_new {
            held.when.set_due(due);
            self.timers.push(Timer::new(due, slot));
        }
        match Slot::of(held) {
            Ok(waiting) => {
                if let Some(place) = self.slots.get_mut(slot as usize) {
                    *place = Some(waiting);
                }
            }
            Err(mut held) => {
                held.entry.give_up();
                return self.take_out(slot, held, ended);
            }
        }
        if is_new {
            self.drop_leftovers();
        }
    }

    fn look_by(&self, wait: Wait, is_watched: bool) -> Tick {
        match wait.watch {
            _ if !is_watched => tick(wait.until.min(self.clock.now().plus(UNWATCHED))),
            Watch::Change if !P::TELLS_EDGES => tick(wait.recheck),
            // The acknowledgement alone is no event for those that watch for bytes.
            Watch::Acknowledged => tick(wait.recheck),
            _ => tick(wait.until),
        }
    }

    /// Timers of those that have gone must not pile up when closings are short
    /// and their deadlines far.
    #[inline(never)]
    fn drop_leftovers(&mut self) {
        if self.len == 0 {
            self.timers.clear();
            self.line.clear();
        }
        if self.timers.len() > most(self.len) {
            let slots = &self.slots;
            self.timers.retain(|timer| {
                let slot = slots.get(timer.slot() as usize).and_then(Option::as_ref);
                slot.is_some_and(|slot| slot.due() == timer.tick())
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
        let (slots, arrived) = (&self.slots, &mut self.arrived);
        let mut next = first;
        self.line.retain(|&slot| {
            let here = place;
            place = place.wrapping_add(1);
            let slot = slot as usize;
            match (slots.get(slot), arrived.get_mut(slot)) {
                (Some(Some(_)), Some(position)) if *position == here => {
                    *position = next;
                    next = next.wrapping_add(1);
                    true
                }
                _ => false,
            }
        });
    }
}
