//! A simulated TCP connection: the kernel's side of it, the peer and the
//! clock. It keeps what really happened apart from what a program may see of
//! it, so that claims can be held against the truth.

use super::script::{Act, Life, Setup, System, When};
use super::script::{LOST, REFUSED, RESET, START};
use crate::clock::{Clock, Time};
use crate::connection::{Fault, TcpState};
use std::cell::Cell;

/// A clock that moves only when told.
#[derive(Debug)]
pub(crate) struct SimClock(Cell<u64>);

impl SimClock {
    pub(crate) fn new() -> SimClock {
        SimClock(Cell::new(START))
    }

    pub(crate) fn nanos(&self) -> u64 {
        self.0.get()
    }

    /// Moves on to `nanos`; never back.
    pub(crate) fn reach(&self, nanos: u64) {
        self.0.set(self.0.get().max(nanos));
    }

    pub(crate) fn pass(&self, nanos: u64) {
        self.0.set(self.0.get() + nanos);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Time {
        Time::from_nanos(self.0.get())
    }
}

/// What has become of the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    Open,
    /// By us, with what `Connection::close` was told.
    Closed {
        graceful: bool,
    },
    Aborted,
    /// Reset, and still open.
    Reset,
    /// By another thread.
    Gone,
}

/// One connection. Its [`Connection`](crate::connection::Connection) side is
/// in `socket.rs`.
#[derive(Debug)]
pub(crate) struct Sim<'a> {
    pub(crate) clock: &'a SimClock,
    pub(crate) setup: &'a Setup,
    /// What is still to happen, the next one last.
    ahead: Vec<(u64, Act)>,

    // The truth.
    pub(crate) handle: Handle,
    pub(crate) queue: usize,
    pub(crate) flood: bool,
    pub(crate) unacked: usize,
    pub(crate) fin_in: bool,
    pub(crate) fin_out: bool,
    pub(crate) fin_acked: bool,
    /// The peer closed first: TIME_WAIT is its.
    pub(crate) peer_first: bool,
    pub(crate) shut_read: bool,
    acks_at_once: bool,
    pub(crate) death: Option<Fault>,
    pub(crate) error: Option<Fault>,
    pub(crate) error_stolen: bool,
    pub(crate) linger: bool,
    pub(crate) keep_alive: bool,
    /// Since when the peer is gone, and nobody has told.
    pub(crate) vanished_at: Option<u64>,
    /// It answers that its window is shut.
    pub(crate) window_shut: bool,
    /// By [`Question`]: how often it was asked.
    pub(crate) asked: [u32; 6],
    /// Changes that an edge-triggered poller reports.
    pub(crate) edges: u32,

    // When it happened.
    pub(crate) died_at: u64,
    pub(crate) gone_at: u64,
    pub(crate) fin_at: u64,
    pub(crate) acked_at: u64,
    pub(crate) read_at: u64,
    pub(crate) half_closed_at: Option<u64>,
    /// FIN here, all of ours acknowledged.
    pub(crate) complete_at: Option<u64>,

    // What the program under test did.
    pub(crate) seen: super::socket::Seen,
}

