//! Contract 4.1: closes that may wait longer than a minute, and the peer that vanishes.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Question, System};
use super::sim::Handle;
use crate::connection::Unanswered;
use crate::machine::life::is_hopeless;
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;
use std::time::Duration;

const MINUTE: u32 = 60_000;

#[test]
fn keep_alive_is_for_closes_that_may_wait_longer_than_a_minute() {
    for (timeout, times) in [(MINUTE, 0), (MINUTE + 1, 1), (INFINITE, 1)] {
        for peer_first in [0, 5] {
            let plan = Plan::new().timeout(timeout).peer_first(peer_first);
            let plan = plan.before(Act::AckAll).at(100, Act::Fin);
            run(plan, |run| {
                assert_eq!(run.outcome(), Outcome::Graceful);
                assert_eq!(run.sim.seen.keep_alives, times);
                assert_eq!(run.sim.keep_alive, times > 0);
            });
        }
    }
}

#[test]
fn what_ends_at_once_needs_none() {
    let plan = Plan::new().before(Act::AckAll).before(Act::Fin);
    run(plan.timeout(INFINITE), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.sim.seen.keep_alives, 0);
    });
}

/// The kernel's keep-alive ends the connection; the program may have its own.
#[test]
fn a_peer_that_vanished_while_nothing_was_under_way_is_found_by_keep_alive() {
    for own in [false, true] {
        let plan = Plan::new().before(Act::AckAll).timeout(INFINITE);
        let plan = plan.at(1000, Act::Vanish).at(96_000, Act::Lost);
        let plan = if own { plan.keep_alive() } else { plan };
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Lost);
            assert_eq!(run.ended_ms(), 96_000);
            assert_eq!(run.sim.seen.keep_alives, 1);
            assert!(run.closed_gracefully());
        });
    }
}

#[test]
fn a_peer_that_vanished_with_data_under_way_is_found_in_under_two_minutes() {
    for (unsent, vanished) in [(0, 0), (10, 0), (10, 1000), (1000, 7700), (10, 9999)] {
        let plan = Plan::new().unsent(unsent).timeout(INFINITE);
        let plan = plan.at(vanished, Act::Vanish);
        for plan in [
            plan.clone(),
            plan.clone().recheck(),
            plan.on(System::LinuxOld),
        ] {
            run(plan, |run| {
                assert_eq!(run.outcome(), Outcome::Lost);
                assert!(run.ended_ms() >= vanished + 100_000);
                assert!(run.ended_ms() < vanished + 120_000);
                assert_eq!(run.report.unacked_bytes, Some(unsent));
                assert_ne!(run.report.system_error, 0);
                // The system goes on with it: threads that are blocked on it have to be woken.
                assert_eq!(run.sim.handle, Handle::Closed { graceful: false });
            });
        }
    }
}

/// Its FIN is here, and the last acknowledgement never comes.
#[test]
fn a_peer_that_vanished_behind_its_fin_is_found_too() {
    let plan = Plan::new().before(Act::Fin).unsent(10).timeout(INFINITE);
    let plan = plan.at(500, Act::Vanish);
    for plan in [plan.clone(), plan.recheck()] {
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Lost);
            assert!(run.ended_ms() < 120_000);
            assert!(run.report.peer_closed);
        });
    }
}

/// For less than 100 s nothing is made of it.
#[test]
fn a_shorter_time_ends_by_itself() {
    for timeout in [MINUTE, 99_000] {
        let plan = Plan::new().unsent(10).before(Act::Vanish).timeout(timeout);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            assert_eq!(run.sim.seen.looks_unanswered, 0);
        });
    }
}

#[test]
fn a_shut_window_whose_probes_are_answered_is_no_loss() {
    let plan = Plan::new().unsent(1000).timeout(600_000);
    run(plan.before(Act::ShutWindow), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 600_000);
        // Seldom asked: every ten seconds, the first 100 without.
        assert!((45..=51).contains(&run.sim.seen.looks_unanswered));
    });
}

#[test]
fn a_slow_peer_is_no_loss() {
    let plan = Plan::new().unsent(1000).timeout(600_000);
    run(plan.at(500_000, Act::AckAll).at(550_000, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
    });
}

#[test]
fn a_question_that_is_refused_is_no_loss() {
    let plan = Plan::new().unsent(10).before(Act::Vanish).timeout(300_000);
    run(plan.refuses(Question::Unanswered, 0, u32::MAX), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
    });
}

