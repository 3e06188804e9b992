//! Whether the peer is still there: only of a close that may wait longer than a minute.
//!
//! Keep-alive finds the peer that vanished while nothing was under way. While data or our FIN
//! is under way it does not run (Linux: net/ipv4/tcp_timer.c, tcp_keepalive_timer), and the
//! system would send again for a quarter of an hour (tcp_retries2): there the machine looks
//! itself. A late end is better than one that is wrong, so a peer is given up only for a long
//! silence in which it was asked several times; one that answers, be it only that its window
//! is shut, is there.

use super::state::{Looks, Machine, WatchOver};
use crate::clock::{Clock, Time};
use crate::connection::{not_ours, Connection, Fault, Unanswered};
use std::time::Duration;

/// A close that cannot take longer is left to its time-out.
const LONG_MS: u32 = 60_000;

/// A peer that is silent for so long although it was asked has vanished.
const SILENCE: Duration = Duration::from_secs(100);

/// So often it must have been asked.
const ATTEMPTS: u32 = 3;

/// How often it is looked, from [`SILENCE`] on.
const LOOK_SECONDS: u64 = 10;

impl Machine {
    pub(super) fn is_long(&self) -> bool {
        self.plan.timeout_ms > LONG_MS
    }

    /// Before the first wait: what ends at once needs no keep-alive.
    pub(super) fn watch_over<C: Connection>(&mut self, conn: &mut C) {
        if self.is_long() && self.seen.watch_over == WatchOver::None {
            self.seen.watch_over = match conn.keep_alive(true) {
                true => WatchOver::KeepAlive,
                false => WatchOver::Asked,
            };
        }
        if self.is_long() && self.seen.half_closed && self.seen.looks == Looks::Undecided {
            self.seen.looks = match self.is_under_way(conn) {
                true => Looks::Yes,
                false => Looks::No,
            };
        }
    }

    /// In an event loop, a close without a bound waits for events alone where nothing but our
    /// FIN is under way, as it nearly always is at the first wait: there the system gives up.
    fn is_under_way<C: Connection>(&self, conn: &mut C) -> bool {
        let fin_alone = usize::from(self.plan.keeps_selection && self.seen.deadline == Time::NEVER);
        match self.ask_in_flight(conn) {
            Ok(None) => false,
            Ok(Some(left)) => left > fin_alone,
            Err(_) => true,
        }
    }

    /// The connection goes on with its owner, or with whoever else holds it.
    pub(super) fn end_watch_over<C: Connection>(&mut self, conn: &mut C) {
        if self.seen.watch_over == WatchOver::KeepAlive {
            conn.keep_alive(false);
        }
    }

    /// The peer has stopped answering. `Err`: the descriptor is no longer ours.
    pub(super) fn has_vanished<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
    ) -> Result<bool, Fault> {
        if self.seen.looks != Looks::Yes {
            return Ok(false);
        }
        let age = self.now(clock).since(self.seen.started);
        let look = step_of(age);
        if age < SILENCE || look == self.seen.life_look {
            return Ok(false);
        }
        self.seen.life_look = look;
        let unanswered = conn.unanswered();
        if let Some(fault) = not_ours(&unanswered) {
            return Err(fault);
        }
        // A refusal tells nothing.
        self.seen.vanished = matches!(unanswered, Ok(Some(unanswered)) if is_hopeless(unanswered));
        if unanswered == Ok(None) && !self.is_under_way(conn) {
            self.seen.looks = Looks::No;
        }
        Ok(self.seen.vanished)
    }

    /// When to look next whether the peer answers.
    pub(super) fn next_life_look<K: Clock>(&mut self, clock: &K) -> Time {
        if self.seen.looks != Looks::Yes {
            return Time::NEVER;
        }
        let age = self.now(clock).since(self.seen.started);
        let next = Duration::from_secs((age.as_secs() / LOOK_SECONDS + 1) * LOOK_SECONDS);
        self.seen.started.plus(next.max(SILENCE))
    }
}

/// Which of the looks it is, as far as neighbours have to be told apart.
fn step_of(age: Duration) -> u8 {
    (age.as_secs() / LOOK_SECONDS) as u8
}

/// Silent for long, asked several times, and the answer to the last attempt overdue.
pub(in crate::machine) fn is_hopeless(unanswered: Unanswered) -> bool {
    unanswered.silence >= SILENCE
        && unanswered.silence > unanswered.pause
        && unanswered.attempts >= ATTEMPTS
}
