//! Drives a machine against a simulated connection, and holds every step
//! against the rules.

use super::judge;
use super::plan::{Dice, Driver, Plan, Reader};
use super::script::{Life, MS, START};
use super::sim::{Handle, Sim, SimClock};
use crate::clock::{Clock, Time};
use crate::connection::{Fault, Wait, Watch};
use crate::machine::reading::PASS_BYTES;
use crate::machine::state::Deliver;
use crate::machine::Delivery;
use crate::machine::{End, Machine, Next};
use crate::options::INFINITE;
use crate::outcome::Outcome;
use crate::report::Report;
use std::cell::Cell;

/// How a simulated close went.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) sim: Sim<'a>,
    pub(super) end: End,
    pub(super) report: Report,
    /// Every wait, and when it began.
    pub(super) waits: Vec<(u64, Wait)>,
    pub(super) steps: u32,
    /// When the last step began.
    pub(super) step_began: u64,
    /// What the reader got, and whether it asked to stop.
    pub(super) delivered: usize,
    pub(super) stopped: bool,
    pub(super) given_up: bool,
}

impl Run<'_> {
    /// The outcome; panics if the system had refused.
    pub(super) fn outcome(&self) -> Outcome {
        match self.end {
            End::Outcome(outcome) => outcome,
            End::Refused(fault) => panic!("refused: {fault:?}"),
        }
    }

    pub(super) fn refusal(&self) -> Option<Fault> {
        match self.end {
            End::Outcome(_) => None,
            End::Refused(fault) => Some(fault),
        }
    }

    /// When it ended, in milliseconds from the beginning, rounded down.
    pub(super) fn ended_ms(&self) -> u64 {
        (self.sim.clock.nanos() - START) / MS
    }

    pub(super) fn closed_gracefully(&self) -> bool {
        self.sim.handle == Handle::Closed { graceful: true }
    }
}

/// Runs a named case: nothing in it is left to chance.
pub(super) fn run<R>(plan: Plan, check: impl FnOnce(&Run<'_>) -> R) -> R {
    simulate(&plan, &mut Dice::new(1), check)
}

/// Runs any plan to its end, judges it and hands it to `check`.
pub(super) fn simulate<R>(plan: &Plan, dice: &mut Dice, check: impl FnOnce(&Run<'_>) -> R) -> R {
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    if plan.bulk {
        machine.allow_bulk();
    }
    if plan.by_event_loop {
        machine.keep_selection();
    }
    sim.seen.may_read_first = plan.options.peer_first_ms > 0;
    sim.seen.alarm = nanos(deadline(plan));

    let delivered = Cell::new(0);
    let stopped = Cell::new(false);
    let mut read = |bytes: &[u8]| {
        assert!(!stopped.get(), "data after the reader asked to stop");
        check_portion(bytes, delivered.get());
        delivered.set(delivered.get() + bytes.len());
        if let Reader::Some { cost, stop_at } = plan.reader {
            clock.pass(cost);
            stopped.set(delivered.get() >= stop_at);
        }
        match stopped.get() {
            true => Delivery::Stop,
            false => Delivery::GoOn,
        }
    };
    let mut deliver: Deliver<'_> = match plan.reader {
        Reader::None => None,
        Reader::Some { .. } => Some(&mut read),
    };

    let mut waits = Vec::new();
    let mut waiter = Waiter::new(plan);
    let mut steps = 0;
    let mut given_up = false;
    let mut step_began;
    loop {
        sim.catch_up();
        step_began = clock.nanos();
        if plan.give_up_after == Some(steps) {
            given_up = true;
            machine.give_up(&mut sim, Outcome::Evicted);
            break;
        }
        let bytes = sim.seen.bytes;
        let next = machine.step(&mut sim, &clock, &mut deliver);
        steps += 1;
        assert!(steps < 20_000, "it does not come to an end");
        let in_step = sim.seen.bytes - bytes;
        assert!(in_step <= 2 * PASS_BYTES, "one step read {in_step} bytes");
        match next {
            Next::Again => assert!(in_step >= PASS_BYTES, "again, for {in_step} bytes"),
            Next::Wait(wait) => {
                check_wait(plan, &sim, wait, step_began);
                waits.push((clock.nanos(), wait));
                waiter.wait(&mut sim, wait, dice);
            }
            Next::Ended => break,
        }
        assert_eq!(machine.end(), None, "over, and it went on");
        assert!(!machine.is_left_open(), "it is not left before it is over");
    }

    let end = machine.end().expect("the last step ended it");
    assert!(machine.has_ended());
    let is_socket = sim.setup.life != Life::NotASocket;
    let is_open = matches!(sim.handle, Handle::Open | Handle::Reset) && is_socket;
    let is_told = machine.is_left_open() == is_open || sim.handle == Handle::Gone;
    assert!(
        is_told,
        "open is what the driver takes for closed, or the reverse"
    );
    check_rest(&mut machine, &mut sim, &clock, &mut deliver);
    let outcome = match end {
        End::Outcome(outcome) => outcome,
        End::Refused(_) => Outcome::NotConnected,
    };
    if sim.handle != Handle::Gone && end == End::Outcome(outcome) {
        let is_reset = matches!(sim.handle, Handle::Aborted | Handle::Reset);
        assert_eq!(machine.was_aborted(outcome), is_reset, "counted as reset");
    }
    let run = Run {
        plan,
        end,
        report: machine.report(outcome, clock.now()),
        sim,
        waits,
        steps,
        step_began,
        delivered: delivered.get(),
        stopped: stopped.get(),
        given_up,
    };
    judge::judge(&run);
    check(&run)
}

/// The bytes carry their position in the stream.
fn check_portion(bytes: &[u8], position: usize) {
    let last = bytes.len() - 1;
    assert_eq!(bytes[0], position as u8, "a gap in what the reader gets");
    assert_eq!(
        bytes[last],
        (position + last) as u8,
        "a portion of wrong size"
    );
}

/// The end is the end: more steps, or giving up, change nothing.
fn check_rest(
    machine: &mut Machine,
    sim: &mut Sim<'_>,
    clock: &SimClock,
    deliver: &mut Deliver<'_>,
) {
    let before = (sim.seen.calls, machine.end(), machine.seen.closed);
    assert_eq!(machine.step(sim, clock, deliver), Next::Ended);
    machine.give_up(sim, Outcome::Evicted);
    assert_eq!(machine.step(sim, clock, deliver), Next::Ended);
    let after = (sim.seen.calls, machine.end(), machine.seen.closed);
    assert_eq!(before, after, "the end was not the end");
}

/// When the whole time is over.
pub(super) fn deadline(plan: &Plan) -> Time {
    later(START, plan.options.timeout_ms)
}

fn later(start: u64, ms: u32) -> Time {
    match ms {
        INFINITE => Time::NEVER,
        ms => Time::from_nanos(start + u64::from(ms) * MS),
    }
}

/// u64::MAX for never.
pub(super) fn nanos(time: Time) -> u64 {
    if time == Time::NEVER {
        return u64::MAX;
    }
    time.since(Time::from_nanos(0)).as_nanos() as u64
}

/// Contract 4.1, for one wait.
fn check_wait(plan: &Plan, sim: &Sim<'_>, wait: Wait, step_began: u64) {
    let now = sim.clock.nanos();
    // The last call may have taken what time was left.
    let past = now.saturating_sub(sim.setup.call_cost);
    assert!(nanos(wait.until) > past, "a wait that is over already");
    assert!(nanos(wait.recheck) > past, "looks again at once");
    assert!(wait.until <= deadline(plan), "waits past the deadline");
    assert!(wait.recheck <= wait.until, "looks again after the end");
    if wait.watch == Watch::Change {
        assert!(nanos(wait.recheck) <= now + 50 * MS, "looks again too late");
    }
    let Some(half_closed_at) = sim.half_closed_at else {
        let patience = later(START, plan.options.peer_first_ms);
        assert!(
            wait.until <= patience,
            "waits too long for the peer to close first"
        );
        return;
    };
    let idle_ms = plan.options.idle_timeout_ms;
    if idle_ms == 0 || idle_ms == INFINITE {
        return;
    }
    let idle = u64::from(idle_ms) * MS;
    assert!(nanos(wait.until) <= now + idle, "sleeps past the idle time");
    // A look every idle time finds what was acknowledged since the one before.
    let moved = half_closed_at.max(sim.read_at).max(sim.acked_at);
    let slack = reader_cost(plan) + sim.setup.call_cost * 8 + plan.late * 2;
    assert!(step_began <= moved + 2 * idle + slack, "idle for too long");
}

pub(super) fn reader_cost(plan: &Plan) -> u64 {
    match plan.reader {
        Reader::None => 0,
        Reader::Some { cost, .. } => cost,
    }
}

/// The waiting part of a driver.
struct Waiter<'p> {
    plan: &'p Plan,
    /// Edges seen so far; none before the registration.
    edges: Option<u32>,
    last_news: u32,
    /// Waits that ended at the moment they began.
    in_vain: u32,
}

