//! Time: what to wait for, how long, and when to give up.

use super::{Machine, Next, Wait, Watch};
use crate::clock::{Clock, Time};
use crate::connection::Connection;
use crate::options::INFINITE;
use crate::outcome::Outcome;

/// Where no event tells of an acknowledgement, look again after 1, 2, 4 … ms.
const RECHECK_MOST_MS: u32 = 50;

/// A close without a time to wait may still read so much of what is there, to
/// get at a FIN behind it.
pub(in crate::closing) const LAST_LOOK_BYTES: usize = 16 << 20;

impl Machine {
    /// The time; the first look starts the clock of one that has none yet.
    pub(super) fn now<K: Clock>(&mut self, clock: &K) -> Time {
        let now = clock.now();
        if self.started == Time::NEVER {
            self.started = now;
            self.deadline = after(now, self.timeout_ms);
        }
        now
    }

    /// Something came in: the idle clock starts anew.
    pub(super) fn moved<K: Clock>(&mut self, clock: &K) {
        if self.idle_ms > 0 && self.half_closed {
            self.phase_end = after(self.now(clock), self.idle_ms);
        }
    }

    /// Without a time to wait: as long as what is there is not read.
    pub(super) fn has_time<K: Clock>(&mut self, clock: &K) -> bool {
        if self.timeout_ms == 0 {
            return self.drained < LAST_LOOK_BYTES;
        }
        self.now(clock) < self.deadline
    }

    /// Waits, unless the total or the idle time is over.
    pub(super) fn wait_or_give_up<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        watch: Watch,
    ) -> Option<Next> {
        let now = self.now(clock);
        let idle = now >= self.phase_end && !self.peer_has_taken_some(conn, clock);
        if idle || now >= self.deadline {
            let outcome = match self.in_doubt {
                true => Outcome::Uncertain,
                false => Outcome::TimedOut,
            };
            return self.finish(conn, outcome);
        }
        self.wait(watch, clock)
    }

    /// Looked up only when the idle time is over: acknowledgements are
    /// movement too, or a slow reader would be cut off in the middle.
    fn peer_has_taken_some<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> bool {
        let before = self.in_flight;
        self.in_flight = self.ask_in_flight(conn);
        // Our FIN counts as one, and its acknowledgement is no movement.
        let data = |in_flight: Option<usize>| in_flight.map(|count| count.saturating_sub(1));
        let moved = match (data(before), data(self.in_flight)) {
            (Some(was), Some(is)) => is < was,
            _ => false,
        };
        if moved {
            self.moved(clock);
        }
        moved
    }

    pub(super) fn ask_in_flight<C: Connection>(&self, conn: &mut C) -> Option<usize> {
        if self.is_tcp {
            conn.in_flight()
        } else {
            None
        }
    }

    pub(super) fn wait<K: Clock>(&mut self, watch: Watch, clock: &K) -> Option<Next> {
        let until = self.deadline.min(self.phase_end);
        let recheck = match watch {
            Watch::Readable => until,
            Watch::Change => until.min(after(self.now(clock), self.recheck_ms)),
        };
        if watch == Watch::Change {
            self.recheck_ms = (self.recheck_ms * 2).min(RECHECK_MOST_MS);
        }
        Some(Next::Wait(Wait {
            watch,
            until,
            recheck,
        }))
    }
}

impl Wait {
    /// The same, but over by `limit`.
    pub(crate) fn no_longer_than(self, limit: Time) -> Wait {
        Wait {
            until: self.until.min(limit),
            recheck: self.recheck.min(limit),
            ..self
        }
    }
}

/// A time-out as a point in time.
pub(super) fn after(start: Time, ms: u32) -> Time {
    match ms {
        INFINITE => Time::NEVER,
        ms => start.plus_millis(ms),
    }
}
