//! The simulated connection as the state machine sees it. Every call is held
//! against the rules of the contract that can be checked on the spot.

use super::script::{Life, Question, System, NOT_A_SOCKET, NOT_CONNECTED, OTHER, RESET};
use super::sim::{Handle, Sim};
use crate::clock::Time;
use crate::connection::{
    Answer, Backlog, Connection, Fault, Kind, Received, Sharing, TcpState, Unanswered,
};
use std::time::Duration;

/// What the state machine did, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: u32,
    /// Questions that the system did not answer.
    pub(crate) refusals: u32,
    /// Attempts to receive, and what came of them.
    pub(crate) reads: u32,
    pub(crate) bytes: usize,
    /// The last one gave the end of the stream.
    pub(crate) last_was_end: bool,
    /// The last one failed.
    pub(crate) last_failed: bool,
    pub(crate) deaf: bool,
    pub(crate) other_failure: bool,
    pub(crate) looks_in_flight: u32,
    pub(crate) looks_state: u32,
    /// A state that proves the acknowledgement has been told.
    pub(crate) proof: bool,
    /// The unacknowledged bytes at the last look.
    pub(crate) unacked: Option<usize>,
    pub(crate) classified: bool,
    prepared: bool,
    /// The program's event loop was to stay with its own selection, at the last word on it.
    pub(crate) keeps_selection: bool,
    pub(crate) looked_for_sharing: bool,
    /// Threads that are blocked on what has no connection have been woken.
    pub(crate) woken: bool,
    pub(crate) half_closes: u32,
    pub(crate) half_close_refused: bool,
    /// When it half-closed, the peer had nothing more to say.
    pub(crate) had_cause: bool,
    /// It has been told that the descriptor is not a socket (any more).
    told_gone: bool,
    /// Both directions were shut on entry, and it was asked.
    pub(crate) was_shut: bool,
    /// How often keep-alive was turned on or off.
    pub(crate) keep_alives: u32,
    /// How often it was asked what the peer has not answered.
    pub(crate) looks_unanswered: u32,
    pub(crate) low_water: bool,
    pub(crate) low_waters: u32,
    /// Bytes received since the clock reached `alarm`, in so many calls.
    pub(crate) alarm: u64,
    pub(crate) reads_after_alarm: u32,
    pub(crate) bytes_after_alarm: usize,
    /// `peer_first` was asked for: reading before the half-close is right.
    pub(crate) may_read_first: bool,
    discards: u32,
    portions: u32,
}

impl Seen {
    /// Received with a buffer, never thrown away by the system.
    pub(crate) fn delivered_all(&self) -> bool {
        self.discards == 0
    }

    pub(crate) fn discarded_all(&self) -> bool {
        self.portions == 0
    }
}

