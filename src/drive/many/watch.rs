//! Between two sweeps: the first unfinished one is waited for, and those that had something to
//! read.

use super::Many;
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Watch;
use crate::drive::job::Sink;
use crate::machine::Next;
use crate::sys::{wait_for_any, PollEntry, Waiter};
use std::time::Duration;

/// Pause after events that nobody could make anything of.
const PAUSE: Duration = Duration::from_millis(1);

impl Many {
    /// Makes room for those that send.
    pub(super) fn forget_quiet_ones(&mut self) {
        let all = &mut self.all;
        self.watched.retain(|&at| {
            let one = &mut all[at];
            one.is_watched = std::mem::take(&mut one.has_read) && one.next != Next::Ended;
            one.is_watched
        });
    }

    /// There is room for all that are left: no more than `WATCHED`.
    pub(super) fn watch_all(&mut self, first: usize) {
        self.watched.clear();
        for (at, one) in self.all.iter_mut().enumerate().skip(first) {
            one.is_watched = one.next != Next::Ended;
            if one.is_watched {
                self.watched.push(at);
            }
        }
    }

    /// Until the next sweep: waits for the first one, going on to its successor as soon as it
    /// has ended, and for those that are watched.
    pub(super) fn watch(&mut self, mut first: usize, until: Time, sink: &mut Sink<'_>) {
        let mut waiter = Waiter::new();
        while let Some(one) = self.all.get(first) {
            if one.next == Next::Ended {
                first += 1;
                waiter = Waiter::new();
                continue;
            }
            let (socket, next) = (one.socket, one.next);
            let is_alone = !self
                .watched
                .iter()
                .any(|&at| at != first && self.all[at].next != Next::Ended);
            match next {
                // Alone it may wait for what poll() does not tell.
                Next::Wait(wait) if is_alone && Waiter::TELLS_MORE => {
                    waiter.wait(socket, wait.no_longer_than(until));
                    if SystemClock.now() < until {
                        self.step(first, sink);
                    }
                }
                _ => {
                    let until = self.prepare_poll(first, until);
                    self.poll(first, until, sink);
                }
            }
            if SystemClock.now() >= until {
                return;
            }
        }
    }

    /// Lists those that wait for something to read; until when at the latest, as poll() does not
    /// tell of all that the others wait for.
    fn prepare_poll(&mut self, first: usize, mut until: Time) -> Time {
        self.entries.clear();
        self.polled.clear();
        let is_first_watched = self.all[first].is_watched;
        let first = (!is_first_watched).then_some(first);
        for at in first.into_iter().chain(self.watched.iter().copied()) {
            let one = &self.all[at];
            until = until.min(match one.next {
                Next::Ended => continue,
                Next::Again => Time::from_nanos(0),
                Next::Wait(wait) => {
                    // poll() would tell of that for ever.
                    if wait.watch != Watch::Change {
                        self.entries.push(PollEntry::readable(one.socket));
                        self.polled.push(at);
                    }
                    wait.recheck
                }
            });
        }
        until
    }

    /// Waits for those that are listed, and steps those that have news or are due.
    fn poll(&mut self, first: usize, until: Time, sink: &mut Sink<'_>) {
        let could_wait = wait_for_any(&mut self.entries, until);
        let (mut has_news, mut has_changed) = (!could_wait, false);
        for at in 0..self.entries.len() {
            if !self.entries[at].has_event() {
                continue;
            }
            has_news = true;
            let at = self.polled[at];
            let changes = self.step(at, sink);
            has_changed |= changes;
            #[cfg(linux_calls)]
            if !changes && self.all[at].machine.is_tcp() {
                self.all[at].socket.drop_notice();
            }
        }
        let now = SystemClock.now();
        for at in 0..=self.watched.len() {
            let at = self.watched.get(at).copied().unwrap_or(first);
            let is_due = match self.all[at].next {
                Next::Ended => false,
                Next::Again => true,
                Next::Wait(wait) => now >= wait.recheck,
            };
            if is_due {
                self.step(at, sink);
            }
        }
        if has_news && !has_changed {
            // A signal; a refusal; or news that are none, as those of an error queue.
            std::thread::sleep(PAUSE.min(until.since(SystemClock.now())));
        }
    }
}
