//! GC_THEN_BACKGROUND: the change of hands loses nothing.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Life, System, LOST, MS, OTHER, START};
use super::sim::{Handle, Sim, SimClock};
use crate::clock::{Clock, Time};
use crate::machine::{End, Machine, Next};
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;

/// The caller has 10 ms, the background 300.
fn plan() -> Plan {
    let mut plan = Plan::new().timeout(10).fallback(Fallback::Background);
    plan.options.background_ms = 300;
    plan
}

/// Steps it until it is over, looking whenever something may have happened.
fn drive(machine: &mut Machine, sim: &mut Sim<'_>, clock: &SimClock) -> End {
    for _ in 0..2000 {
        sim.catch_up();
        match machine.step(sim, clock, &mut None) {
            Next::Again => {}
            Next::Wait(wait) => {
                let until = wait.recheck.since(Time::from_nanos(0)).as_nanos() as u64;
                let event = sim.next_event().unwrap_or(u64::MAX);
                clock.reach(until.min(event));
            }
            Next::Ended => return machine.end().expect("it has ended"),
        }
    }
    panic!("it does not come to an end");
}

/// What the caller is told, then what the background comes to, and when.
fn both(plan: &Plan, check: impl FnOnce(&Machine, Outcome, &Machine, &Sim<'_>, u64)) {
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    sim.seen.may_read_first = plan.options.peer_first_ms > 0;
    let mut machine = Machine::new(&plan.options, clock.now());
    let end = drive(&mut machine, &mut sim, &clock);
    assert_eq!(end, End::Outcome(Outcome::Continued));
    assert!(machine.is_continued() && machine.report(Outcome::Continued, clock.now()).closed);
    assert_eq!(sim.handle, Handle::Open, "nobody has closed it");
    let mut background = machine.go_on(&mut sim, clock.now());
    let end = drive(&mut background, &mut sim, &clock);
    let End::Outcome(outcome) = end else {
        panic!("refused: {end:?}");
    };
    let ended = (clock.nanos() - START) / MS;
    check(&machine, outcome, &background, &sim, ended);
}

#[test]
fn a_peer_that_is_late_for_the_caller_is_graceful_in_the_background() {
    let plan = plan()
        .unsent(5000)
        .before(Act::Send(700))
        .at(50, Act::Send(300))
        .at(60, Act::AckAll)
        .at(70, Act::Fin);
    for system in System::ALL {
        both(
            &plan.clone().on(system),
            |first, outcome, second, sim, _| {
                assert_eq!(outcome, Outcome::Graceful, "{system:?}");
                assert_eq!(first.drained(), 700);
                assert_eq!(second.drained(), 1000, "bytes are counted through");
                assert_eq!(sim.seen.half_closes, 1, "half-closed once");
                assert_eq!(sim.handle, Handle::Closed { graceful: true });
            },
        );
    }
}

#[test]
fn the_background_has_its_own_time() {
    both(&plan(), |_, outcome, _, sim, ended| {
        assert_eq!(outcome, Outcome::TimedOut);
        assert_eq!(sim.handle, Handle::Closed { graceful: false });
        assert!((310..320).contains(&ended), "{ended} ms");
    });
}

#[test]
fn an_idle_time_that_ran_out_counts_no_more() {
    let plan = plan()
        .timeout(5000)
        .idle(10)
        .at(200, Act::AckAll)
        .at(210, Act::Fin);
    both(&plan.unsent(1), |_, outcome, _, _, ended| {
        assert_eq!((outcome, ended), (Outcome::Graceful, 210));
    });
}

#[test]
fn out_of_time_while_the_peer_was_to_close_first_the_fin_leaves_at_the_change_of_hands() {
    let plan = plan()
        .peer_first(5000)
        .after_fin(20, Act::AckAll)
        .after_fin(30, Act::Fin);
    both(&plan, |_, outcome, _, sim, _| {
        assert_eq!(outcome, Outcome::Graceful);
        assert_eq!(sim.half_closed_at, Some(START + 10 * MS));
    });
}

#[test]
fn an_end_in_doubt_may_be_proved_in_the_background() {
    let plan = plan()
        .before(Act::ShutRead)
        .at(90, Act::AckAll)
        .at(100, Act::Fin);
    both(&plan, |_, outcome, _, _, _| {
        assert_eq!(outcome, Outcome::Graceful)
    });
}

#[test]
fn what_ends_in_the_background_is_told_as_it_is() {
    for (act, outcome) in [(Act::Reset, Outcome::Reset), (Act::Lost, Outcome::Lost)] {
        both(&plan().at(40, act), |_, end, _, _, _| {
            assert_eq!(end, outcome)
        });
    }
    both(
        &plan().limit(100).at(40, Act::Send(200)),
        |_, outcome, _, _, _| assert_eq!(outcome, Outcome::DrainLimit),
    );
}

#[test]
fn what_does_not_run_out_of_time_is_closed_as_ever() {
    let closed = |plan: Plan, outcome| {
        super::drive::run(plan.fallback(Fallback::Background), |run| {
            assert_eq!(run.outcome(), outcome);
            assert!(run.report.closed && run.sim.handle != Handle::Open);
        });
    };
    closed(
        Plan::new().limit(1).before(Act::Send(9)),
        Outcome::DrainLimit,
    );
    closed(
        Plan::new().reader_stops_at(1).before(Act::Send(9)),
        Outcome::Stopped,
    );
    closed(Plan::new().at(1, Act::Reset), Outcome::Reset);
    closed(
        Plan::new().at(1, Act::SoftError(LOST)).at(2, Act::Lost),
        Outcome::Lost,
    );
    closed(Plan::of(Life::Listening), Outcome::NotConnected);
}

#[test]
fn without_a_background_it_is_closed_ordinarily() {
    let clock = SimClock::new();
    let plan = plan().unsent(10);
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    drive(&mut machine, &mut sim, &clock);
    machine.close_instead(&mut sim);
    assert_eq!(machine.end(), Some(End::Outcome(Outcome::TimedOut)));
    assert_eq!(sim.handle, Handle::Closed { graceful: false });
}

#[test]
fn what_could_not_be_half_closed_has_nothing_to_go_on_with() {
    let mut plan = plan().timeout(1000).peer_first(500).shutdown_fails(OTHER);
    plan = plan.at(100, Act::AckAll).at(110, Act::Fin);
    run(plan.give_up_after(1), |run| {
        assert_eq!(run.outcome(), Outcome::Evicted);
        assert!(run.report.closed);
    });
}

/// The machine of a program's event loop whose time is up, as the background gets it.
fn handed_over(plan: &Plan, sim: &mut Sim<'_>, clock: &SimClock) -> Machine {
    sim.seen.may_read_first = plan.options.peer_first_ms > 0;
    let mut machine = Machine::new(&plan.options, clock.now());
    assert!(!machine.is_continued(), "it has not ended");
    machine.keep_selection();
    machine.allow_bulk();
    let end = drive(&mut machine, sim, clock);
    assert_eq!(end, End::Outcome(Outcome::Continued));
    machine.go_on(sim, clock.now())
}

#[test]
fn of_the_callers_options_and_counts_only_those_that_still_matter_go_on() {
    let plan = plan().peer_first(5).idle(50).unsent(10);
    let plan = plan.before(Act::Send(3 << 20));
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = handed_over(&plan, &mut sim, &clock);
    let report = machine.report(Outcome::Uncertain, clock.now());
    assert!(!report.closed, "it is the background's");
    assert_eq!((report.elapsed.as_nanos(), report.unacked_bytes), (0, None));
    assert_eq!(report.drained_bytes, 3 << 20);
    // Thousands wait in that form.
    let brief = machine.brief().expect("it asks for nothing special");
    let deadline = clock.now().plus_millis(300);
    assert_eq!(brief.machine().deadline(), deadline);
    assert_eq!(brief.machine().began(), clock.now());
    // Nobody looks at what is left in the air.
    let looks = sim.seen.looks_in_flight;
    let end = drive(&mut machine, &mut sim, &clock);
    assert_eq!(end, End::Outcome(Outcome::TimedOut));
    assert_eq!(sim.seen.looks_in_flight, looks);
    assert_eq!(clock.now(), deadline, "idle, and the caller's time only");
}

#[test]
fn in_the_background_it_is_looked_at_soon_again() {
    let plan = plan().timeout(1000).before(Act::Fin).unsent(10);
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = handed_over(&plan, &mut sim, &clock);
    let next = machine.step(&mut sim, &clock, &mut None);
    let soon = clock.now().plus_millis(1);
    assert!(matches!(next, Next::Wait(wait) if wait.recheck == soon));
}

/// The loop would have waited for events alone; the background looks itself.
#[test]
fn the_background_looks_whether_the_peer_still_answers() {
    let mut plan = plan().timeout(INFINITE).before(Act::Vanish);
    plan.options.background_ms = 300_000;
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    let mut machine = Machine::new(&plan.options, clock.now());
    machine.keep_selection();
    let next = machine.step(&mut sim, &clock, &mut None);
    assert!(matches!(next, Next::Wait(_)));
    machine.give_up(&mut sim, Outcome::Evicted);
    assert!(machine.is_continued());
    let mut background = machine.go_on(&mut sim, clock.now());
    let end = drive(&mut background, &mut sim, &clock);
    assert_eq!(end, End::Outcome(Outcome::Lost));
    assert!(clock.nanos() < START + 120_000 * MS);
}

/// The caller's look in its eleventh ten seconds is not that of the background.
#[test]
fn the_first_look_of_the_background_is_not_left_out() {
    let mut plan = plan().timeout(105_000).unsent(10).before(Act::ShutWindow);
    plan.options.background_ms = 109_000;
    both(&plan, |_, outcome, _, sim, _| {
        assert_eq!(outcome, Outcome::TimedOut);
        assert_eq!(sim.seen.looks_unanswered, 2);
    });
}
