//! What a driver tells a machine before it steps it, and asks of it.

use super::drive::run;
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, System, MS};
use super::sim::{Sim, SimClock};
use crate::clock::Clock;
use crate::connection::{Wait, Watch};
use crate::machine::{Machine, Next};
use crate::options::INFINITE;
use crate::outcome::Outcome;

/// The machine after its only step, and what came of it.
fn stepped<R>(plan: &Plan, tell: impl FnOnce(&mut Machine), look: impl FnOnce(&Machine) -> R) -> R {
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    tell(&mut machine);
    assert_eq!(machine.step(&mut sim, &clock, &mut None), Next::Ended);
    look(&machine)
}

/// A system call for nobody: of what ended well it is known all the same.
#[test]
fn what_is_left_in_flight_is_counted_only_for_those_who_are_told() {
    let left = |skips: bool, is_logged: bool| {
        let tell = |machine: &mut Machine| {
            if skips {
                machine.skip_final_count();
            }
            machine.set_logged(is_logged);
        };
        let look = |machine: &Machine| {
            let report = machine.report(Outcome::TimedOut, SimClock::new().now());
            report.unacked_bytes
        };
        stepped(&Plan::new().unsent(10).timeout(0), tell, look)
    };
    assert_eq!(left(false, false), Some(10));
    assert_eq!(left(true, false), None);
    assert_eq!(left(true, true), Some(10), "the log says it");
}

/// Winsock: the events that the program has selected wake its loop; a driver of ours takes them off.
#[test]
fn the_selection_of_a_programs_event_loop_stays() {
    for system in [System::Linux, System::Winsock] {
        run(good_peer().on(system), |run| {
            assert!(!run.sim.seen.keeps_selection);
        });
        run(good_peer().on(system).by_event_loop(), |run| {
            assert!(run.sim.seen.keeps_selection);
        });
    }
}

#[cfg(linux_calls)]
#[test]
fn it_says_what_turned_out_to_be_tcp() {
    let is_tcp = |system| {
        let plan = Plan::new().on(system).before(Act::AckAll).before(Act::Fin);
        stepped(&plan, |_| {}, Machine::is_tcp)
    };
    assert!(is_tcp(System::Linux));
    assert!(!is_tcp(System::Local));
}

/// What a driver that is told of events comes to without a look, so long after the first step.
fn unread(plan: &Plan, after_ms: u64, is_stepped: bool) -> Option<Next> {
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    if is_stepped {
        let next = machine.step(&mut sim, &clock, &mut None);
        assert!(matches!(next, Next::Wait(_)));
    }
    let reads = sim.seen.reads;
    clock.pass(after_ms * MS);
    let next = machine.wait_unread(&mut sim, &clock);
    assert_eq!(sim.seen.reads, reads, "a receive is what is saved");
    next
}

/// Only what waits for nothing but the peer's bytes and FIN: what else there is to do takes a step.
#[test]
fn what_an_event_tells_of_is_waited_for_without_a_look() {
    let plan = |timeout| Plan::new().before(Act::Send(1)).timeout(timeout);
    let until = SimClock::new().now().plus_millis(50);
    let wait = Next::Wait(Wait {
        watch: Watch::Readable,
        until,
        recheck: until,
    });
    assert_eq!(unread(&plan(50), 0, true), Some(wait));
    assert_eq!(unread(&plan(50), 49, true), Some(wait));
    assert_eq!(unread(&plan(50), 50, true), None, "its time is up");
    assert_eq!(unread(&plan(50), 0, false), None, "not half-closed yet");
    let until_acked = plan(50).until_acked();
    assert_eq!(unread(&until_acked, 0, true), None, "no event tells");
    let fin = plan(50).unsent(10).before(Act::Fin);
    assert_eq!(unread(&fin, 0, true), None, "no event tells");
    assert!(unread(&plan(INFINITE), 0, true).is_some());
}
