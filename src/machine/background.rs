//! GC_THEN_BACKGROUND: the caller's time is up, the connection's is not.

use super::state::{after, Bulk, End, Looks, Machine, Phase, Plan, Progress};
use crate::clock::Time;
use crate::connection::Connection;
use crate::options::Fallback;
use crate::outcome::Outcome;

impl Machine {
    /// What an end becomes that the background may take over. Not what is dead, nor what the
    /// caller wanted to have cut off.
    pub(super) fn or_continued(&self, outcome: Outcome) -> Outcome {
        let is_out_of_time = matches!(outcome, Outcome::TimedOut | Outcome::Evicted);
        // The background waits for the answer to our FIN: without one it would wait for nothing.
        match is_out_of_time && self.seen.half_closed && self.may_continue() {
            true => Outcome::Continued,
            false => outcome,
        }
    }

    pub(super) fn may_continue(&self) -> bool {
        self.plan.fallback == Fallback::Background
            && !self.plan.keep_open
            && self.phase != Phase::Dead
    }

    /// The background is to go on with it: by [`Machine::go_on`], or, where it cannot be had,
    /// [`Machine::close_instead`].
    pub(crate) fn is_continued(&self) -> bool {
        self.phase == Phase::Ended(End::Outcome(Outcome::Continued))
    }

    /// The machine that goes on from `now`, with all that has been seen and counted so far.
    pub(crate) fn go_on<C: Connection>(&self, conn: &mut C, now: Time) -> Machine {
        if self.plan.keeps_selection {
            // The program's event loop has nothing more to do with it.
            conn.prepare(false);
        }
        Machine {
            phase: Phase::Drain,
            plan: Plan {
                fallback: Fallback::Close,
                keeps_selection: false,
                skip_final_count: true,
                timeout_ms: self.plan.background_ms,
                idle_ms: 0,
                peer_first_ms: 0,
                ..self.plan
            },
            seen: Progress {
                bulk: Bulk::Never,
                closed: false,
                recheck_ms: 1,
                started: now,
                deadline: after(now, self.plan.background_ms),
                phase_end: Time::NEVER,
                looked: Time::NEVER,
                backlog: None,
                looks: Looks::Undecided,
                life_look: 0,
                in_flight: None,
                ..self.seen
            },
        }
    }

    /// There is no background for it: the ordinary close after all.
    pub(crate) fn close_instead<C: Connection>(&mut self, conn: &mut C) {
        self.phase = Phase::Ended(End::Outcome(Outcome::TimedOut));
        if let Err(fault) = conn.close(false) {
            self.note(fault);
        }
    }
}
