//! Time: what to wait for, how long, and when to give up.

use super::state::{after, Machine, Next, Phase};
use crate::clock::{Clock, Time};
use crate::connection::{not_ours, Connection, Fault, FaultKind, TcpState, Wait, Watch};
use crate::outcome::Outcome;
use std::time::Duration;

/// Where no event tells of an acknowledgement, look again after 1, 2, 4 … ms.
pub(super) const RECHECK_MOST_MS: u32 = 50;

/// So many looks at what the peer has taken make an idle time-out late by a quarter at most.
const LOOKS_PER_IDLE: u32 = 4;

/// So many looks in vain within one millisecond are not events, however fast the machine is.
pub(in crate::machine) const MOST_DRY_LOOKS: u8 = 32;

/// A close without a time to wait may still read so much of what is there, to
/// get at a FIN behind it.
pub(in crate::machine) const LAST_LOOK_BYTES: usize = 16 << 20;

impl Machine {
    /// The time; the first look starts the clock of one that has none yet.
    pub(super) fn now<K: Clock>(&mut self, clock: &K) -> Time {
        let now = clock.now();
        if self.seen.started == Time::NEVER {
            self.seen.started = now;
            self.seen.deadline = after(now, self.plan.timeout_ms);
        }
        now
    }

    /// Something came in: the idle clock starts anew.
    pub(super) fn moved<K: Clock>(&mut self, clock: &K) {
        if self.plan.idle_ms > 0 && self.seen.half_closed {
            self.seen.looked = self.now(clock);
            self.seen.phase_end = after(self.seen.looked, self.plan.idle_ms);
        }
    }

    /// Without a time to wait: as long as what is there is not read.
    pub(super) fn has_time<K: Clock>(&mut self, clock: &K) -> bool {
        if self.plan.timeout_ms == 0 {
            return self.seen.drained < LAST_LOOK_BYTES;
        }
        self.now(clock) < self.seen.deadline
    }

