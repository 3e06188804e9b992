//! The background: a set with a thread and a door.
//!
//! Handing over does in the caller's thread what must not wait: the half-close,
//! so that the FIN leaves at once, and one bounded drain pass. What that did not
//! finish is registered with the poller and brought to the door. The thread is
//! woken only if it would oversleep; it works in short naps, so that many ends
//! are taken in one go.

use crate::clock::{Clock, SystemClock, Time};
use crate::closing::{Brief, Machine, Next};
use crate::connection::{Connection, Fault, Kind, TcpState};
use crate::door::{Door, Shut};
use crate::log;
use crate::memory;
use crate::options::{Options, INFINITE};
use crate::set::{Done, Entry, Extras, Packed, Reader, Set, Unpacked, Watcher, ENDED};
use crate::stats;
use crate::sys::PerProcess;
use crate::sys::{self, Poller, Socket, Thread};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long the thread lets ends gather before it takes them.
const NAP: Duration = Duration::from_millis(2);

/// When a thread that naps will have looked for certain.
const SOON: Duration = Duration::from_millis(3);

/// Nothing has come from the peer that could be over at once.
const QUIET: Kind = Kind::Tcp(TcpState::Established);

/// Queues with more room than this are given back when they are empty.
const QUEUE: usize = 64;

/// Stack of the thread; callbacks run on it.
const STACK: usize = 256 * 1024;

/// What to do with a new one when the table is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// End the one that has waited longest by its fallback, take the new one.
    #[default]
    EvictOldest,
    /// Refuse the new one.
    Refuse,
}

/// Why a hand-over was refused; the socket is untouched and the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Stopped, or another process's.
    Stopped,
    /// No memory, no thread, or the table is full.
    NoResources,
    System(Fault),
}

/// A thread and the closings that it finishes.
pub(crate) struct Reaper {
    shared: Arc<Shared>,
    thread: Thread,
    is_joined: AtomicBool,
}

struct Shared {
    door: Door<Packed<Socket>>,
    poller: Arc<Poller>,
    max_pending: usize,
    when_full: WhenFull,
    /// Handed over and not ended.
    alive: AtomicUsize,
    /// End all by their fallback, and the thread.
    stop: AtomicBool,
    /// Of the process that made it: a forked child has no such thread.
    process: usize,
    /// Wakes those who wait until none is pending.
    done: Condvar,
    done_lock: Mutex<()>,
}

/// One hand-over.
pub(crate) struct Handover {
    pub(crate) socket: Socket,
    pub(crate) options: Options,
    pub(crate) deferred: bool,
    pub(crate) done: Option<Done>,
    pub(crate) reader: Option<Reader>,
}

impl Handover {
    /// A time-out and nothing else: the place in the queue is all that it takes.
    fn is_brief(&self) -> bool {
        let has_callback = self.done.is_some() || self.reader.is_some();
        self.options.are_brief() && !has_callback && !log::is_on()
    }
}

impl Reaper {
    /// Starts the thread. `max_pending` 0: no limit.
    pub(crate) fn start(max_pending: usize, when_full: WhenFull) -> Result<Reaper, Refusal> {
        if !memory::can_have(memory::REAPER) {
            return Err(Refusal::NoResources);
        }
        let poller = Poller::new().map_err(|_| Refusal::NoResources)?;
        let shared = Arc::new(Shared {
            door: Door::new(),
            poller: Arc::new(poller),
            max_pending,
            when_full,
            alive: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            process: sys::process_generation(),
            done: Condvar::new(),
            done_lock: Mutex::new(()),
        });
        let thread = Thread::start(STACK, {
            let shared = Arc::clone(&shared);
            Box::new(move || shared.run())
        });
        Ok(Reaper {
            thread: thread.map_err(|_| Refusal::NoResources)?,
            is_joined: AtomicBool::new(false),
            shared,
        })
    }

    /// Takes a socket over. On an error it is untouched.
    pub(crate) fn hand_over(&self, handover: Handover) -> Result<(), Refusal> {
        let shared = &*self.shared;
        if !self.is_ours() {
            return Err(Refusal::Stopped);
        }
        let now = SystemClock.now();
        let is_brief = handover.is_brief();
        let guest = shared.let_knock(now, is_brief)?;
        match handover.deferred {
            true => shared.queue(handover, is_brief, guest, now),
            false => shared.take_over(handover, is_brief, guest, now),
        }
    }

    /// How many are pending.
    pub(crate) fn pending(&self) -> usize {
        match self.is_ours() {
            true => self.shared.pending(),
            false => 0,
        }
    }

