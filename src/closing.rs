//! The state machine of one close. It never blocks, makes no system call of its
//! own and starts no thread: it is given a [`Connection`], a [`Clock`] and, if
//! the caller wants the drained data, a [`Deliver`]. Whoever drives it waits as
//! [`Next::Wait`] says and calls [`Machine::step`] again; being called too
//! often or for nothing changes nothing.
//!
//! ```text
//! Start --> PeerFirst --> (half-close) --> Drain --> Confirm --> Ended
//!   \__________________________/  \__ Dead ___________________/
//! ```

use crate::clock::{Clock, Time};
use crate::connection::{Backlog, Connection, Fault, FaultKind, Kind, TcpState};
use crate::delivery::Delivery;
use crate::options::{Fallback, IfShared, Options};
use crate::outcome::Outcome;

mod background;
mod brief;
mod end;
mod finish;
mod life;
mod reading;
mod sharing;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;

pub(crate) use brief::Brief;
use end::not_ours;
use reading::Pass;
use sharing::Others;
pub(crate) use waiting::after;

/// Gets the drained data.
pub(crate) type Deliver<'a> = Option<&'a mut dyn FnMut(&[u8]) -> Delivery>;

/// What to do before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Step again at once: the pass was full.
    Again,
    Wait(Wait),
    /// It is over; [`Machine::end`] tells how.
    Ended,
}

/// What to wait for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) watch: Watch,
    /// Step at the latest then.
    pub(crate) until: Time,
    /// Step already then, if changes of state cannot be watched.
    pub(crate) recheck: Time,
}

/// Which event would make a step worth while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Something to read.
    Readable,
    /// A change of the connection's state. It is readable all the time now
    /// (its stream has ended), so watching for that would spin.
    Change,
    /// Something to read, or the acknowledgement of our FIN.
    Acknowledged,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an outcome; [`Machine::closed`] tells where the socket is.
    Outcome(Outcome),
    /// The system refused; the socket is untouched, open and the caller's.
    Refused(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    /// Waiting for the peer to close first.
    PeerFirst,
    /// Half-closed; receiving until the end of the stream.
    Drain,
    /// The peer's FIN is here; waiting for it to acknowledge ours.
    Confirm,
    /// Found dead; picking up what it had sent.
    Dead,
    Ended(End),
}

/// One close on its way.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    /// What it is, if its owner has asked already.
    kind: Option<Kind>,
    fallback: Fallback,
    if_shared: IfShared,
    /// Who else holds it, if its owner has asked already.
    others: Others,
    bulk: Bulk,
    /// The program's own event loop drives it.
    keeps_selection: bool,
    /// What is left in flight at the end is of interest to the log alone.
    nobody_asks: bool,
    /// The system tells the state, and what is in flight.
    is_tcp: bool,
    /// The system has told the state of what it had called a mere stream.
    has_state: bool,
    /// The peer's FIN has been seen.
    peer_fin: bool,
    /// The peer's FIN is not waited for once all of ours is acknowledged.
    until_acked: bool,
    /// The descriptor stays open, whatever the outcome.
    keep_open: bool,
    /// How long the background may go on with it, should the time run out.
    background_ms: u32,
    /// Our FIN has been sent.
    half_closed: bool,
    /// Both directions were shut on entry, and the state is not told.
    was_shut: bool,
    /// A zero read, while the state said that it was no FIN.
    in_doubt: bool,
    /// The system has told that all of ours is acknowledged.
    confirmed: bool,
    /// What it died of was the network's doing, not the peer's.
    lost: Option<bool>,
    /// An error of the network's was met that need not have been the end.
    may_be_lost: bool,
    /// It was read on after an error when it was gone.
    read_on: bool,
    /// Given up for silence, or for an end, that may have been none.
    blind: bool,
    /// The descriptor has been closed by us.
    closed: bool,
    timeout_ms: u32,
    idle_ms: u32,
    peer_first_ms: u32,
    recheck_ms: u32,
    system_error: i32,
    started: Time,
    deadline: Time,
    /// End of the current phase's own time: of `PeerFirst`, later of idleness.
    phase_end: Time,
    /// When what the peer has taken was looked up last, and what it was.
    looked: Time,
    backlog: Option<Backlog>,
    sees_backlog: bool,
    watch_over: life::WatchOver,
    looks: life::Looks,
    /// When it was looked last whether the peer answers, in steps of the clock for that.
    life_look: u8,
    /// The peer has stopped answering, and the system has not given it up yet.
    vanished: bool,
    max_drain: usize,
    drained: usize,
    in_flight: Option<usize>,
}

/// Whether wake-ups may be made rare when much comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bulk {
    /// No: other connections or an event loop share the wait.
    Never,
    Allowed,
    Raised,
}