    /// Waits, unless the total or the idle time is over.
    pub(super) fn wait_or_give_up<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        watch: Watch,
    ) -> Option<Next> {
        self.watch_over(conn);
        match self.has_vanished(conn, clock) {
            Ok(false) => {}
            Ok(true) => return self.finish_dead(conn, Some(Fault::VANISHED)),
            Err(fault) => return self.refuse(fault),
        }
        let now = self.now(clock);
        let idle = match self.is_idle(conn, clock) {
            Ok(idle) => idle,
            Err(fault) => return self.refuse(fault),
        };
        if idle || now >= self.seen.deadline {
            // Silence proves something only where it is told how far the peer has got.
            self.seen.blind = now < self.seen.deadline && !self.seen.sees_backlog;
            // The background may still see the FIN.
            let outcome = match self.seen.in_doubt && !self.may_continue() {
                true => Outcome::Uncertain,
                false => Outcome::TimedOut,
            };
            return self.finish(conn, outcome);
        }
        self.wait(watch, clock)
    }

    /// With `until_acked`: ends with the acknowledgement of our FIN, and looks for it
    /// again and again while the peer's bytes are read.
    pub(super) fn wait_for_acks<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        match self.ask_state(conn) {
            Ok(Some(TcpState::FinWait2)) if self.seen.confirmed => {
                self.finish(conn, Outcome::Delivered)
            }
            // What came along with the acknowledgement is read first: left unread it would make
            // a reset of the close.
            Ok(Some(TcpState::FinWait2)) => {
                self.seen.confirmed = true;
                None
            }
            Ok(None) => self.wait_for_data(conn, clock),
            Err(fault) if fault.kind == FaultKind::NotASocket => self.refuse(fault),
            Ok(Some(_)) | Err(_) => self.wait_or_give_up(conn, clock, Watch::Acknowledged),
        }
    }

    /// All of ours and our FIN have been acknowledged, and nobody asks for more. `Err`: the
    /// descriptor is no longer ours.
    pub(super) fn is_delivered<C: Connection>(&mut self, conn: &mut C) -> Result<bool, Fault> {
        if !self.plan.until_acked {
            return Ok(false);
        }
        let state = self.ask_state(conn);
        if let Some(fault) = not_ours(&state) {
            return Err(fault);
        }
        let is_delivered = state == Ok(Some(TcpState::FinWait2));
        self.seen.confirmed |= is_delivered;
        Ok(is_delivered)
    }

    /// There is more to read, which would make a reset of the close. But a peer that floods
    /// holds nobody who only wants to know that all of ours has arrived.
    pub(super) fn after_full_pass<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        let has_time = self.has_time(clock);
        if has_time && !(self.plan.until_acked && self.seen.drained >= LAST_LOOK_BYTES) {
            return Some(Next::Again);
        }
        match self.is_delivered(conn) {
            Ok(true) => self.finish(conn, Outcome::Delivered),
            Ok(false) if has_time => Some(Next::Again),
            Ok(false) => self.finish(conn, Outcome::TimedOut),
            Err(fault) => self.refuse(fault),
        }
    }

    /// As [`Machine::wait_or_give_up`], where no event may tell when to look again.
    pub(super) fn look_again_or_give_up<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        let next = self.wait_or_give_up(conn, clock, Watch::Change);
        next.map(Next::at_recheck)
    }

    /// Nothing has moved for the idle time. Acknowledgements are movement too, or a slow
    /// reader would be cut off in the middle; they are looked up a few times in that time,
    /// so that what is found late makes the end late by no more than a part of it. `Err`: the
    /// descriptor is no longer ours.
    fn is_idle<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> Result<bool, Fault> {
        if self.seen.phase_end == Time::NEVER || self.now(clock) < self.next_look() {
            return Ok(false);
        }
        let before = self.seen.backlog;
        let now = conn.backlog();
        if let Some(fault) = not_ours(&now) {
            return Err(fault);
        }
        self.seen.sees_backlog = matches!(now, Ok(Some(_)));
        self.seen.backlog = now.ok().flatten().or(before);
        let moved = match (before, self.seen.backlog) {
            (Some(was), Some(is)) => is.left < was.left,
            _ => false,
        };
        if moved {
            self.moved(clock);
        } else {
            self.seen.looked = self.now(clock);
        }
        Ok(self.now(clock) >= self.seen.phase_end)
    }

    /// When to look up next what the peer has taken.
    fn next_look(&self) -> Time {
        match self.seen.backlog {
            Some(backlog) if !backlog.is_empty => {
                let part = Duration::from_millis(u64::from(self.plan.idle_ms)) / LOOKS_PER_IDLE;
                self.seen.looked.plus(part).min(self.seen.phase_end)
            }
            _ => self.seen.phase_end,
        }
    }

    /// Nothing was there to read. Where the system calls it readable all the same, again and again,
    /// waiting for that would spin: then it is looked at growing intervals, as for what no event
    /// tells. A program that steps too often does not make it readable.
    fn spins<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> bool {
        let ms = (self.now(clock).nanos() / 1_000_000) as u8;
        if ms != self.seen.dry_ms {
            self.seen.dry_looks = 0;
        }
        self.seen.dry_ms = ms;
        let looks = self.seen.dry_looks;
        self.seen.dry_looks = looks.saturating_add(1);
        looks >= MOST_DRY_LOOKS && conn.is_called_readable()
    }

    /// As [`Machine::wait_or_give_up`], for something to read.
    pub(super) fn wait_for_data<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        match self.spins(conn, clock) {
            true => self.look_again_or_give_up(conn, clock),
            false => self.wait_or_give_up(conn, clock, Watch::Readable),
        }
    }

    /// As [`Machine::wait_for_data`], where the end of the wait is the caller's affair.
    pub(super) fn wait_for_peer<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        match self.spins(conn, clock) {
            true => self.wait(Watch::Change, clock).map(Next::at_recheck),
            false => self.wait(Watch::Readable, clock),
        }
    }

    /// For what is half-closed: waits without having looked what is there, which an event tells of. `None`: it has
    /// to be looked at, or its time is up.
    pub(crate) fn wait_unread<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        let only_waits = self.phase == Phase::Drain && !self.plan.until_acked;
        if !only_waits || self.now(clock) >= self.seen.deadline {
            return None;
        }
        self.watch_over(conn);
        self.wait(Watch::Readable, clock)
    }

    pub(super) fn wait<K: Clock>(&mut self, watch: Watch, clock: &K) -> Option<Next> {
        let until = self.seen.deadline.min(self.next_look());
        let until = until.min(self.next_life_look(clock));
        let recheck = match watch {
            Watch::Readable => until,
            Watch::Change | Watch::Acknowledged => {
                until.min(after(self.now(clock), self.seen.recheck_ms))
            }
        };
        if watch != Watch::Readable {
            self.seen.recheck_ms = (self.seen.recheck_ms * 2).min(RECHECK_MOST_MS);
        }
        Some(Next::Wait(Wait {
            watch,
            until,
            recheck,
        }))
    }
}

impl Next {
    /// Also where changes of state can be watched.
    pub(super) fn at_recheck(self) -> Next {
        match self {
            Next::Wait(wait) => Next::Wait(wait.no_longer_than(wait.recheck)),
            next => next,
        }
    }
}
