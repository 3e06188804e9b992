//! What the thread does.

use super::Shared;
use crate::clock::{Clock, SystemClock};
use crate::set::{Entry, Packed, Set, ENDED};
use crate::sys::{Poller, Socket};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// How long it lets ends gather before it takes them.
const NAP: Duration = Duration::from_millis(2);

/// Queues with more room than this are given back when they are empty.
const QUEUE: usize = 64;

/// What the thread has in its hands.
struct Work {
    set: Set<Socket, Poller, SystemClock>,
    arrivals: Vec<Packed<Socket>>,
    ended: Vec<Entry<Socket>>,
}

impl Shared {
    /// The thread.
    pub(super) fn run(&self) {
        let keeps_line = self.evicts();
        let mut work = Work {
            set: Set::new(Arc::clone(&self.poller), SystemClock, keeps_line),
            arrivals: Vec::new(),
            ended: Vec::with_capacity(ENDED),
        };
        let mut busy = true;
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            busy |= self.let_in(&mut work);
            busy |= work.set.run_due(&mut work.ended);
            self.tell(&mut work.ended);
            self.evict(&mut work);
            if stopping && !self.door.is_expecting() {
                self.let_in(&mut work);
                while !work.set.evict_all(&mut work.ended) {
                    self.tell(&mut work.ended);
                }
                self.tell(&mut work.ended);
                return;
            }
            busy = self.rest(&mut work, busy);
        }
    }

    /// Sleeps, or naps after work so that more can gather, and takes the events.
    /// Whether there were any.
    fn rest(&self, work: &mut Work, busy: bool) -> bool {
        let now = SystemClock.now();
        let expects = self.door.is_expecting() || self.stop.load(Ordering::Acquire);
        let naps = busy || expects;
        let until = match naps {
            true => work.set.due().min(now.plus(self.poller.pace(NAP))),
            false => work.set.due(),
        };
        let mut events_until = now;
        if until > now && self.door.sleep(until) {
            match naps {
                true => self.poller.nap(until),
                false => events_until = until,
            }
        }
        let mut had_events = false;
        self.poller.wait(events_until, |index| {
            // Also of one that is not known yet, or no longer.
            had_events = true;
            work.set.event(index, &mut work.ended);
            if work.ended.len() >= ENDED {
                self.tell(&mut work.ended);
            }
        });
        had_events
    }

    /// Takes in what was brought; whether there was anything.
    fn let_in(&self, work: &mut Work) -> bool {
        self.door.take(&mut work.arrivals);
        let any = !work.arrivals.is_empty();
        for packed in work.arrivals.drain(..) {
            let mut entry = packed.unpack();
            if !entry.is_watched && !entry.machine.has_ended() {
                entry.is_watched = self.poller.add(entry.socket).is_ok();
            }
            work.set.admit(entry, &mut work.ended);
            if work.ended.len() >= ENDED {
                self.tell(&mut work.ended);
            }
        }
        if work.arrivals.capacity() > QUEUE {
            work.arrivals = Vec::new();
        }
        any
    }

    /// Ends the oldest as long as there are too many.
    fn evict(&self, work: &mut Work) {
        while self.evicts() && work.set.len() > self.max_pending {
            work.set.evict_oldest(&mut work.ended);
            if work.ended.len() >= ENDED {
                self.tell(&mut work.ended);
            }
        }
        self.tell(&mut work.ended);
    }

    /// Tells what has ended, with no lock held.
    fn tell(&self, ended: &mut Vec<Entry<Socket>>) {
        for one in ended.drain(..) {
            one.tell(&SystemClock);
            self.one_less();
        }
    }
}