impl<'p> Waiter<'p> {
    fn new(plan: &'p Plan) -> Waiter<'p> {
        Waiter {
            plan,
            edges: None,
            last_news: u32::MAX,
            in_vain: 0,
        }
    }

    fn wait(&mut self, sim: &mut Sim<'_>, wait: Wait, dice: &mut Dice) {
        let began = sim.clock.nanos();
        let by_edges = self.plan.driver == Driver::Edges && sim.setup.system.is_linux_tcp();
        match wait.watch {
            Watch::Change | Watch::Acknowledged if by_edges && self.edges.is_none() => {
                self.edges = Some(sim.edges)
            }
            Watch::Change | Watch::Acknowledged if by_edges => {
                self.sleep(sim, wait, dice);
                self.edges = Some(sim.edges);
            }
            _ => self.sleep(sim, wait, dice),
        }
        // One may be the registration; more, without news, burn the processor.
        let in_vain = sim.clock.nanos() == began && sim.edges == self.last_news;
        self.in_vain = if in_vain { self.in_vain + 1 } else { 0 };
        self.last_news = sim.edges;
        assert!(self.in_vain <= 2, "it spins");
    }

    fn sleep(&mut self, sim: &mut Sim<'_>, wait: Wait, dice: &mut Dice) {
        let now = sim.clock.nanos();
        let mut until = nanos(match (wait.watch, self.edges) {
            (Watch::Change | Watch::Acknowledged, None) => wait.recheck,
            _ => wait.until,
        });
        // EINTR, or an event that was none.
        if dice.percent(self.plan.spurious) {
            until = now + 1 + dice.below(until.saturating_sub(now).clamp(1, 20 * MS));
        }
        loop {
            let woken = match (wait.watch, self.edges) {
                (Watch::Readable, _) => sim.readable(),
                (Watch::Acknowledged, None) => sim.readable(),
                (Watch::Change | Watch::Acknowledged, Some(seen)) => sim.edges != seen,
                (Watch::Change, None) => false,
            };
            if woken {
                break;
            }
            match sim.next_event() {
                Some(at) if at <= until => sim.clock.reach(at),
                _ => {
                    assert!(until != u64::MAX, "it would sleep for ever");
                    sim.clock.reach(until);
                    sim.catch_up();
                    break;
                }
            }
            sim.catch_up();
        }
        if self.plan.late > 0 {
            sim.clock.pass(dice.below(self.plan.late));
        }
    }
}