impl Sim<'_> {
    /// Each call takes its time, and things happen meanwhile.
    fn enter(&mut self) -> Result<(), Fault> {
        assert!(
            !self.seen.told_gone,
            "a call on a number that is somebody else's"
        );
        self.clock.pass(self.setup.call_cost);
        self.catch_up();
        self.seen.calls += 1;
        match self.handle {
            Handle::Open if self.setup.life == Life::NotASocket => Err(NOT_A_SOCKET),
            Handle::Open => Ok(()),
            Handle::Gone => Err(NOT_A_SOCKET),
            _ => panic!("a call on a descriptor that has been closed"),
        }
    }

    /// As `enter`, where the refusal is passed on.
    fn enter_told(&mut self) -> Result<(), Fault> {
        let result = self.enter();
        self.seen.told_gone |= result.is_err();
        result
    }

    /// As `enter`; and the system may refuse to answer.
    fn enter_question(&mut self, question: Question) -> Result<(), Fault> {
        self.enter_told()?;
        let asked = &mut self.asked[question as usize];
        let count = std::mem::replace(asked, *asked + 1);
        let is_refused = self.setup.refusal.is_some_and(|refusal| {
            refusal.question == question
                && count.checked_sub(refusal.first) < Some(refusal.times)
                && count >= refusal.first
        });
        match is_refused {
            true => {
                self.seen.refusals += 1;
                if question == Question::InFlight {
                    self.seen.unacked = None;
                }
                Err(OTHER)
            }
            false => Ok(()),
        }
    }

    fn take_in(&mut self, most: usize) -> Received {
        self.seen.reads += 1;
        if let Err(fault) = self.enter_told() {
            return Received::Failed(fault);
        }
        assert!(most > 0, "a read of nothing says end of stream");
        assert!(self.seen.classified, "received before the classification");
        let life = self.setup.life;
        assert!(
            !matches!(life, Life::Listening | Life::Connecting | Life::Datagram)
                || self.setup.system == System::Local,
            "receiving on it could hang"
        );
        if self.alive() && self.seen.half_closes == 0 && !self.seen.half_close_refused {
            assert!(self.seen.may_read_first, "received before the half-close");
        }
        if self.setup.system.is_winsock() {
            assert!(self.seen.prepared, "received while blocking");
        }
        let received = self.receive_as(most);
        self.seen.last_was_end = received == Received::End;
        self.seen.last_failed = matches!(received, Received::Failed(_));
        match received {
            Received::Bytes(bytes) => {
                self.seen.bytes += bytes;
                self.read_at = self.clock.nanos();
                if self.read_at >= self.seen.alarm {
                    self.seen.reads_after_alarm += 1;
                    self.seen.bytes_after_alarm += bytes;
                }
            }
            Received::Deaf => self.seen.deaf = true,
            Received::Failed(fault) if fault == OTHER => self.seen.other_failure = true,
            _ => {}
        }
        received
    }

    fn receive_as(&mut self, most: usize) -> Received {
        if self.setup.life != Life::Connected {
            return Received::Failed(self.error.take().unwrap_or(NOT_CONNECTED));
        }
        if self.setup.system.is_winsock() && self.shut_read {
            return Received::Deaf;
        }
        if self.flood {
            return Received::Bytes(most.min(256 << 10));
        }
        if self.queue > 0 {
            let bytes = most.min(self.queue);
            self.queue -= bytes;
            return Received::Bytes(bytes);
        }
        if let Some(fault) = self.setup.receive_fails {
            return Received::Failed(fault);
        }
        // Linux remembers the FIN before it looks at the error, others after.
        if self.fin_in && self.setup.system.is_linux_tcp() {
            return Received::End;
        }
        if let Some(fault) = self.error {
            // Winsock's stays.
            if !self.setup.system.is_winsock() {
                self.error = None;
            }
            return Received::Failed(fault);
        }
        if self.fin_in || self.shut_read || !self.alive() {
            return Received::End;
        }
        Received::Empty
    }
}

