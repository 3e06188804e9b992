//! The inbox of a reaper: a queue, and the question whether the bell must be
//! rung. Small on purpose, so that a model checker can walk all its ways.
//!
//! Whoever brings something asks for room first; with it, bringing cannot fail.
//! The reaper says until when it will sleep; only what is due before that time
//! makes it worth while to wake it.

use crate::clock::Time;
use std::collections::TryReserveError;

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

/// Where so many come while the reaper sleeps, more will: it is woken to save them
/// what they do in its stead.
const A_FEW: u32 = 8;

/// What wakes the reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the reaper may sleep too long"]
pub(crate) enum Wake {
    /// Nothing has to: it is awake, or wakes early enough.
    No,
    /// The bell: it waits for events.
    Bell,
    /// It has nothing to wait for, and sleeps until it is woken.
    Idle,
}

/// The queue and what is known of the sleeper.
pub(crate) struct Inbox<T> {
    inside: Mutex<Inside<T>>,
}

struct Inside<T> {
    queue: Vec<T>,
    /// Brought soon: places in the queue that are spoken for.
    promised: usize,
    /// The reaper sleeps until then; `None` while it is awake.
    sleeps_until: Option<Time>,
    /// How many were brought in this sleep.
    slept_over: u32,
    /// Closed for good.
    closed: bool,
}

/// Why one cannot come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Closed,
    NoMemory,
}

impl From<TryReserveError> for NoPlace {
    fn from(_: TryReserveError) -> NoPlace {
        NoPlace::NoMemory
    }
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Inbox<T> {
        Inbox {
            inside: Mutex::new(Inside {
                queue: Vec::new(),
                promised: 0,
                sleeps_until: None,
                slept_over: 0,
                closed: false,
            }),
        }
    }

    /// Held for a few instructions only, and nothing in there can panic.
    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks for a place; give it back by [`Inbox::push`] or [`Inbox::cancel`].
    /// Whether the reaper is going to look by `soon`: because it wakes by then, or because
    /// whatever is brought wakes it.
    pub(crate) fn reserve(&self, soon: Time) -> Result<bool, NoPlace> {
        let mut inside = self.lock();
        if inside.closed {
            return Err(NoPlace::Closed);
        }
        let wanted = inside.promised + 1;
        inside.queue.try_reserve(wanted)?;
        inside.promised = wanted;
        let looks = |until| until <= soon || until == Time::NEVER;
        Ok(inside.sleeps_until.map_or(true, looks))
    }

    /// Nothing will be brought after all.
    pub(crate) fn cancel(&self) {
        self.lock().promised -= 1;
    }

    /// Brings what is to be looked at by `due` at the latest.
    pub(crate) fn push(&self, item: T, due: Time) -> Wake {
        let mut inside = self.lock();
        inside.promised -= 1;
        inside.queue.push(item);
        inside.wake_for(due)
    }

    /// Somebody has a place and has not come yet.
    pub(crate) fn is_expecting(&self) -> bool {
        self.lock().promised > 0
    }

    /// The reaper wakes and takes all that was brought, into an empty vector.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        let mut inside = self.lock();
        inside.sleeps_until = None;
        std::mem::swap(&mut inside.queue, into);
        // What was promised needs its room in the other vector now.
        let promised = inside.promised;
        if inside.queue.try_reserve(promised).is_err() {
            // Out of memory: only what there is room for. The rest waits in the
            // queue, and the reaper does not sleep.
            std::mem::swap(&mut inside.queue, into);
            let room = into.capacity().min(inside.queue.len());
            into.extend(inside.queue.drain(..room));
        }
    }

    /// The reaper goes to sleep, for ever if it has nothing to wait for. `false`: not now,
    /// something has come.
    pub(crate) fn sleep(&self, until: Time) -> bool {
        let mut inside = self.lock();
        if !inside.queue.is_empty() {
            return false;
        }
        inside.sleeps_until = Some(until);
        inside.slept_over = 0;
        true
    }

    /// No more may come in. What has a place already may still be brought.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }
}

impl<T> Inside<T> {
    /// One ring is enough: the first one makes the sleeper count as awake.
    fn wake_for(&mut self, due: Time) -> Wake {
        let Some(until) = self.sleeps_until else {
            return Wake::No;
        };
        self.slept_over += 1;
        let wake = match until {
            Time::NEVER => Wake::Idle,
            _ if due < until || self.slept_over >= A_FEW => Wake::Bell,
            _ => return Wake::No,
        };
        self.sleeps_until = None;
        wake
    }
}