impl<'a> Sim<'a> {
    pub(crate) fn new(setup: &'a Setup, clock: &'a SimClock) -> Sim<'a> {
        let mut sim = Sim {
            clock,
            setup,
            ahead: Vec::with_capacity(setup.script.len() + 2),
            handle: Handle::Open,
            queue: 0,
            flood: false,
            unacked: setup.unsent,
            fin_in: false,
            fin_out: false,
            fin_acked: false,
            peer_first: false,
            shut_read: false,
            acks_at_once: false,
            death: None,
            error: (setup.life == Life::Refused).then_some(REFUSED),
            error_stolen: false,
            linger: setup.linger,
            keep_alive: setup.keep_alive,
            vanished_at: None,
            window_shut: false,
            asked: [0; 6],
            edges: 0,
            died_at: 0,
            gone_at: 0,
            fin_at: 0,
            acked_at: 0,
            read_at: 0,
            half_closed_at: None,
            complete_at: None,
            seen: super::socket::Seen::default(),
        };
        for &(when, act) in &setup.script {
            if let When::At(nanos) = when {
                sim.plan(clock.nanos() + nanos, act);
            }
        }
        sim.catch_up();
        sim
    }

    /// Behind all that is planned for the same moment.
    fn plan(&mut self, at: u64, act: Act) {
        let place = self.ahead.iter().position(|&(other, _)| other <= at);
        self.ahead
            .insert(place.unwrap_or(self.ahead.len()), (at, act));
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        self.ahead.last().map(|&(at, _)| at)
    }

    /// Lets happen what is due.
    pub(crate) fn catch_up(&mut self) {
        while let Some(&(at, act)) = self.ahead.last() {
            if at > self.clock.nanos() {
                return;
            }
            self.ahead.pop();
            self.happen(at, act);
        }
    }

    /// Neither end has gone, nor has the connection ended in peace.
    pub(crate) fn alive(&self) -> bool {
        self.setup.life == Life::Connected && self.death.is_none() && !self.over()
    }

    fn over(&self) -> bool {
        self.fin_in && self.fin_out && self.fin_acked
    }

    fn happen(&mut self, at: u64, act: Act) {
        if self.handle != Handle::Open {
            return;
        }
        let by_peer = !matches!(
            act,
            Act::Lost | Act::CloseElsewhere | Act::ShutRead | Act::ShutWrite
        );
        if by_peer && self.vanished_at.is_some() {
            return;
        }
        match act {
            Act::Vanish => self.vanished_at = Some(at),
            Act::ShutWindow => self.window_shut = true,
            Act::Send(bytes) => self.arrive(bytes),
            Act::Drip(bytes, times, every) => {
                self.arrive(bytes);
                if times > 1 {
                    self.plan(at + every, Act::Drip(bytes, times - 1, every));
                }
            }
            Act::Flood if self.shut_read => self.arrive(1),
            Act::Flood if self.alive() && !self.fin_in => {
                self.flood = true;
                self.edges += 1;
            }
            Act::Fin if self.alive() && !self.fin_in => {
                self.flood = false;
                self.fin_in = true;
                self.fin_at = at;
                self.peer_first = !self.fin_out;
                self.edges += 1;
                self.note_completion(at);
            }
            Act::Reset if self.alive() => self.die(at, RESET),
            Act::Lost if self.alive() => self.die(at, LOST),
            Act::Ack(count) => self.acknowledge(at, count),
            Act::AckAll => {
                self.acks_at_once = true;
                self.acknowledge(at, usize::MAX);
            }
            Act::Steal(bytes) => self.queue -= bytes.min(self.queue),
            Act::StealError => self.error_stolen |= self.error.take().is_some(),
            Act::CloseElsewhere => {
                self.handle = Handle::Gone;
                self.gone_at = at;
            }
            Act::ShutRead => {
                self.shut_read = true;
                self.edges += 1;
                // Only Linux still delivers what had come.
                if !self.setup.system.is_linux_tcp() {
                    self.queue = 0;
                }
                if std::mem::take(&mut self.flood) {
                    self.arrive(1);
                }
            }
            Act::ShutWrite if self.alive() => self.send_fin(),
            Act::SoftError(fault) if self.alive() && self.setup.system == System::Linux => {
                self.error = Some(fault);
                self.edges += 1;
            }
            Act::Flood | Act::Fin | Act::Reset | Act::Lost | Act::ShutWrite | Act::SoftError(_) => {
            }
        }
    }

    fn arrive(&mut self, bytes: usize) {
        if !self.alive() || self.fin_in {
            return;
        }
        // Nobody will read it: Linux resets once our FIN is out, Winsock always.
        let unwanted = self.fin_out && self.setup.system.is_linux_tcp();
        if self.shut_read && (unwanted || self.setup.system.is_winsock()) {
            return self.die(self.clock.nanos(), RESET);
        }
        if self.shut_read && !self.setup.system.is_linux_tcp() {
            return;
        }
        self.queue += bytes;
        self.edges += 1;
    }

    fn die(&mut self, at: u64, fault: Fault) {
        self.death = Some(fault);
        self.error = Some(fault);
        self.died_at = at;
        self.flood = false;
        self.edges += 1;
        // A reset makes Winsock throw away what had arrived.
        if self.setup.system.is_winsock() {
            self.queue = 0;
        }
    }

    fn acknowledge(&mut self, at: u64, count: usize) {
        if !self.alive() {
            return;
        }
        let bytes = count.min(self.unacked);
        let fin = count > bytes && self.fin_out && !self.fin_acked;
        // The acknowledgement of a FIN alone is no movement.
        if bytes > 0 {
            self.acked_at = at;
        }
        self.unacked -= bytes;
        if fin {
            self.fin_acked = true;
            self.edges += 1;
            self.note_completion(at);
        }
    }

    fn note_completion(&mut self, at: u64) {
        let local = self.setup.system == System::Local;
        if self.fin_in && (local || self.over()) && self.complete_at.is_none() {
            self.complete_at = Some(at);
        }
    }

    /// Our FIN goes behind what is queued; what waits for it is planned.
    pub(crate) fn send_fin(&mut self) {
        if self.fin_out {
            return;
        }
        let now = self.clock.nanos();
        self.fin_out = true;
        for &(when, act) in &self.setup.script {
            if let When::AfterFin(nanos) = when {
                self.plan(now + nanos, act);
            }
        }
        if self.acks_at_once {
            self.acknowledge(now, usize::MAX);
        }
    }

    /// RFC 9293; what a Linux descriptor calls TIME_WAIT is CLOSED.
    pub(crate) fn state(&self) -> TcpState {
        match self.setup.life {
            Life::Listening => return TcpState::Listen,
            Life::Connecting => return TcpState::SynSent,
            Life::Connected if self.setup.in_handshake && self.alive() => {
                return TcpState::SynReceived;
            }
            Life::Connected if self.death.is_none() => {}
            _ => return TcpState::Closed,
        }
        // Behind queued data the FIN of Winsock has not left.
        let queued = self.setup.system.is_winsock() && self.unacked > 0;
        match (self.fin_out && !queued, self.fin_acked, self.fin_in) {
            (false, _, false) => TcpState::Established,
            (false, _, true) => TcpState::CloseWait,
            (true, false, false) => TcpState::FinWait1,
            (true, true, false) => TcpState::FinWait2,
            (true, false, true) if self.peer_first => TcpState::LastAck,
            (true, false, true) => TcpState::Closing,
            (true, true, true) if self.peer_first => TcpState::Closed,
            (true, true, true) if self.setup.system.is_linux_tcp() => TcpState::Closed,
            (true, true, true) => TcpState::TimeWait,
        }
    }

    /// poll() would say readable.
    pub(crate) fn readable(&self) -> bool {
        let enough = if self.seen.low_water { 1 << 20 } else { 1 };
        self.queue >= enough
            || self.flood
            || self.fin_in
            || self.shut_read
            || self.error.is_some()
            || self.handle == Handle::Gone
            || !self.alive()
            || self.setup.receive_fails.is_some()
    }
}