    /// Waits until none is pending; whether that came to be.
    pub(crate) fn flush(&self, timeout_ms: u32) -> Result<bool, Refusal> {
        if !self.is_ours() {
            return Err(Refusal::Stopped);
        }
        if self.is_own_thread() {
            // A callback would wait for itself.
            return Ok(self.pending() == 0);
        }
        let deadline = deadline(timeout_ms);
        let mut lock = self.shared.lock_done();
        while self.shared.alive.load(Ordering::Acquire) > 0 {
            let left = deadline.since(SystemClock.now());
            if left.is_zero() {
                return Ok(false);
            }
            let wait = self
                .shared
                .done
                .wait_timeout(lock, left.min(Duration::from_secs(3600)));
            lock = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(true)
    }

    /// Refuses new ones, flushes, ends the rest by their fallback and joins the
    /// thread; whether nothing was left to be ended.
    pub(crate) fn stop(&self, timeout_ms: u32) -> Result<bool, Refusal> {
        if !self.is_ours() {
            return Err(Refusal::Stopped);
        }
        self.shared.door.close();
        let flushed = self.flush(timeout_ms)?;
        self.shared.stop.store(true, Ordering::Release);
        self.shared.poller.ring();
        let is_own_thread = self.is_own_thread();
        if !self.is_joined.swap(true, Ordering::AcqRel) {
            match is_own_thread {
                // A callback has let go of the last handle: nobody is left to join it.
                true => self.thread.detach(),
                false => self.thread.join(),
            }
        }
        Ok(flushed)
    }

    /// Neither the thread nor the sockets are there in a forked child, and the
    /// locks may be in any state.
    fn is_ours(&self) -> bool {
        self.shared.process == sys::process_generation()
    }

    pub(crate) fn is_own_thread(&self) -> bool {
        self.is_ours() && self.thread.is_current()
    }
}

impl Shared {
    /// In the caller's thread: a place in the queue and in the count.
    fn let_knock(&self, now: Time, is_brief: bool) -> Result<Guest<'_>, Refusal> {
        let is_awake = self
            .door
            .reserve(now.plus(SOON))
            .map_err(|shut| match shut {
                Shut::Closed => Refusal::Stopped,
                Shut::NoMemory => Refusal::NoResources,
            })?;
        // From here on the guest gives back what it has.
        let mut guest = Guest {
            shared: self,
            is_awake,
            is_counted: false,
        };
        if !is_brief && !memory::can_have(memory::HANDOVER) {
            return Err(Refusal::NoResources);
        }
        let others = self.alive.fetch_add(1, Ordering::AcqRel);
        stats::count_pending(true);
        guest.is_counted = true;
        let is_full = self.max_pending > 0 && others >= self.max_pending;
        match is_full && self.when_full == WhenFull::Refuse {
            true => Err(Refusal::NoResources),
            false => Ok(guest),
        }
    }

    /// Only checks, marks and queues; the thread finds out the rest.
    fn queue(
        &self,
        mut handover: Handover,
        is_brief: bool,
        guest: Guest<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        handover.socket.check().map_err(Refusal::System)?;
        handover.socket.keep_from_children();
        let due = match self.is_crowded() {
            true => now,
            false => now.plus(SOON),
        };
        if is_brief {
            let brief = Brief::new(handover.options.timeout_ms, now);
            guest.bring(packed(handover.socket.out_of_the_way(), brief), due);
        } else {
            // The log wants to know it by the number that the program knows.
            let mut entry = entry(&mut handover, false, now);
            entry.socket = entry.socket.out_of_the_way();
            guest.leave(entry, due);
        }
        Ok(())
    }

    /// Half-closes, so that the FIN leaves at once. With the thread awake that is
    /// all; otherwise drains what is there, too, and only what is not over then is
    /// brought to the thread.
    fn take_over(
        &self,
        mut handover: Handover,
        is_brief: bool,
        guest: Guest<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        let kind = handover.socket.classify().map_err(Refusal::System)?;
        // Children started meanwhile must not hold the connection.
        handover.socket.keep_from_children();
        let hurries =
            guest.is_awake && Socket::TAKES_LINGER_LATE && kind == QUIET && !self.is_crowded();
        // Refused, it goes the long way: there it is found out why.
        if hurries && is_brief && handover.socket.half_close().is_ok() {
            let brief = Brief::half_closed(handover.options.timeout_ms, now);
            let socket = handover.socket.out_of_the_way();
            guest.bring(packed(socket, brief), now.plus(SOON));
            return Ok(());
        }
        let mut entry = entry(&mut handover, is_brief, now);
        entry.machine.classified(kind);
        if hurries {
            entry.machine.hurry();
        }
        match entry.step(&SystemClock) {
            None => match entry.refusal() {
                Some(fault) => return Err(Refusal::System(fault)),
                // Its callback comes on the thread.
                None if entry.has_done() => guest.leave(entry, now),
                None => {
                    // First of all: the log may call back and wait until none is pending.
                    drop(guest);
                    entry.into_entry().tell(&SystemClock);
                }
            },
            Some(next) => {
                entry.socket = entry.socket.out_of_the_way();
                let due = self.see_to(&mut entry, next, now);
                guest.leave(entry, due);
            }
        }
        Ok(())
    }