impl Connection for Sim<'_> {
    fn classify(&mut self) -> Result<Kind, Fault> {
        self.enter_told()?;
        self.seen.classified = true;
        if self.setup.life == Life::Datagram {
            return Ok(Kind::Other);
        }
        if !self.setup.system.classifies_by_state() {
            return Ok(Kind::Stream);
        }
        Ok(Kind::Tcp(self.state()))
    }

    fn sharing(&mut self, _until: Time) -> Sharing {
        self.seen.looked_for_sharing = true;
        self.clock.pass(self.setup.look_cost);
        match self.enter_told() {
            Ok(()) => self.setup.sharing,
            Err(fault) => Sharing::Unknown(fault),
        }
    }

    fn is_connected(&mut self) -> bool {
        self.enter().is_ok() && self.setup.life == Life::Connected && self.death.is_none()
    }

    fn prepare(&mut self, keeps_selection: bool) {
        let _ = self.enter();
        self.seen.prepared = true;
        self.seen.keeps_selection = keeps_selection;
    }

    fn linger_off(&mut self) {
        if self.enter().is_ok() && !self.refuses_options() {
            self.linger = false;
        }
    }

    fn half_close(&mut self) -> Result<(), Fault> {
        self.enter_told()?;
        let life = self.setup.life;
        assert!(
            self.seen.classified,
            "half-closed before the classification"
        );
        assert!(
            !matches!(life, Life::Datagram | Life::Listening | Life::Connecting)
                || !self.setup.system.classifies_by_state(),
            "half-closed what has nothing to close"
        );
        assert!(self.seen.prepared, "half-closed before it was prepared");
        assert!(
            !self.linger || self.refuses_options(),
            "half-closed with SO_LINGER still on"
        );
        if let Some(fault) = self.setup.shutdown_fails {
            self.seen.half_close_refused = true;
            return Err(fault);
        }
        let possible = match self.setup.system {
            System::Local => true,
            System::Mac | System::Bsd => self.alive(),
            _ => self.state() != TcpState::Closed && life == Life::Connected,
        };
        if !possible {
            self.seen.half_close_refused = true;
            let winsock_says_reset = self.setup.system.is_winsock() && self.error == Some(RESET);
            return Err(if winsock_says_reset {
                RESET
            } else {
                NOT_CONNECTED
            });
        }
        self.seen.half_closes += 1;
        if self.half_closed_at.is_none() {
            self.seen.had_cause =
                self.fin_in || !self.alive() || self.seen.last_was_end || self.seen.deaf;
        }
        self.half_closed_at.get_or_insert(self.clock.nanos());
        if self.alive() {
            self.send_fin();
        }
        Ok(())
    }

    fn discard(&mut self, most: usize) -> Received {
        self.seen.discards += 1;
        // As much as the system takes in one call.
        self.take_in(most.min(256 << 10))
    }

    /// Delivers the stream's positions, so that a reader can tell a gap.
    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.seen.portions += 1;
        let position = self.seen.bytes;
        let received = self.take_in(buffer.len());
        if let Received::Bytes(bytes) = received {
            buffer[0] = position as u8;
            buffer[bytes - 1] = (position + bytes - 1) as u8;
        }
        received
    }

    fn tcp_state(&mut self) -> Answer<TcpState> {
        self.enter_question(Question::State)?;
        if self.setup.state_is_lost {
            return Ok(None);
        }
        self.seen.looks_state += 1;
        let state = self.state();
        // Winsock has an answer for what there is, and none for what is gone.
        let is_gone = self.setup.system.is_winsock() && state == TcpState::Closed;
        let is_told = self.setup.system.tells_state() && !is_gone;
        if is_told && state.proves_acknowledgement() {
            self.seen.proof = true;
        }
        Ok(is_told.then_some(state))
    }

    fn in_flight(&mut self) -> Answer<usize> {
        self.enter_question(Question::InFlight)?;
        assert!(
            self.setup.system.classifies_by_state(),
            "asked of what is not TCP"
        );
        self.seen.looks_in_flight += 1;
        if !self.setup.system.is_linux_tcp() || self.setup.state_is_lost {
            return Ok(None);
        }
        if self.setup.in_handshake {
            self.seen.unacked = None;
            return Ok(Some(0));
        }
        self.seen.unacked = Some(self.unacked);
        Ok(Some(
            self.unacked + usize::from(self.fin_out && !self.fin_acked),
        ))
    }

    fn backlog(&mut self) -> Answer<Backlog> {
        self.enter_question(Question::Backlog)?;
        Ok(self.setup.system.tells_backlog().then_some(Backlog {
            left: self.unacked as u64,
            is_empty: self.unacked == 0,
        }))
    }

    fn pending_error(&mut self) -> Answer<Fault> {
        self.enter_question(Question::PendingError)?;
        // WSAPoll tells a reset as often as it is asked.
        Ok(match self.setup.system.is_winsock() {
            true => self.error,
            false => self.error.take(),
        })
    }

    fn was_alive(&mut self) -> Option<bool> {
        self.enter().ok()?;
        if self.setup.system.is_winsock() && self.alive() {
            // SO_CONNECT_TIME
            return Some(true);
        }
        assert!(!self.alive(), "asked of a connection that lives");
        self.setup
            .system
            .is_linux_tcp()
            .then_some(self.setup.life == Life::Connected)
    }

    fn fin_arrived(&mut self) -> Answer<bool> {
        self.enter_question(Question::Fin)?;
        if self.setup.system == System::Local {
            // Whether there is still a socket at the other end.
            let has_gone = self.fin_in || self.death.is_some();
            return Ok(self.setup.has_diag.then_some(has_gone && self.queue == 0));
        }
        let tells = self.setup.system == System::Linux || self.setup.system.is_winsock();
        let tells = tells && !self.setup.state_is_lost;
        // WSAPoll shows an end also of what the program itself has shut.
        let shut = self.setup.system.is_winsock() && self.shut_read && self.fin_out;
        Ok(tells.then_some((self.fin_in || shut) && self.queue == 0))
    }

    fn is_shut(&mut self) -> bool {
        let is_open = self.enter().is_ok();
        let is_shut = self.fin_in || (self.shut_read && self.fin_out);
        let is_shut = is_shut && self.setup.system == System::Local;
        self.seen.was_shut = is_open && is_shut;
        self.seen.was_shut
    }

    fn fin_was_acknowledged(&mut self) -> bool {
        let tells = self.setup.system == System::Linux;
        self.enter().is_ok() && tells && self.fin_out && self.fin_acked
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        let _ = self.enter();
        self.seen.keep_alives += 1;
        assert!(on || self.keep_alive, "turned off what was not on");
        let is_ours = !self.setup.keep_alive;
        if is_ours {
            self.keep_alive = on;
        }
        is_ours
    }

    /// Sent again after 200 ms, 400 ms … since the peer was heard last; a shut window is probed
    /// likewise, at most every two minutes.
    fn unanswered(&mut self) -> Answer<Unanswered> {
        self.enter_question(Question::Unanswered)?;
        self.seen.looks_unanswered += 1;
        let is_under_way = self.unacked > 0 || (self.fin_out && !self.fin_acked);
        if !self.setup.system.is_linux_tcp() || !is_under_way || !self.alive() {
            return Ok(None);
        }
        let now = self.clock.nanos();
        if self.window_shut && self.vanished_at.is_none() {
            // The probe before the next one was answered.
            return Ok(Some(Unanswered {
                silence: Duration::from_secs(119),
                attempts: 1,
                pause: Duration::from_secs(120),
            }));
        }
        let Some(vanished) = self.vanished_at else {
            return Ok(None);
        };
        let silence = Duration::from_nanos(now - vanished);
        let mut pause = Duration::from_millis(200);
        let (mut sent, mut attempts) = (pause, 0);
        while sent <= silence {
            attempts += 1;
            pause *= 2;
            sent += pause;
        }
        Ok((attempts > 0).then_some(Unanswered {
            silence,
            attempts,
            pause,
        }))
    }

    fn low_water(&mut self, raised: bool) -> bool {
        let _ = self.enter();
        self.seen.low_water = raised;
        self.seen.low_waters += 1;
        true
    }

    fn wake_blocked(&mut self) -> Result<(), Fault> {
        let is_there = matches!(self.handle, Handle::Open | Handle::Gone);
        assert!(is_there, "woken too late");
        // Looking who else holds it takes long.
        self.clock.pass(self.setup.look_cost);
        self.enter_told()?;
        self.seen.woken = true;
        Ok(())
    }

    fn close(&mut self, graceful: bool) -> Result<(), Fault> {
        assert!(
            !self.seen.told_gone,
            "closed a number that is somebody else's"
        );
        let result = self.enter();
        let connected = self.alive() && self.seen.half_closes > 0;
        assert!(
            !self.linger || !connected || self.refuses_options(),
            "SO_LINGER blocks the close, or resets"
        );
        if result.is_ok() {
            self.handle = Handle::Closed { graceful };
        }
        if self.setup.close_complains {
            return Err(RESET);
        }
        result
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.enter()?;
        self.handle = Handle::Reset;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), Fault> {
        assert!(
            !self.seen.told_gone,
            "reset a number that is somebody else's"
        );
        self.enter()?;
        self.handle = Handle::Aborted;
        if self.setup.close_complains {
            return Err(NOT_CONNECTED);
        }
        Ok(())
    }
}

impl Sim<'_> {
    /// macOS and Solaris refuse socket options once both directions are shut.
    pub(super) fn refuses_options(&self) -> bool {
        self.setup.system == System::Mac && self.fin_out && self.fin_in
    }
}
