//! Questions that the system does not answer, or has no answer to any more.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Question, System, LOST, OTHER};
use super::sim::{Sim, SimClock};
use crate::clock::Clock;
use crate::connection::TcpState;
use crate::machine::state::Phase;
use crate::machine::Machine;
use crate::outcome::Outcome;

/// Whether all is acknowledged is asked of what is gone for about a tenth of a second, and no longer: nothing
/// more will happen to it.
#[test]
fn a_refusal_about_what_is_gone_is_asked_again_for_a_while() {
    for (times, outcome, ended) in [
        (0, Outcome::Graceful, 5),
        (4, Outcome::Graceful, 8),
        (u32::MAX, Outcome::Uncertain, 5 + 63),
    ] {
        let plan = Plan::new().before(Act::AckAll).after_fin(5, Act::Fin);
        let plan = plan.refuses(Question::InFlight, 0, times).recheck();
        run(plan, |run| {
            assert_eq!((run.outcome(), run.ended_ms()), (outcome, ended));
            assert_eq!(
                run.sim.asked[Question::PendingError as usize],
                u32::from(times == u32::MAX)
            );
        });
    }
}

/// The network's error need not have been the end, so a death whose cause another thread has taken is a
/// reset; unless the state could not be had when it was met.
#[test]
fn a_cause_is_guessed_only_where_the_state_was_refused() {
    for (refused, error, outcome) in [
        (false, LOST, Outcome::Reset),
        (false, OTHER, Outcome::Reset),
        (true, LOST, Outcome::Lost),
        (true, OTHER, Outcome::Reset),
    ] {
        let plan = Plan::new().at(5, Act::SoftError(error));
        let plan = plan.at(10, Act::Reset).at(10, Act::StealError);
        let times = u32::from(refused);
        run(plan.refuses(Question::State, 0, times), |run| {
            assert_eq!(run.outcome(), outcome, "{refused} {error:?}");
        });
    }
}

/// A TCP_INFO that has become too short says nothing: neither that there is no state, nor that all is there.
#[test]
fn what_has_told_its_state_and_tells_it_no_more_is_not_graceful() {
    for plan in [
        Plan::new().unsent(9).before(Act::Fin),
        Plan::new().before(Act::ShutRead),
        Plan::new().before(Act::ShutRead).before(Act::AckAll),
    ] {
        for system in [System::Linux, System::LinuxOld] {
            let mut plan = plan.clone().on(system).timeout(200);
            plan.setup.state_is_lost = true;
            run(plan, |run| assert_ne!(run.outcome(), Outcome::Graceful));
        }
    }
}

/// Winsock has no state for what is gone. A zero read of it is the FIN only if the system also says that no error
/// is pending: one that another thread has taken leaves the same zero read.
#[test]
fn a_zero_read_is_no_fin_while_the_system_refuses_to_say_more() {
    for question in [Question::State, Question::PendingError] {
        // The state is asked of the zero read, and once more of the end.
        let first = u32::from(question == Question::State);
        for act in [Act::Lost, Act::Reset] {
            let plan = Plan::new().on(System::Winsock).timeout(200);
            let plan = plan.at(5, act).at(5, Act::StealError).recheck();
            let plan = plan.refuses(question, first, u32::MAX);
            run(plan, |run| {
                assert_eq!(run.outcome(), Outcome::Uncertain, "{question:?} {act:?}");
                assert!(!run.report.peer_closed, "{question:?} {act:?}");
                assert_eq!(run.ended_ms(), 200);
            });
        }
    }
}

/// TCP Fast Open: the kernel counts nothing before the handshake has ended, which is not that all is acknowledged.
#[test]
fn in_the_handshake_nothing_is_known_to_be_acknowledged() {
    for unsent in [0, 9] {
        let mut plan = Plan::new().unsent(unsent).timeout(20);
        plan.setup.in_handshake = true;
        for plan in [plan.clone(), plan.recheck()] {
            run(plan, |run| {
                assert_eq!(run.outcome(), Outcome::TimedOut);
                assert_eq!(run.report.unacked_bytes, None);
            });
        }
    }
}

/// A state that says neither that the peer's FIN has come nor that ours is acknowledged (one that the system makes up
/// for a connection over several paths) proves nothing where it refuses to say what is under way.
#[test]
fn a_state_without_both_ends_proves_nothing() {
    let plan = Plan::new().timeout(200).recheck();
    let plan = plan.refuses(Question::InFlight, 0, u32::MAX);
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    (sim.seen.classified, sim.seen.half_closes, sim.fin_out) = (true, 1, true);
    for (is_acked, state) in [(false, TcpState::FinWait1), (true, TcpState::FinWait2)] {
        sim.fin_acked = is_acked;
        assert_eq!(sim.state(), state);
        let mut machine = Machine::new(&plan.options, clock.now());
        machine.phase = Phase::Confirm;
        (machine.seen.half_closed, machine.seen.peer_fin) = (true, true);
        (machine.seen.is_tcp, machine.seen.has_state) = (true, true);
        machine.step(&mut sim, &clock, &mut None);
        assert_eq!(machine.end(), None, "{state:?}");
    }
}
