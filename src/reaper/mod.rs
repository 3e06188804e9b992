//! The background: a pool of closings, a thread that works on them, and an inbox.
//!
//! Handing over does in the caller's thread what must not wait: the half-close,
//! so that the FIN leaves at once, and one bounded drain pass. What that did not
//! finish is registered with the poller and pushed into the inbox. The thread is
//! woken only if it would oversleep; it works in short naps, so that many ends
//! are taken in one go.
//!
//! The program may close any descriptor, by mistake or because it closes all there are: a
//! socket that was handed over, or the poller's own. Whatever has the number then is left alone,
//! by [`crate::reaper::pool::Entry`] and by [`Poller`].

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Ends;
use crate::connection::{Fault, FaultKind};
use crate::log;
use crate::machine::Machine;
use crate::options::{Options, INFINITE};
use crate::reaper::inbox::{Inbox, Wake};
use crate::reaper::pool::{Done, Packed, Reader, ENDED};
use crate::stats;
use crate::sys::PerProcess;
use crate::sys::{self, boxed, Counted, LastError, Poller, Socket, Thread};
use hand_over::Boxes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod hand_over;
pub(crate) mod inbox;
pub(crate) mod pool;
#[cfg(test)]
mod tests;
mod worker;

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
    /// No memory, descriptor or thread, with what the system said.
    NoResources(i32),
    /// So many are pending as may be.
    Full,
    System(Fault),
}

impl Refusal {
    pub(crate) const NO_MEMORY: Refusal = Refusal::NoResources(LastError::RESOURCES);

    fn of_start(fault: Fault) -> Refusal {
        Refusal::NoResources(fault.code)
    }
}

/// A thread and the closings that it finishes.
pub(crate) struct Reaper {
    shared: Counted<Shared>,
    thread: Thread,
    is_joined: AtomicBool,
}

struct Shared {
    inbox: Inbox<Packed<Socket>>,
    poller: Counted<Poller>,
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
    /// Wakes the thread where it has nothing to wait for. That takes no descriptor: should the
    /// program have closed all there are, it goes on all the same.
    idle: Condvar,
    is_woken: Mutex<bool>,
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
        self.options.is_brief() && !self.has_callback() && !log::is_on()
    }

    fn has_callback(&self) -> bool {
        self.done.is_some() || self.reader.is_some()
    }
}

impl Reaper {
    /// Starts the thread. `max_pending` 0: no limit. Not in a vfork() child: the thread would
    /// end with it, and the memory is its parent's.
    pub(crate) fn start(max_pending: usize, when_full: WhenFull) -> Result<Reaper, Refusal> {
        sys::when_forked(stats::nothing_is_pending);
        let process = sys::process_generation();
        if process == sys::BORROWED {
            return Err(Refusal::Stopped);
        }
        let mut ended = Vec::new();
        let room = ended.try_reserve_exact(ENDED);
        room.map_err(|_| Refusal::NO_MEMORY)?;
        let poller = Poller::new().map_err(Refusal::of_start)?;
        let shared = Counted::new(Shared {
            inbox: Inbox::new(),
            poller: Counted::new(poller).map_err(|_| Refusal::NO_MEMORY)?,
            max_pending,
            when_full,
            alive: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            process,
            done: Condvar::new(),
            done_lock: Mutex::new(()),
            idle: Condvar::new(),
            is_woken: Mutex::new(false),
        });
        let shared = shared.map_err(|_| Refusal::NO_MEMORY)?;
        let body = boxed({
            let shared = shared.clone();
            move || shared.run(ended)
        });
        let body = body.map_err(|_| Refusal::NO_MEMORY)?;
        let thread = Thread::start(STACK, body);
        Ok(Reaper {
            thread: thread.map_err(Refusal::of_start)?,
            is_joined: AtomicBool::new(false),
            shared,
        })
    }

    /// Takes a socket over. On an error it is untouched.
    pub(crate) fn hand_over(&self, handover: Handover) -> Result<(), Refusal> {
        match self.is_ours() {
            true => self.take(handover),
            false => Err(Refusal::Stopped),
        }
    }

