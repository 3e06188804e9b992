//! The end of the stream: what proves the peer's FIN, and the acknowledgement of ours.
//!
//! Every question has three answers ([`Answer`]): what the system says, that it does not
//! have the question, and that it refused this time. `Graceful` follows from what it says;
//! from what it does not have only where nothing speaks against it; from a refusal never.

use super::state::{Machine, Next, Phase};
use super::waiting::RECHECK_MOST_MS;
use crate::clock::Clock;
use crate::connection::{not_ours, Answer, Connection, Fault, FaultKind, TcpState, Watch};
use crate::outcome::Outcome;

/// What a zero read was.
enum Zero {
    /// The peer's FIN, as far as is known.
    Fin,
    /// The connection is gone.
    Gone,
    /// No end.
    Doubt,
    /// The system has no way to tell.
    Unknowable,
    /// The system refuses to say.
    Untold,
    /// The descriptor is no longer ours.
    NotOurs(Fault),
}

impl Machine {
    /// A zero read is no proof of a FIN: the program may have shut its receiving side
    /// before, and a reset whose error another thread has taken looks the same.
    pub(super) fn end_of_stream<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        match self.what_zero_was(conn) {
            Zero::Fin => {
                self.phase = Phase::Confirm;
                None
            }
            Zero::Gone => self.closed_already(conn, clock),
            Zero::Doubt => match self.is_delivered(conn) {
                Ok(true) => self.finish(conn, Outcome::Delivered),
                Ok(false) => {
                    self.seen.in_doubt = true;
                    self.wait_or_give_up(conn, clock, Watch::Change)
                }
                Err(fault) => self.refuse(fault),
            },
            Zero::Untold => {
                self.seen.in_doubt = true;
                self.look_again_or_give_up(conn, clock)
            }
            // It will not be told later, either.
            Zero::Unknowable => {
                self.seen.blind = self.now(clock) < self.seen.deadline;
                self.finish(conn, Outcome::Uncertain)
            }
            Zero::NotOurs(fault) => self.refuse(fault),
        }
    }

    /// The program has shut its receiving side (Winsock): no read tells of the peer's FIN. The
    /// state does, where it can be had; where not, an end that is signalled may be the program's
    /// own, and is only the end of the waiting.
    pub(super) fn unheard_end<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        self.seen.in_doubt = true;
        match self.ask_state(conn) {
            Ok(Some(state)) if state.has_peer_fin() => {
                self.seen.peer_fin = true;
                self.phase = Phase::Confirm;
                return None;
            }
            Ok(Some(TcpState::FinWait2)) if self.plan.until_acked => {
                self.seen.confirmed = true;
                return self.finish(conn, Outcome::Delivered);
            }
            // What is gone may have gone without it.
            Ok(None | Some(TcpState::Closed)) => {
                let error = conn.pending_error();
                if let Some(fault) = not_ours(&error) {
                    return self.refuse(fault);
                }
                let fin = conn.fin_arrived();
                if let Some(fault) = not_ours(&fin) {
                    return self.refuse(fault);
                }
                if let Ok(Some(fault)) = error {
                    return self.finish_dead(conn, Some(fault));
                }
                if fin == Ok(Some(true)) {
                    self.seen.blind = self.now(clock) < self.seen.deadline;
                    return self.finish(conn, Outcome::Uncertain);
                }
            }
            Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
            Ok(Some(_)) | Err(_) => {}
        }
        self.look_again_or_give_up(conn, clock)
    }

    fn what_zero_was<C: Connection>(&mut self, conn: &mut C) -> Zero {
        if self.seen.peer_fin {
            return Zero::Fin;
        }
        // The state is not asked where the answer is there already.
        let fin = self.ask_fin(conn);
        match fin {
            Ok(Some(true)) => {
                // Of what has no state it says that the peer has gone, and not how: see `confirm`.
                self.seen.peer_fin = self.seen.is_tcp;
                return Zero::Fin;
            }
            Err(fault) if fault.kind == FaultKind::NotASocket => return Zero::NotOurs(fault),
            _ => {}
        }
        match self.ask_state(conn) {
            Ok(Some(TcpState::Closed)) => Zero::Gone,
            Ok(Some(state)) if state.has_peer_fin() => {
                self.seen.peer_fin = true;
                Zero::Fin
            }
            Ok(Some(_)) => Zero::Doubt,
            Ok(None) if self.seen.was_shut => match fin {
                Ok(Some(_)) => Zero::Doubt,
                Ok(None) => Zero::Unknowable,
                Err(_) => Zero::Untold,
            },
            Ok(None) => Zero::Fin,
            Err(fault) if fault.kind == FaultKind::NotASocket => Zero::NotOurs(fault),
            Err(_) => Zero::Untold,
        }
    }

    /// A FIN from the peer acknowledges nothing: wait until ours is. Where there is no state, it is
    /// a FIN only once the system has said that no error is pending.
    pub(super) fn confirm<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Option<Next> {
        let in_flight = self.ask_in_flight(conn);
        if let Some(fault) = not_ours(&in_flight) {
            return self.refuse(fault);
        }
        self.seen.confirmed = in_flight == Ok(Some(0));
        self.seen.in_doubt = !self.seen.peer_fin;
        let mut is_proved = false;
        let acknowledged = self.seen.confirmed
            || match self.ask_state(conn) {
                Ok(Some(TcpState::Closed)) => return self.closed_already(conn, clock),
                // The state of both FINs and their acknowledgements (RFC 9293, section
                // 3.3.2). A zero read before there was a state proves no FIN.
                Ok(Some(state)) => {
                    let is_told = matches!(in_flight, Ok(Some(_)));
                    is_proved = self.seen.peer_fin && state == TcpState::TimeWait && !is_told;
                    is_proved
                }
                // One without a state, or one that is gone before it was first asked.
                Ok(None) => match conn.pending_error() {
                    Ok(Some(fault)) => {
                        // Of what was shut, that was the end which the kernel told of.
                        self.seen.peer_fin = !self.seen.was_shut;
                        return self.finish_dead(conn, Some(fault));
                    }
                    Ok(None) => {
                        self.seen.peer_fin = true;
                        in_flight == Ok(None)
                    }
                    Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
                    Err(_) => return self.look_again_or_give_up(conn, clock),
                },
                Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
                Err(_) => return self.look_again_or_give_up(conn, clock),
            };
        if acknowledged {
            self.seen.confirmed |= is_proved;
            return self.finish(conn, Outcome::Graceful);
        }
        if in_flight.is_err() {
            return self.look_again_or_give_up(conn, clock);
        }
        self.wait_or_give_up(conn, clock, Watch::Change)
    }

    /// Both FINs and all acknowledgements, or a reset. Asked only now: the last
    /// acknowledgement may have come since an earlier look.
    fn closed_already<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> Option<Next> {
        let fin = match self.seen.peer_fin {
            true => Ok(Some(true)),
            false => self.ask_fin(conn),
        };
        if let Some(fault) = not_ours(&fin) {
            return self.refuse(fault);
        }
        let in_flight = self.ask_in_flight(conn);
        if let Some(fault) = not_ours(&in_flight) {
            return self.refuse(fault);
        }
        self.seen.confirmed = in_flight == Ok(Some(0));
        self.seen.peer_fin = fin == Ok(Some(true));
        if self.seen.confirmed && self.seen.peer_fin {
            // Whatever came after that took nothing away.
            return self.finish(conn, Outcome::Graceful);
        }
        // It is gone, so a few more questions are all that waiting is good for.
        let asks_again = self.seen.recheck_ms < RECHECK_MOST_MS;
        let is_told = in_flight.is_ok() && fin.is_ok();
        let pending = match is_told || !asks_again {
            true => conn.pending_error(),
            false => Err(Fault::UNTOLD),
        };
        match pending {
            Ok(Some(fault)) => return self.finish_dead(conn, Some(fault)),
            Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
            _ => {}
        }
        let is_unacked = matches!(in_flight, Ok(Some(left)) if left > 0);
        // Winsock tells an error as often as it is asked.
        let has_failed =
            self.seen.lost.is_some() || (self.seen.is_tcp && self.seen.system_error != 0);
        if is_told && (is_unacked || has_failed || fin == Ok(Some(false))) {
            return self.finish_dead(conn, None);
        }
        if is_told && pending.is_ok() {
            // The system does not have one of the questions, and nothing speaks against it.
            self.seen.peer_fin = true;
            return self.finish(conn, Outcome::Graceful);
        }
        if !asks_again {
            return self.finish(conn, Outcome::Uncertain);
        }
        self.seen.in_doubt = true;
        self.look_again_or_give_up(conn, clock)
    }

    /// Dead, and its stream has ended: in peace if the peer's FIN is known and ours is acknowledged.
    pub(super) fn died_after_fin<C: Connection>(&mut self, conn: &mut C) -> Option<Next> {
        match conn.fin_arrived() {
            Ok(Some(true)) => self.seen.peer_fin = true,
            Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
            _ => return self.end_unproved(conn),
        }
        let in_flight = self.ask_in_flight(conn);
        if let Some(fault) = not_ours(&in_flight) {
            return self.refuse(fault);
        }
        self.seen.confirmed = self.seen.lost != Some(false)
            && in_flight == Ok(Some(0))
            && conn.fin_was_acknowledged();
        match self.seen.confirmed {
            true => self.finish(conn, Outcome::Graceful),
            false => self.end_unproved(conn),
        }
    }

    /// The half-close was refused, and no error was met: what has no state may live.
    pub(super) fn end_unproved<C: Connection>(&mut self, conn: &mut C) -> Option<Next> {
        match !self.seen.is_tcp && self.seen.lost.is_none() {
            true => self.finish(conn, Outcome::Uncertain),
            false => self.finish_dead(conn, None),
        }
    }

    /// A receive has failed. For a connection that has a state, which is TCP, that may be an ICMP
    /// message, which ends none.
    pub(super) fn after_failure<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        fault: Fault,
    ) -> Option<Next> {
        if matches!(fault.kind, FaultKind::Reset | FaultKind::NotASocket) {
            return self.end_by(conn, fault);
        }
        if !self.seen.is_tcp {
            let state = self.ask_state(conn);
            if let Some(gone) = not_ours(&state) {
                return self.refuse(gone);
            }
            if !matches!(state, Ok(Some(_))) {
                return self.end_by(conn, fault);
            }
        }
        self.after_soft_error(conn, clock, fault)
    }

    /// A receive has failed with what may be no end: an ICMP message (IP_RECVERR), or a record
    /// that cannot be had. Only a connection that the system says is gone is reset or lost.
    fn after_soft_error<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        fault: Fault,
    ) -> Option<Next> {
        if self.seen.system_error == 0 {
            self.seen.system_error = fault.code;
        }
        let state = self.ask_state(conn);
        let is_told = matches!(state, Ok(Some(_)));
        match state {
            Err(fault) if fault.kind == FaultKind::NotASocket => return self.refuse(fault),
            // What it ended by is behind the error: it is read on once.
            Ok(Some(TcpState::Closed | TcpState::TimeWait)) => {
                self.seen.may_be_lost = fault.kind == FaultKind::Lost;
                return match std::mem::replace(&mut self.seen.read_on, true) {
                    true => self.end_by(conn, fault),
                    false => None,
                };
            }
            _ => {}
        }
        self.seen.may_be_lost = !is_told && fault.kind == FaultKind::Lost;
        self.seen.in_doubt = true;
        if !self.seen.half_closed {
            if self.now(clock) >= self.seen.phase_end {
                return self.half_close(conn, clock);
            }
            return self.wait(Watch::Change, clock).map(Next::at_recheck);
        }
        self.look_again_or_give_up(conn, clock)
    }

    /// The state. What has told it once has the question, so no answer is a refusal; but
    /// Winsock, where it cannot be known beforehand whether there will be one, has none of a
    /// connection that is gone.
    pub(super) fn ask_state<C: Connection>(&mut self, conn: &mut C) -> Answer<TcpState> {
        match conn.tcp_state() {
            Ok(None) if self.seen.is_tcp => Err(Fault::UNTOLD),
            Ok(None) if self.seen.has_state => Ok(Some(TcpState::Closed)),
            answer => {
                self.seen.has_state |= matches!(answer, Ok(Some(_)));
                answer
            }
        }
    }

    pub(super) fn ask_fin<C: Connection>(&self, conn: &mut C) -> Answer<bool> {
        match self.seen.is_tcp || self.seen.was_shut {
            true => conn.fin_arrived(),
            false => Ok(None),
        }
    }

    /// Ours that is not acknowledged, the FIN counted; 0 where the state proves it.
    pub(super) fn ask_left<C: Connection>(&mut self, conn: &mut C) -> Answer<usize> {
        match self.ask_in_flight(conn)? {
            // Before the handshake has ended (TCP Fast Open) nothing is counted.
            Some(0) => {
                let state = self.ask_state(conn);
                if let Some(fault) = not_ours(&state) {
                    return Err(fault);
                }
                Ok((state != Ok(Some(TcpState::SynReceived))).then_some(0))
            }
            None => {
                let state = self.ask_state(conn)?;
                let is_proved = state.is_some_and(TcpState::proves_acknowledgement);
                Ok(is_proved.then_some(0))
            }
            told => Ok(told),
        }
    }

    pub(super) fn ask_in_flight<C: Connection>(&self, conn: &mut C) -> Answer<usize> {
        match self.seen.is_tcp {
            true => conn.in_flight(),
            false => Ok(None),
        }
    }
}
