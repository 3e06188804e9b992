//! The phases: what a step does in each of them.

use super::reading::Pass;
use super::state::{after, Deliver, Machine, Next, Phase};
use crate::clock::{Clock, Time};
use crate::connection::{not_ours, Connection, Fault, FaultKind, Kind, TcpState};
use crate::outcome::Outcome;

impl Machine {
    /// Goes on as far as it can without waiting.
    pub(crate) fn step<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        deliver: &mut Deliver<'_>,
    ) -> Next {
        loop {
            let next = match self.phase {
                Phase::Start => self.start(conn, clock),
                Phase::PeerFirst => self.peer_first(conn, clock, deliver),
                Phase::Drain => self.drain(conn, clock, deliver),
                Phase::Confirm => self.confirm(conn, clock),
                Phase::Dead => self.pick_up(conn, clock, deliver),
                Phase::Ended(_) => Some(Next::Ended),
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// Contract: classify without harm, neutralise SO_LINGER. `None`: there is
    /// nothing to negotiate, and the phase is another now.
    pub(super) fn admit<C: Connection>(&mut self, conn: &mut C) -> Option<Kind> {
        let kind = match self.seen.kind.take().map_or_else(|| conn.classify(), Ok) {
            Ok(kind) => kind,
            Err(fault) => {
                self.refuse(fault);
                return None;
            }
        };
        if kind != Kind::Other && !self.may_end_it(conn) {
            return None;
        }
        self.seen.is_tcp = matches!(kind, Kind::Tcp(_));
        match kind {
            // Closing cancels a half-open connect, as closesocket would.
            Kind::Other | Kind::Tcp(TcpState::Listen | TcpState::SynSent) => {
                self.finish(conn, Outcome::NotConnected);
                return None;
            }
            Kind::Tcp(TcpState::Closed) => {
                self.found_dead(conn, None);
                return None;
            }
            Kind::Tcp(state) => self.seen.peer_fin = state.has_peer_fin(),
            Kind::Stream => self.seen.was_shut = conn.is_shut(),
        }
        conn.prepare(self.plan.keeps_selection);
        conn.linger_off();
        Some(kind)
    }

    fn start<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> Option<Next> {
        if self.asks_for_sharing() {
            // The search ends with the time.
            self.now(clock);
        }
        let kind = self.admit(conn)?;
        if self.plan.peer_first_ms > 0 && !self.seen.peer_fin {
            // Receiving on what has no peer can hang or fail: look first.
            if kind != Kind::Stream || conn.is_connected() {
                self.now(clock);
                let patience = after(self.seen.started, self.plan.peer_first_ms);
                self.seen.phase_end = patience.min(self.seen.deadline);
                self.phase = Phase::PeerFirst;
                return None;
            }
        }
        self.half_close(conn, clock)
    }

    /// Drains while the peer is given the time to close first, so that
    /// TIME_WAIT falls on its side.
    fn peer_first<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        deliver: &mut Deliver<'_>,
    ) -> Option<Next> {
        let time_up = match self.read_pass(conn, clock, deliver) {
            Pass::Dry => {
                self.watch_over(conn);
                self.now(clock) >= self.seen.phase_end
            }
            Pass::Full if self.now(clock) < self.seen.phase_end => return Some(Next::Again),
            // The half-close may be the end of what tells it.
            Pass::End => {
                let fin = self.ask_fin(conn);
                if let Some(fault) = not_ours(&fin) {
                    return self.refuse(fault);
                }
                // Of what has no state it says that the peer has gone, and not how.
                self.seen.peer_fin = self.seen.is_tcp && fin == Ok(Some(true));
                true
            }
            Pass::Full | Pass::Deaf => true,
            Pass::Failed(fault) => return self.after_failure(conn, clock, fault),
            other => return self.cut_short(conn, other),
        };
        if time_up {
            return self.half_close(conn, clock);
        }
        self.wait_for_peer(conn, clock)
    }

    pub(super) fn half_close<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        match conn.half_close() {
            Ok(()) => {}
            Err(fault) if matches!(fault.kind, FaultKind::NotASocket | FaultKind::Other) => {
                return self.refuse(fault);
            }
            Err(fault) => return self.found_dead(conn, Some(fault)),
        }
        self.seen.half_closed = true;
        self.seen.phase_end = Time::NEVER;
        if self.plan.idle_ms > 0 {
            let backlog = conn.backlog();
            if let Some(fault) = not_ours(&backlog) {
                return self.refuse(fault);
            }
            self.seen.backlog = backlog.ok().flatten();
            self.moved(clock);
        }
        self.phase = Phase::Drain;
        None
    }

    /// Receives until the end of the stream.
    fn drain<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        deliver: &mut Deliver<'_>,
    ) -> Option<Next> {
        match self.read_pass(conn, clock, deliver) {
            Pass::Full => self.after_full_pass(conn, clock),
            Pass::Dry if self.plan.until_acked => {
                self.seen.in_doubt = false;
                self.wait_for_acks(conn, clock)
            }
            Pass::Dry => {
                self.seen.in_doubt = false;
                self.wait_for_data(conn, clock)
            }
            Pass::End => self.end_of_stream(conn, clock),
            Pass::Deaf => self.unheard_end(conn, clock),
            Pass::Failed(fault) => self.after_failure(conn, clock, fault),
            other => self.cut_short(conn, other),
        }
    }

    /// The connection was gone before the half-close.
    fn found_dead<C: Connection>(&mut self, conn: &mut C, refusal: Option<Fault>) -> Option<Next> {
        let pending = conn.pending_error();
        if let Some(fault) = not_ours(&pending) {
            return self.refuse(fault);
        }
        let pending = pending.ok().flatten();
        let verdict = pending.or(refusal.filter(|fault| fault.kind != FaultKind::NotConnected));
        if let Some(fault) = verdict {
            self.note(fault);
        }
        let by_error = verdict.map(|fault| fault.kind);
        let by_error = matches!(by_error, Some(FaultKind::Reset | FaultKind::Lost));
        let alive = conn
            .was_alive()
            .unwrap_or(by_error || self.seen.may_be_lost);
        if !alive {
            self.seen.system_error = 0;
            return self.finish(conn, Outcome::NotConnected);
        }
        conn.prepare(self.plan.keeps_selection);
        conn.linger_off();
        self.phase = Phase::Dead;
        None
    }

    /// Takes what a dead connection had still received, and finds out whether
    /// it had died in peace: both FINs exchanged and acknowledged.
    fn pick_up<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        deliver: &mut Deliver<'_>,
    ) -> Option<Next> {
        match self.read_pass(conn, clock, deliver) {
            Pass::Full if self.has_time(clock) => Some(Next::Again),
            Pass::Full => self.finish(conn, Outcome::TimedOut),
            Pass::End => self.died_after_fin(conn),
            Pass::Dry | Pass::Deaf => self.end_unproved(conn),
            Pass::Failed(fault) if fault.kind != FaultKind::NotASocket => {
                self.finish_dead(conn, Some(fault))
            }
            other => self.cut_short(conn, other),
        }
    }
}