#[test]
fn systems_that_tell_nothing_wait() {
    for system in [System::Mac, System::Bsd, System::Winsock, System::Local] {
        let plan = Plan::new().on(system).unsent(10).timeout(300_000);
        run(plan.before(Act::Vanish), |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
        });
    }
}

/// It is not the system that has given it up, so the connection is still there.
#[test]
fn the_fallback_says_what_becomes_of_what_the_system_goes_on_with() {
    for (fallback, handle) in [
        (Fallback::Abort, Handle::Aborted),
        (Fallback::Keep, Handle::Closed { graceful: false }),
        (Fallback::Background, Handle::Closed { graceful: false }),
    ] {
        let plan = Plan::new().unsent(10).before(Act::Vanish).timeout(INFINITE);
        run(plan.fallback(fallback), |run| {
            assert_eq!(run.outcome(), Outcome::Lost);
            assert_eq!(run.sim.handle, handle);
            assert_eq!(run.report.closed, handle != Handle::Open);
        });
    }
}

#[test]
fn a_descriptor_that_is_handed_back_is_without_our_keep_alive() {
    for own in [false, true] {
        let plan = Plan::new().before(Act::AckAll).timeout(MINUTE + 1);
        let plan = if own { plan.keep_alive() } else { plan };
        for plan in [
            plan.clone().keep_open().at(100, Act::Fin),
            plan.clone().keep_open().at(100, Act::Reset),
            plan.fallback(Fallback::Keep),
        ] {
            run(plan, |run| {
                assert_eq!(run.sim.handle, Handle::Open);
                assert_eq!(run.sim.keep_alive, own);
            });
        }
    }
}

/// The answer to the last attempt is overdue once more time has passed than the system waits for it.
#[test]
fn silent_for_long_asked_several_times_and_overdue_all_three() {
    let unanswered = |silence: u64, attempts, pause: u64| Unanswered {
        silence: Duration::from_millis(silence),
        attempts,
        pause: Duration::from_millis(pause),
    };
    assert!(is_hopeless(unanswered(100_000, 3, 99_999)));
    assert!(!is_hopeless(unanswered(99_999, 3, 0)));
    assert!(!is_hopeless(unanswered(100_000, 2, 0)));
    assert!(!is_hopeless(unanswered(100_000, 3, 100_000)));
    assert!(!is_hopeless(unanswered(100_000, 3, 100_001)));
}

/// After 100 s, not at the look that follows.
#[test]
fn the_first_look_is_at_the_end_of_the_silence() {
    let plan = Plan::new().unsent(10).before(Act::Vanish).timeout(INFINITE);
    run(plan, |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Lost, 100_000));
    });
}

/// Keep-alive is for that: whether the peer answers is not asked.
#[test]
fn with_nothing_under_way_the_machine_does_not_look_itself() {
    let plan = Plan::new().before(Act::AckAll).timeout(INFINITE);
    run(plan.at(300_000, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.sim.seen.looks_unanswered, 0);
    });
}

/// At 100 s and 110 s something is under way, at 120 s nothing is any more.
#[test]
fn it_looks_as_long_as_something_is_under_way() {
    let plan = Plan::new().unsent(10).timeout(INFINITE);
    run(plan.at(115_000, Act::AckAll).at(500_000, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.sim.seen.looks_unanswered, 3);
    });
}

/// What cannot be told may be under way.
#[test]
fn where_the_count_is_refused_it_looks() {
    let plan = Plan::new().unsent(10).before(Act::Vanish).timeout(INFINITE);
    run(plan.refuses(Question::InFlight, 0, 1), |run| {
        assert_eq!(run.outcome(), Outcome::Lost);
    });
}

/// With no bound, an event loop is to sleep until an event: the system gives up a FIN that nobody
/// acknowledges. Data that is under way, or a bound, and the machine looks.
#[test]
fn in_an_event_loop_our_fin_alone_is_left_to_the_system() {
    let plan = |unsent| Plan::new().unsent(unsent).by_event_loop();
    let ends = |plan: Plan, ms| {
        let plan = plan.before(Act::Vanish).at(900_000, Act::Lost);
        run(plan, |run| {
            assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Lost, ms));
        });
    };
    ends(plan(0).timeout(INFINITE), 900_000);
    ends(plan(1).timeout(INFINITE), 100_000);
    ends(plan(0).timeout(1_000_000), 100_000);
}