    /// In the process that has its thread.
    fn take(&self, handover: Handover) -> Result<(), Refusal> {
        let shared = &*self.shared;
        let now = SystemClock.now();
        let boxes = match handover.is_brief() {
            true => None,
            false => Some(Boxes::ask(handover.has_callback() || log::is_on())?),
        };
        let reservation = shared.reserve(now, boxes)?;
        match handover.deferred {
            true => shared.queue(handover, reservation, now),
            false => shared.take_over(handover, reservation, now),
        }
    }

    /// Takes over what another driver has begun. On an error it is untouched.
    fn go_on_with(
        &self,
        mut socket: Socket,
        machine: &Machine,
        ends: Option<&Ends>,
    ) -> Result<(), Refusal> {
        if !self.is_ours() {
            return Err(Refusal::Stopped);
        }
        let now = SystemClock.now();
        let machine = machine.go_on(&mut socket, now);
        let boxes = match machine.brief().is_some() && ends.is_none() {
            true => None,
            false => Some(Boxes::ask(ends.is_some())?),
        };
        let reservation = self.shared.reserve(now, boxes)?;
        self.shared.go_on(socket, machine, ends, reservation, now)
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
        self.shared.inbox.close();
        let flushed = self.flush(timeout_ms)?;
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake(Wake::Bell);
        self.shared.wake(Wake::Idle);
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

    fn wake(&self, wake: Wake) {
        match wake {
            Wake::No => {}
            Wake::Bell => self.poller.ring(),
            Wake::Idle => {
                *self.lock_idle() = true;
                self.idle.notify_one();
            }
        }
    }

    /// Until it is woken.
    fn sleep_idly(&self) {
        let mut is_woken = self.lock_idle();
        while !std::mem::take(&mut *is_woken) {
            let woken = self.idle.wait(is_woken);
            is_woken = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock_idle(&self) -> MutexGuard<'_, bool> {
        self.is_woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_done(&self) -> MutexGuard<'_, ()> {
        self.done_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn deadline(timeout_ms: u32) -> Time {
    match timeout_ms {
        INFINITE => Time::NEVER,
        ms => SystemClock.now().plus_millis(ms),
    }
}

/// Goes on in the background with a close that the caller has no time for any more; without a
/// background it is closed ordinarily.
pub(crate) fn go_on_with(mut socket: Socket, machine: &mut Machine, ends: Option<&Ends>) {
    let result =
        of_the_process_for(socket).and_then(|reaper| reaper.go_on_with(socket, machine, ends));
    match result {
        Ok(()) => {}
        Err(Refusal::System(fault)) if fault.kind == FaultKind::NotASocket => machine.abandon(),
        Err(_) => machine.close_instead(&mut socket),
    }
}

/// What [`of_the_process_for`] has started.
static OF_THE_PROCESS: PerProcess<Reaper> = PerProcess::new();

/// Hands a socket over to the reaper of the process. On an error it is untouched.
pub(crate) fn hand_over_to_the_process(handover: Handover) -> Result<(), Refusal> {
    of_the_process_for(handover.socket)?.take(handover)
}

/// The reaper of the process, started at the first call, but not for what is no
/// socket: on Windows the thread starts Winsock, and that the program has not
/// could not be told any more.
pub(crate) fn of_the_process_for(first: Socket) -> Result<&'static Reaper, Refusal> {
    if let Some(reaper) = OF_THE_PROCESS.get() {
        return Ok(reaper);
    }
    first.check().map_err(Refusal::System)?;
    if let Err(late) = OF_THE_PROCESS.set(Reaper::start(0, WhenFull::EvictOldest)?) {
        // Another thread was faster.
        let _ = late.stop(0);
    }
    OF_THE_PROCESS.get().ok_or(Refusal::NO_MEMORY)
}

/// The same, if it has been started.
pub(crate) fn of_the_process_if_any() -> Option<&'static Reaper> {
    OF_THE_PROCESS.get()
}
