//! What one close knows of itself: what was asked for, and what was seen.

use crate::clock::Time;
use crate::connection::{Backlog, Fault, Kind, Wait};
use crate::options::{Fallback, IfShared, Options, INFINITE};
use crate::outcome::Outcome;

/// What came of a portion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    GoOn,
    /// The reader has asked to stop.
    Stop,
    /// The number has become another one's meanwhile.
    NotOurs,
}

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

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an outcome; [`Machine::closed`] tells where the socket is.
    Outcome(Outcome),
    /// The system refused; the socket is untouched, open and the caller's.
    Refused(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
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
    pub(super) phase: Phase,
    pub(super) plan: Plan,
    pub(super) seen: Progress,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) fallback: Fallback,
    pub(super) if_shared: IfShared,
    /// The program's own event loop drives it.
    pub(super) keeps_selection: bool,
    /// What is left in flight at the end is of interest to the log alone.
    pub(super) skip_final_count: bool,
    /// The log is on.
    pub(super) is_logged: bool,
    /// The peer's FIN is not waited for once all of ours is acknowledged.
    pub(super) until_acked: bool,
    /// The descriptor stays open, whatever the outcome.
    pub(super) keep_open: bool,
    /// How long the background may go on with it, should the time run out.
    pub(super) background_ms: u32,
    pub(super) timeout_ms: u32,
    pub(super) idle_ms: u32,
    pub(super) peer_first_ms: u32,
    pub(super) max_drain: usize,
}

/// What has been seen and done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// What it is, if its owner has asked already.
    pub(super) kind: Option<Kind>,
    /// Who else holds it, if its owner has asked already.
    pub(super) others: Others,
    pub(super) bulk: Bulk,
    /// The system tells the state, and what is in flight.
    pub(super) is_tcp: bool,
    /// The system has told the state of what it had called a mere stream.
    pub(super) has_state: bool,
    /// The peer's FIN has been seen.
    pub(super) peer_fin: bool,
    /// Our FIN has been sent.
    pub(super) half_closed: bool,
    /// Both directions were shut on entry, and the state is not told.
    pub(super) was_shut: bool,
    /// A zero read, while the state said that it was no FIN.
    pub(super) in_doubt: bool,
    /// The system has told that all of ours is acknowledged.
    pub(super) confirmed: bool,
    /// What it died of was the network's doing, not the peer's.
    pub(super) lost: Option<bool>,
    /// An error of the network's was met that need not have been the end.
    pub(super) may_be_lost: bool,
    /// It was read on after an error when it was gone.
    pub(super) read_on: bool,
    /// Given up for silence, or for an end, that may have been none.
    pub(super) blind: bool,
    /// The descriptor has been closed by us.
    pub(super) closed: bool,
    pub(super) recheck_ms: u32,
    /// In which millisecond nothing was there to read, and how often in it.
    pub(super) dry_ms: u8,
    pub(super) dry_looks: u8,
    pub(super) system_error: i32,
    pub(super) started: Time,
    pub(super) deadline: Time,
    /// End of the current phase's own time: of `PeerFirst`, later of idleness.
    pub(super) phase_end: Time,
    /// When what the peer has taken was looked up last, and what it was.
    pub(super) looked: Time,
    pub(super) backlog: Option<Backlog>,
    pub(super) sees_backlog: bool,
    pub(super) watch_over: WatchOver,
    pub(super) looks: Looks,
    /// When it was looked last whether the peer answers, in steps of the clock for that.
    pub(super) life_look: u8,
    /// The peer has stopped answering, and the system has not given it up yet.
    pub(super) vanished: bool,
    pub(super) drained: usize,
    pub(super) in_flight: Option<usize>,
}

/// Whether wake-ups may be made rare when much comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
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
            plan: Plan {
                fallback: options.fallback,
                if_shared: options.if_shared,
                keeps_selection: false,
                skip_final_count: false,
                is_logged: false,
                until_acked: options.until_acked,
                keep_open: options.keep_open,
                background_ms: options.background_ms,
                timeout_ms: options.timeout_ms,
                idle_ms: options.idle_timeout_ms,
                peer_first_ms: options.peer_first_ms,
                max_drain: options.max_drain_bytes,
            },
            seen: Progress {
                kind: None,
                others: Others::Unasked,
                bulk: Bulk::Never,
                is_tcp: false,
                has_state: false,
                peer_fin: false,
                half_closed: false,
                was_shut: false,
                in_doubt: false,
                confirmed: false,
                lost: None,
                may_be_lost: false,
                read_on: false,
                blind: false,
                closed: false,
                recheck_ms: 1,
                dry_ms: 0,
                dry_looks: 0,
                system_error: 0,
                started: now,
                deadline: after(now, options.timeout_ms),
                phase_end: Time::NEVER,
                looked: Time::NEVER,
                backlog: None,
                sees_backlog: false,
                watch_over: WatchOver::None,
                looks: Looks::Undecided,
                life_look: 0,
                vanished: false,
                drained: 0,
                in_flight: None,
            },
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
        if self.plan.max_drain == 0 && self.seen.bulk == Bulk::Never {
            self.seen.bulk = Bulk::Allowed;
        }
    }

    /// Leaves the program's WSAEventSelect or WSAAsyncSelect in force: it is what
    /// wakes the driver.
    pub(crate) fn keep_selection(&mut self) {
        self.plan.keeps_selection = true;
    }

    /// Spares it the last look at what is in flight.
    pub(crate) fn skip_final_count(&mut self) {
        self.plan.skip_final_count = true;
    }

    /// Whether somebody listens to the log.
    pub(crate) fn set_logged(&mut self, is_logged: bool) {
        self.plan.is_logged = is_logged;
    }

    /// It has turned out to be TCP.
    #[cfg(linux_calls)]
    pub(crate) fn is_tcp(&self) -> bool {
        self.seen.is_tcp
    }

    /// What has come in so far.
    pub(crate) fn drained(&self) -> usize {
        self.seen.drained
    }

    /// Spares the machine the question what the socket is.
    pub(crate) fn classified(&mut self, kind: Kind) {
        self.seen.kind = Some(kind);
    }
}

/// What is known of other holders before the close begins. Small: a machine waits in
/// thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Unasked,
    None,
    Some,
    /// The reason has been noted as the first error.
    Unknown,
}

/// What was done so that the end of the peer is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchOver {
    /// Nothing so far.
    None,
    /// It was asked for keep-alive, and the system or the program has its own mind.
    Asked,
    /// Keep-alive is on, by us.
    KeepAlive,
}

/// Whether the machine looks itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Undecided,
    Yes,
    /// Nothing of ours is under way, and after the half-close nothing more will be.
    No,
}

/// A time-out as a point in time.
pub(crate) fn after(start: Time, ms: u32) -> Time {
    match ms {
        INFINITE => Time::NEVER,
        ms => start.plus_millis(ms),
    }
}