impl Machine {
    /// A close that begins now: the deadline counts from here.
    pub(crate) fn new(options: &Options, now: Time) -> Machine {
        Machine {
            phase: Phase::Start,
            kind: None,
            fallback: options.fallback,
            if_shared: options.if_shared,
            others: Others::Unasked,
            bulk: Bulk::Never,
            keeps_selection: false,
            nobody_asks: false,
            is_tcp: false,
            has_state: false,
            peer_fin: false,
            until_acked: options.until_acked,
            keep_open: options.keep_open,
            background_ms: options.background_ms,
            half_closed: false,
            was_shut: false,
            in_doubt: false,
            confirmed: false,
            lost: None,
            may_be_lost: false,
            read_on: false,
            blind: false,
            closed: false,
            timeout_ms: options.timeout_ms,
            idle_ms: options.idle_timeout_ms,
            peer_first_ms: options.peer_first_ms,
            recheck_ms: 1,
            system_error: 0,
            started: now,
            deadline: after(now, options.timeout_ms),
            phase_end: Time::NEVER,
            looked: Time::NEVER,
            backlog: None,
            sees_backlog: false,
            watch_over: life::WatchOver::None,
            looks: life::Looks::Undecided,
            life_look: 0,
            vanished: false,
            max_drain: options.max_drain_bytes,
            drained: 0,
            in_flight: None,
        }
    }

    /// A close whose time begins when it is first asked for, a few system calls
    /// later: most need no time at all, and looking it up costs one per cent of
    /// them.
    pub(crate) fn without_clock(options: &Options) -> Machine {
        Machine::new(options, Time::NEVER)
    }

    /// Lets the machine ask for fewer, larger portions once the peer sends in
    /// bulk: for a driver that waits for this connection alone.
    pub(crate) fn allow_bulk(&mut self) {
        // With a limit, a portion that large could step far over it.
        if self.max_drain == 0 && self.bulk == Bulk::Never {
            self.bulk = Bulk::Allowed;
        }
    }

    /// Leaves the program's WSAEventSelect or WSAAsyncSelect in force: it is what
    /// wakes the driver.
    pub(crate) fn keep_selection(&mut self) {
        self.keeps_selection = true;
    }

    /// Spares it the last look at what is in flight.
    pub(crate) fn nobody_asks(&mut self) {
        self.nobody_asks = true;
    }

    /// It has turned out to be TCP.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_tcp(&self) -> bool {
        self.is_tcp
    }

    /// What has come in so far.
    pub(crate) fn drained(&self) -> usize {
        self.drained
    }

    /// Spares the machine the question what the socket is.
    pub(crate) fn classified(&mut self, kind: Kind) {
        self.kind = Some(kind);
    }

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
    fn admit<C: Connection>(&mut self, conn: &mut C) -> Option<Kind> {
        let kind = match self.kind.take().map_or_else(|| conn.classify(), Ok) {
            Ok(kind) => kind,
            Err(fault) => {
                self.refuse(fault);
                return None;
            }
        };
        if kind != Kind::Other && !self.may_end_it(conn) {
            return None;
        }
        self.is_tcp = matches!(kind, Kind::Tcp(_));
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
            Kind::Tcp(state) => self.peer_fin = state.has_peer_fin(),
            Kind::Stream => self.was_shut = conn.is_shut(),
        }
        conn.prepare(self.keeps_selection);
        conn.linger_off();
        Some(kind)
    }

    fn start<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> Option<Next> {
        if self.asks_for_sharing() {
            // The search ends with the time.
            self.now(clock);
        }
        let kind = self.admit(conn)?;
        if self.peer_first_ms > 0 && !self.peer_fin {
            // Receiving on what has no peer can hang or fail: look first.
            if kind != Kind::Stream || conn.is_connected() {
                self.now(clock);
                let patience = after(self.started, self.peer_first_ms);
                self.phase_end = patience.min(self.deadline);
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
                self.now(clock) >= self.phase_end
            }
            Pass::Full if self.now(clock) < self.phase_end => return Some(Next::Again),
            Pass::End => true,
            Pass::Full | Pass::Deaf => true,
            Pass::Failed(fault) if self.is_soft(conn, fault) => {
                return self.after_soft_error(conn, clock, fault);
            }
            other => return self.cut_short(conn, other),
        };
        if time_up {
            return self.half_close(conn, clock);
        }
        self.wait(Watch::Readable, clock)
    }

    fn half_close<C: Connection, K: Clock>(&mut self, conn: &mut C, clock: &K) -> Option<Next> {
        match conn.half_close() {
            Ok(()) => {}
            Err(fault) if matches!(fault.kind, FaultKind::NotASocket | FaultKind::Other) => {
                return self.refuse(fault);
            }
            Err(fault) => return self.found_dead(conn, Some(fault)),
        }
        self.half_closed = true;
        self.phase_end = Time::NEVER;
        if self.idle_ms > 0 {
            let backlog = conn.backlog();
            if let Some(fault) = not_ours(&backlog) {
                return self.refuse(fault);
            }
            self.backlog = backlog.ok().flatten();
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
            Pass::Dry if self.until_acked => {
                self.in_doubt = false;
                self.wait_for_acks(conn, clock)
            }
            Pass::Dry => {
                self.in_doubt = false;
                self.wait_or_give_up(conn, clock, Watch::Readable)
            }
            Pass::End => self.end_of_stream(conn, clock),
            Pass::Deaf => self.unheard_end(conn, clock),
            Pass::Failed(fault) if self.is_soft(conn, fault) => {
                self.after_soft_error(conn, clock, fault)
            }
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
        let alive = conn.was_alive().unwrap_or(by_error || self.may_be_lost);
        if !alive {
            self.system_error = 0;
            return self.finish(conn, Outcome::NotConnected);
        }
        conn.prepare(self.keeps_selection);
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
