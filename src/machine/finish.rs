//! The ends of a close: which outcome, what becomes of the descriptor, what is
//! reported.

use super::reading::Pass;
use super::state::{Bulk, End, Machine, Next, Phase};
use crate::clock::Time;
use crate::connection::{Answer, Connection, Fault, FaultKind};
use crate::options::Fallback;
use crate::outcome::Outcome;
use crate::report::Report;

/// What becomes of the descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Close,
    Abort,
    Keep,
    /// Reset, and the descriptor left to its owner.
    Reset,
    /// Left to the background.
    Continue,
}

impl Machine {
    /// The system refused before anything was done.
    pub(super) fn refuse(&mut self, fault: Fault) -> Option<Next> {
        self.seen.system_error = fault.code;
        self.phase = Phase::Ended(End::Refused(fault));
        None
    }

    /// The descriptor has become another one: hands off.
    pub(crate) fn abandon(&mut self) {
        self.refuse(Fault::GONE);
    }

    /// A reading pass that ends the close.
    pub(super) fn cut_short<C: Connection>(&mut self, conn: &mut C, pass: Pass) -> Option<Next> {
        match pass {
            Pass::Limit => self.finish(conn, Outcome::DrainLimit),
            Pass::Stopped => self.finish(conn, Outcome::Stopped),
            Pass::Failed(fault) => self.end_by(conn, fault),
            Pass::Dry | Pass::Full | Pass::End | Pass::Deaf => None,
        }
    }

    /// Receiving has failed for good.
    pub(super) fn end_by<C: Connection>(&mut self, conn: &mut C, fault: Fault) -> Option<Next> {
        match fault.kind {
            // Somebody else has closed it: the number is no longer ours.
            FaultKind::NotASocket => self.refuse(fault),
            FaultKind::NotConnected if self.seen.half_closed && self.seen.is_tcp => {
                self.end_of_half_closed(conn, fault)
            }
            FaultKind::NotConnected => self.finish(conn, Outcome::NotConnected),
            FaultKind::Reset if self.seen.half_closed && self.seen.is_tcp => {
                self.end_of_half_closed(conn, fault)
            }
            FaultKind::Reset | FaultKind::Lost => self.finish_dead(conn, Some(fault)),
            FaultKind::Other => {
                self.note(fault);
                self.finish(conn, Outcome::Uncertain)
            }
        }
    }

    /// A connect that has not come to its end is cancelled by a half-close, and says so as a
    /// reset connection does; but it has never lived.
    fn end_of_half_closed<C: Connection>(&mut self, conn: &mut C, fault: Fault) -> Option<Next> {
        if conn.was_alive() == Some(false) {
            self.seen.system_error = 0;
            return self.finish(conn, Outcome::NotConnected);
        }
        self.finish_dead(conn, Some(fault))
    }

    /// Reset or lost, as the first error says.
    pub(super) fn finish_dead<C: Connection>(
        &mut self,
        conn: &mut C,
        fault: Option<Fault>,
    ) -> Option<Next> {
        if let Some(fault) = fault {
            self.note(fault);
        }
        let outcome = match self.seen.lost.unwrap_or(self.seen.may_be_lost) {
            true => Outcome::Lost,
            false => Outcome::Reset,
        };
        self.finish(conn, outcome)
    }

    /// Latches the first error: a later look finds it consumed.
    pub(super) fn note(&mut self, fault: Fault) {
        if self.seen.system_error == 0 {
            self.seen.system_error = fault.code;
        }
        self.seen.lost.get_or_insert(fault.kind == FaultKind::Lost);
    }

    /// Ends it: counts what is left, then closes, resets or hands back, once.
    pub(super) fn finish<C: Connection>(&mut self, conn: &mut C, outcome: Outcome) -> Option<Next> {
        if !self.seen.half_closed && self.is_cut_short(outcome) && !self.was_aborted(outcome) {
            // Stopped while the peer was given the time to close first.
            match conn.half_close() {
                Ok(()) => self.seen.half_closed = true,
                // Somebody else has closed it: the number is no longer ours.
                Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
                Err(_) => {}
            }
        }
        let outcome = self.or_continued(outcome);
        let fate = self.fate(outcome);
        self.seen.in_flight = match self.left_in_flight(conn, outcome) {
            Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
            left => left.ok().flatten(),
        };
        // What the background has is no longer the caller's.
        let closes = matches!(fate, Fate::Close | Fate::Abort | Fate::Continue);
        if outcome == Outcome::NotConnected && closes {
            if let Err(gone) = conn.wake_blocked() {
                return self.refuse(gone);
            }
        }
        self.phase = Phase::Ended(End::Outcome(outcome));
        self.seen.closed = closes;
        let lives_on = !matches!(fate, Fate::Close | Fate::Abort) || self.is_cut_short(outcome);
        if lives_on && self.seen.bulk == Bulk::Raised {
            // Whoever else holds it goes on with it, or its owner.
            conn.low_water(false);
        }
        if lives_on && fate != Fate::Continue {
            self.end_watch_over(conn);
        }
        let result = match fate {
            Fate::Close => conn.close(self.stream_has_ended(outcome)),
            Fate::Abort => conn.abort(),
            Fate::Reset => conn.reset(),
            Fate::Keep | Fate::Continue => Ok(()),
        };
        if let Err(fault) = result {
            self.note(fault);
        }
        None
    }

