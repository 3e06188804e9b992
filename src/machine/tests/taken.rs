//! The number is closed behind our back, and taken by another one, while a step is under way: a
//! search for other holders and a callback of the program's may take long.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Life, System, LOST, MS, NOT_A_SOCKET};
use super::sim::{Handle, Sim, SimClock};
use crate::clock::Clock;
use crate::connection::{Fault, Sharing};
use crate::machine::Delivery;
use crate::machine::{End, Machine, Next};

/// Closed by another thread while a search of 50 ms is under way.
fn closed_in_the_search(plan: Plan) -> Plan {
    plan.look_cost(50 * MS).at(20, Act::CloseElsewhere)
}

#[test]
fn after_the_search_for_other_holders() {
    for sharing in [Sharing::Alone, Sharing::Shared] {
        let plan = closed_in_the_search(Plan::new().sharing(sharing));
        run(plan, |run| {
            assert_eq!(run.refusal(), Some(NOT_A_SOCKET));
            assert_eq!(run.sim.seen.half_closes, 0);
        });
    }
}

#[test]
fn after_the_search_for_blocked_threads() {
    for life in [Life::Listening, Life::Datagram] {
        run(closed_in_the_search(Plan::of(life)), |run| {
            assert_eq!(run.refusal(), Some(NOT_A_SOCKET), "{life:?}");
            assert!(!run.report.closed);
        });
    }
}

#[test]
fn after_the_callback_that_got_the_data() {
    let plans = [
        Plan::new().before(Act::Send(9000)),
        Plan::new().before(Act::Send(9000)).limit(5),
        Plan::new().before(Act::Send(9000)).timeout(0),
        Plan::new().before(Act::Send(9000)).peer_first(100),
        Plan::new().before(Act::Send(9000)).before(Act::Reset),
    ];
    for plan in plans {
        let clock = SimClock::new();
        let mut sim = Sim::new(&plan.setup, &clock);
        let mut machine = Machine::new(&plan.options, clock.now());
        sim.seen.may_read_first = true;
        let mut calls = 0;
        let mut deliver = |_: &[u8]| {
            calls += 1;
            Delivery::NotOurs
        };
        let next = machine.step(&mut sim, &clock, &mut Some(&mut deliver));
        assert_eq!(next, Next::Ended);
        assert_eq!(machine.end(), Some(End::Refused(Fault::GONE)));
        assert_eq!((calls, sim.seen.reads), (1, 1), "it was read on");
        assert_eq!((sim.handle, machine.seen.closed), (Handle::Open, false));
    }
}

/// In each call of each way, by another thread: whoever is told so touches the number no more, whatever
/// else is due.
#[test]
fn in_any_call_of_a_step() {
    let ways: [fn(Plan) -> Plan; 10] = [
        |plan| plan.before(Act::AckAll).after_fin(1, Act::Fin),
        |plan| plan.at(4, Act::Reset).at(4, Act::StealError),
        |plan| plan.before(Act::Fin).unsent(9),
        |plan| plan.before(Act::ShutRead),
        |plan| plan.before(Act::ShutRead).before(Act::AckAll).until_acked(),
        |plan| plan.before(Act::ShutRead).before(Act::ShutWrite),
        |plan| plan.before(Act::Reset),
        |plan| plan.before(Act::SoftError(LOST)).idle(3),
        |plan| plan.before(Act::Send(9)).peer_first(4).unsent(9).idle(3),
        |plan| plan.before(Act::ShutRead).peer_first(4),
    ];
    for way in ways {
        for system in System::ALL {
            for at in 0..30 {
                for timeout in [6, 25] {
                    let plan = way(Plan::new().on(system).timeout(timeout));
                    run(plan.call_cost(MS).at(at, Act::CloseElsewhere), |_| {});
                }
            }
        }
    }
}

/// One search for many: what it finds to be no socket is looked at again, and refused untouched.
#[test]
fn before_the_search_for_many() {
    let mut plan = Plan::of(Life::NotASocket);
    plan = plan.sharing(Sharing::Unknown(NOT_A_SOCKET));
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    assert!(machine.asks_for_sharing());
    machine.sharing_is(Sharing::Unknown(NOT_A_SOCKET));
    assert!(machine.asks_for_sharing(), "what it is now is not known");
    assert_eq!(machine.step(&mut sim, &clock, &mut None), Next::Ended);
    assert_eq!(machine.end(), Some(End::Refused(NOT_A_SOCKET)));
    assert_eq!((sim.handle, machine.seen.closed), (Handle::Open, false));
}

#[test]
fn what_is_told_of_other_holders_is_not_asked_again() {
    let plan = Plan::new().sharing(Sharing::Alone);
    let mut machine = Machine::new(&plan.options, SimClock::new().now());
    assert!(machine.asks_for_sharing());
    machine.sharing_is(Sharing::Alone);
    assert!(!machine.asks_for_sharing());
}

/// A dead connection whose bytes are being picked up.
#[test]
fn while_what_a_dead_one_had_received_is_read() {
    for at in 0..10 {
        let plan = Plan::new().before(Act::Send(9)).before(Act::Reset);
        let plan = plan.call_cost(MS).at(at, Act::CloseElsewhere);
        run(plan, |run| {
            let is_told = run.sim.handle == Handle::Gone;
            assert_eq!(is_told, run.refusal() == Some(NOT_A_SOCKET), "{at}");
        });
    }
}