    /// By when the thread has to look at it.
    fn see_to(&self, entry: &mut Entry<Socket>, next: Next, now: Time) -> Time {
        if entry.machine.was_hurried() {
            return now.plus(SOON);
        }
        let is_crowded = self.is_crowded();
        entry.is_watched = self.poller.add(entry.socket).is_ok();
        match next {
            // The poller wakes for it; the thread for its time alone.
            Next::Wait(wait)
                if entry.is_watched && !is_crowded && <Poller as Watcher<Socket>>::TELLS_EDGES =>
            {
                wait.until
            }
            _ => now,
        }
    }

    fn evicts(&self) -> bool {
        self.max_pending > 0 && self.when_full == WhenFull::EvictOldest
    }

    /// One or more have to go, and the thread must hear of it.
    fn is_crowded(&self) -> bool {
        self.evicts() && self.alive.load(Ordering::Acquire) > self.max_pending
    }

    /// Those that are about to be evicted do not count.
    fn pending(&self) -> usize {
        let alive = self.alive.load(Ordering::Acquire);
        match self.evicts() {
            true => alive.min(self.max_pending),
            false => alive,
        }
    }

    fn one_less(&self) {
        stats::count_pending(false);
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _lock = self.lock_done();
            self.done.notify_all();
        }
    }

    fn lock_done(&self) -> MutexGuard<'_, ()> {
        self.done_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn run(&self) {
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

/// One that has a place in the queue, and in the count; both are given back if
/// it goes, even by a panic.
struct Guest<'a> {
    shared: &'a Shared,
    /// The thread is going to look soon, without being woken.
    is_awake: bool,
    is_counted: bool,
}

impl Guest<'_> {
    /// Leaves the entry to the thread.
    fn leave(self, entry: Unpacked<Socket>, due: Time) {
        match entry.pack() {
            Ok(packed) => self.bring(packed, due),
            // It has become special, and there is no memory for that.
            Err(mut entry) => {
                entry.give_up();
                drop(self);
                entry.tell(&SystemClock);
            }
        }
    }

    fn bring(self, packed: Packed<Socket>, due: Time) {
        let shared = self.shared;
        std::mem::forget(self);
        if shared.door.bring(packed, due) {
            shared.poller.ring();
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.shared.door.turn_back();
        if self.is_counted {
            self.shared.one_less();
        }
    }
}

fn packed(socket: Socket, brief: Brief) -> Packed<Socket> {
    Packed::Brief {
        socket,
        brief,
        is_watched: false,
    }
}

/// With its box, if it is to have one: the memory has been asked for.
fn entry(handover: &mut Handover, is_brief: bool, now: Time) -> Unpacked<Socket> {
    let mut entry = Entry {
        socket: handover.socket,
        machine: Machine::new(&handover.options, now),
        extras: None,
        is_watched: false,
    };
    if is_brief {
        return Unpacked::Here(entry);
    }
    let extras = Extras {
        done: handover.done.take(),
        reader: handover.reader.take(),
        ends: log::is_on().then(|| handover.socket.ends()),
    };
    entry.extras = extras.boxed();
    Unpacked::Boxed(Box::new(entry))
}

/// What the thread has in its hands.
struct Work {
    set: Set<Socket, Poller, SystemClock>,
    arrivals: Vec<Packed<Socket>>,
    ended: Vec<Entry<Socket>>,
}

impl Extras {
    fn boxed(self) -> Option<Box<Extras>> {
        let any = self.done.is_some() || self.reader.is_some() || self.ends.is_some();
        any.then(|| Box::new(self))
    }
}

fn deadline(timeout_ms: u32) -> Time {
    match timeout_ms {
        INFINITE => Time::NEVER,
        ms => SystemClock.now().plus_millis(ms),
    }
}

/// What [`of_the_process`] has started.
static OF_THE_PROCESS: PerProcess<Reaper> = PerProcess::new();

/// The reaper of the process, started at the first call.
pub(crate) fn of_the_process() -> Result<&'static Reaper, Refusal> {
    if let Some(reaper) = OF_THE_PROCESS.get() {
        return Ok(reaper);
    }
    if let Err(late) = OF_THE_PROCESS.set(Reaper::start(0, WhenFull::EvictOldest)?) {
        // Another thread was faster.
        let _ = late.stop(0);
    }
    OF_THE_PROCESS.get().ok_or(Refusal::NoResources)
}

/// The same, if it has been started.
pub(crate) fn of_the_process_if_any() -> Option<&'static Reaper> {
    OF_THE_PROCESS.get()
}