    /// Ends one that is still pending, by its fallback.
    pub(crate) fn give_up<C: Connection>(&mut self, conn: &mut C, outcome: Outcome) {
        if self.phase == Phase::Start {
            // Never stepped: it may be shared, a listener, or have SO_LINGER on.
            self.admit(conn);
        }
        if !matches!(self.phase, Phase::Ended(_)) {
            self.finish(conn, outcome);
        }
    }

    fn fate(&self, outcome: Outcome) -> Fate {
        match self.fate_of_ours(outcome) {
            Fate::Abort if self.plan.keep_open => Fate::Reset,
            _ if self.plan.keep_open => Fate::Keep,
            fate => fate,
        }
    }

    /// Threads that are still blocked on it need not be woken.
    fn stream_has_ended(&self, outcome: Outcome) -> bool {
        outcome != Outcome::Delivered && !self.is_cut_short(outcome)
    }

    /// Of a descriptor that is ours to close.
    fn fate_of_ours(&self, outcome: Outcome) -> Fate {
        match self.plan.fallback {
            _ if outcome == Outcome::Continued => Fate::Continue,
            _ if !self.is_cut_short(outcome) => Fate::Close,
            Fallback::Close | Fallback::Background => Fate::Close,
            // It may still be taking what we sent.
            Fallback::Abort if self.seen.blind => Fate::Close,
            Fallback::Abort => Fate::Abort,
            // Lost is lost, whoever has given it up.
            Fallback::Keep if self.seen.vanished => Fate::Close,
            Fallback::Keep => Fate::Keep,
        }
    }

    /// The connection may live on: the fallback says what becomes of it.
    fn is_cut_short(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::TimedOut
            | Outcome::DrainLimit
            | Outcome::Stopped
            | Outcome::Uncertain
            | Outcome::Continued
            | Outcome::Evicted => true,
            // Unless the system itself has given it up.
            Outcome::Lost => self.seen.vanished,
            Outcome::Graceful
            | Outcome::Reset
            | Outcome::NotConnected
            | Outcome::Released
            | Outcome::Delivered => false,
        }
    }

    /// Our data not acknowledged, the FIN not counted.
    fn left_in_flight<C: Connection>(&mut self, conn: &mut C, outcome: Outcome) -> Answer<usize> {
        Ok(match outcome {
            Outcome::NotConnected => Some(0),
            // A confirmed close has just looked; looking costs a system call.
            Outcome::Graceful | Outcome::Delivered => self.seen.confirmed.then_some(0),
            Outcome::Released => None,
            _ if self.plan.skip_final_count && !self.plan.is_logged => None,
            _ => {
                let fin = usize::from(self.seen.half_closed);
                let left = self.ask_left(conn)?;
                left.map(|left| left.saturating_sub(fin))
            }
        })
    }

    /// How it ended; `None` while it has not.
    pub(crate) fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// It is over, and its descriptor is open and nobody else's.
    pub(crate) fn is_left_open(&self) -> bool {
        match self.end() {
            Some(End::Refused(fault)) => fault.kind != FaultKind::NotASocket,
            Some(End::Outcome(outcome)) => !self.seen.closed || outcome == Outcome::Continued,
            None => false,
        }
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.end().is_some()
    }

    /// Whether one that ends so is reset on purpose.
    pub(crate) fn was_aborted(&self, outcome: Outcome) -> bool {
        matches!(self.fate(outcome), Fate::Abort | Fate::Reset)
    }

    /// When it began.
    pub(crate) fn began(&self) -> Time {
        self.seen.started
    }

    /// What is known so far, as of `now`.
    pub(crate) fn report(&self, outcome: Outcome, now: Time) -> Report {
        Report {
            outcome,
            system_error: self.seen.system_error,
            closed: self.seen.closed,
            peer_closed: self.seen.peer_fin,
            drained_bytes: self.seen.drained,
            unacked_bytes: self.seen.in_flight,
            elapsed: now.since(self.seen.started),
        }
    }
}
