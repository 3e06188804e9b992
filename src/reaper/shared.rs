//! What the handles of a reaper, those who hand over and the thread have in common.

use super::inbox::{Inbox, Wake};
use super::pool::{Done, Packed, Reader};
use crate::connection::Fault;
use crate::log;
use crate::options::Options;
use crate::stats;
use crate::sys::{Counted, LastError, Poller, Socket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

    pub(super) fn of_start(fault: Fault) -> Refusal {
        Refusal::NoResources(fault.code)
    }
}

/// What the handles and the thread have in common.
pub(super) struct Shared {
    pub(super) inbox: Inbox<Packed<Socket>>,
    pub(super) poller: Counted<Poller>,
    pub(super) max_pending: usize,
    pub(super) when_full: WhenFull,
    /// Handed over and not ended.
    pub(super) alive: AtomicUsize,
    /// End all by their fallback, and the thread.
    pub(super) stop: AtomicBool,
    /// Of the process that made it: a forked child has no such thread.
    pub(super) process: usize,
    /// Wakes those who wait until none is pending.
    pub(super) done: Condvar,
    pub(super) done_lock: Mutex<()>,
    /// Wakes the thread where it has nothing to wait for. That takes no descriptor: should the
    /// program have closed all there are, it goes on all the same.
    pub(super) idle: Condvar,
    pub(super) is_woken: Mutex<bool>,
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
    pub(super) fn is_brief(&self) -> bool {
        self.options.is_brief() && !self.has_callback() && !log::is_on()
    }

    pub(super) fn has_callback(&self) -> bool {
        self.done.is_some() || self.reader.is_some()
    }
}

impl Shared {
    pub(super) fn evicts(&self) -> bool {
        self.max_pending > 0 && self.when_full == WhenFull::EvictOldest
    }

    /// One or more have to go, and the thread must hear of it.
    pub(super) fn is_crowded(&self) -> bool {
        self.evicts() && self.alive.load(Ordering::Acquire) > self.max_pending
    }

    /// Those that are about to be evicted do not count.
    pub(super) fn pending(&self) -> usize {
        let alive = self.alive.load(Ordering::Acquire);
        match self.evicts() {
            true => alive.min(self.max_pending),
            false => alive,
        }
    }

    pub(super) fn one_less(&self) {
        stats::count_pending(false);
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _lock = self.lock_done();
            self.done.notify_all();
        }
    }

    pub(super) fn wake(&self, wake: Wake) {
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
    pub(super) fn sleep_idly(&self) {
        let mut is_woken = self.lock_idle();
        while !std::mem::take(&mut *is_woken) {
            let woken = self.idle.wait(is_woken);
            is_woken = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn lock_idle(&self) -> MutexGuard<'_, bool> {
        self.is_woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_done(&self) -> MutexGuard<'_, ()> {
        self.done_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
