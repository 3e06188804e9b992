//! What the thread does.

use super::pool::{Entry, Packed, Pool, ENDED};
use super::shared::Shared;
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Indexed, Watcher};
use crate::sys::{look_for_sharing, Poller, Probe, Socket};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long it lets ends gather before it takes them.
const NAP: Duration = Duration::from_millis(2);

/// Queues with more room than this are given back when they are empty.
const QUEUE: usize = 64;

/// So often it looks whether the poller's descriptors are still its own, while something is
/// pending: without them nothing else would wake it.
const LOOK: Duration = Duration::from_secs(1);

/// The pause where no descriptors are to be had.
const PAUSE: Duration = Duration::from_millis(20);

/// What the thread has in its hands.
struct Work {
    pool: Pool<Socket, Poller, SystemClock>,
    arrivals: Vec<Packed<Socket>>,
    ended: Vec<Entry<Socket>>,
    /// The poller has been renewed: what others registered may have got lost.
    distrusts: bool,
}

impl Shared {
    /// The thread. `ended`: with room for [`ENDED`].
    pub(super) fn run(&self, ended: Vec<Entry<Socket>>) {
        let keeps_line = self.evicts();
        let mut work = Work {
            pool: Pool::new(self.poller.clone(), SystemClock, keeps_line),
            arrivals: Vec::new(),
            ended,
            distrusts: false,
        };
        let mut busy = true;
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            busy |= self.let_in(&mut work);
            busy |= work.pool.run_due(&mut work.ended);
            self.tell(&mut work.ended);
            self.evict(&mut work);
            if stopping && !self.inbox.is_expecting() {
                self.let_in(&mut work);
                while !work.pool.evict_all(&mut work.ended) {
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
        let expects = self.inbox.is_expecting() || self.stop.load(Ordering::Acquire);
        let naps = busy || expects;
        if !naps && work.pool.len() == 0 {
            if self.inbox.sleep(Time::NEVER) {
                self.sleep_idly();
            }
            return false;
        }
        let at_most = match naps {
            true => self.poller.pace(NAP),
            false => LOOK,
        };
        let until = work.pool.due().min(now.plus(at_most));
        let mut events_until = now;
        if until > now && self.inbox.sleep(until) {
            match naps {
                true => self.poller.nap(until),
                false => events_until = until,
            }
        }
        let mut had_events = false;
        let is_ours = self.poller.wait(events_until, |index| {
            // Also of one that is not known yet, or no longer.
            had_events = true;
            work.pool.event(index, &mut work.ended);
            if work.ended.len() >= ENDED {
                self.tell(&mut work.ended);
            }
        });
        if !is_ours {
            self.renew(work);
        }
        had_events
    }

    /// The program has closed descriptors of the poller.
    fn renew(&self, work: &mut Work) {
        if self.poller.renew().is_err() {
            self.poller.nap(SystemClock.now().plus(PAUSE));
        }
        work.distrusts = true;
        if !<Poller as Watcher<Socket>>::TELLS_EDGES {
            // A table that knows all that was registered.
            return;
        }
        let mut from = Some(0);
        while let Some(slot) = from {
            let add = |socket| self.poller.add(socket).is_ok();
            from = work.pool.register_anew(slot, add, &mut work.ended);
            self.tell(&mut work.ended);
        }
    }

    /// Takes in what was brought; whether there was anything.
    fn let_in(&self, work: &mut Work) -> bool {
        self.inbox.take(&mut work.arrivals);
        let any = !work.arrivals.is_empty();
        self.look_for_sharing(&mut work.arrivals);
        for packed in work.arrivals.drain(..) {
            let mut entry = packed.unpack();
            let is_told = !entry.machine.has_ended() && self.receive(&mut entry, work.distrusts);
            work.pool.admit(entry, is_told, &mut work.ended);
            if work.ended.len() >= ENDED {
                self.tell(&mut work.ended);
            }
        }
        if work.arrivals.capacity() > QUEUE {
            work.arrivals = Vec::new();
        }
        any
    }

    /// Marks what came without a mark, and registers what is not registered; unless the program
    /// has closed it since, and the number is another one's. Whether an event tells of what is there already.
    fn receive(&self, entry: &mut Entry<Socket>, distrusts: bool) -> bool {
        let mark = match entry.keep.mark() {
            Some(mark) => Some(mark).filter(|_| entry.is_still_there()),
            // Half-closed in its owner's thread, under a number that the program has never seen: to
            // get it for a socket of its own it must have closed all that it has not opened, and the
            // state of a connection tells most of these. Asked after the mark was taken: it may be
            // another one at any moment.
            None => entry
                .socket
                .mark()
                .filter(|_| entry.socket.is_half_closed()),
        };
        let Some(mark) = mark else {
            entry.machine.abandon();
            return false;
        };
        entry.keep.set_mark(mark);
        if entry.keep.is_watched() && !distrusts {
            return false;
        }
        let added = self.poller.add(entry.socket);
        entry.keep.set_watched(added.is_ok());
        added == Ok(true)
    }

    /// Finds out who else holds those that were only queued, in one search for all.
    fn look_for_sharing(&self, arrivals: &mut [Packed<Socket>]) {
        look_for_sharing(
            arrivals,
            |packed| {
                let entry = packed.whole()?;
                entry.machine.asks_for_sharing().then_some(entry.socket)
            },
            // Its thread has others to look after: the system's fair time, and no more.
            SystemClock.now(),
            |packed, sharing| {
                if let Packed::Whole(entry) = packed {
                    entry.machine.sharing_is(sharing);
                }
            },
        );
    }

    /// Ends the oldest as long as there are too many.
    fn evict(&self, work: &mut Work) {
        while self.evicts() && work.pool.len() > self.max_pending {
            work.pool.evict_oldest(&mut work.ended);
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
