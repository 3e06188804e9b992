//! A reaper from its start to its end.

use super::hand_over::Boxes;
use super::inbox::{Inbox, Wake};
use super::pool::ENDED;
use super::shared::{Handover, Refusal, Shared, WhenFull};
use crate::clock::{Clock, SystemClock, Time};
use crate::log::{self, About};
use crate::machine::Machine;
use crate::options::INFINITE;
use crate::stats;
use crate::sys::{self, boxed, Counted, Poller, Socket, Thread};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Stack of the thread; callbacks run on it.
const STACK: usize = 256 * 1024;

/// A thread and the closings that it finishes.
pub(crate) struct Reaper {
    pub(super) shared: Counted<Shared>,
    thread: Thread,
    is_joined: AtomicBool,
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
    pub(super) fn take(&self, handover: Handover) -> Result<(), Refusal> {
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
    pub(super) fn go_on_with(
        &self,
        mut socket: Socket,
        machine: &Machine,
        about: Option<&About>,
    ) -> Result<(), Refusal> {
        if !self.is_ours() {
            return Err(Refusal::Stopped);
        }
        let now = SystemClock.now();
        let machine = machine.go_on(&mut socket, now);
        let boxes = match machine.brief().is_some() && about.is_none() {
            true => None,
            false => Some(Boxes::ask(about.is_some())?),
        };
        let reservation = self.shared.reserve(now, boxes)?;
        self.shared.go_on(socket, machine, about, reservation, now)
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
            // A callback would wait for itself: what it is told of is pending until it returns.
            return Ok(false);
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

fn deadline(timeout_ms: u32) -> Time {
    match timeout_ms {
        INFINITE => Time::NEVER,
        ms => SystemClock.now().plus_millis(ms),
    }
}
