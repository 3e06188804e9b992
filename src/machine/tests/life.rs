//! Contract 4.1: closes that may wait longer than a minute, and the peer that vanishes.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Question, System};
use super::sim::Handle;
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;

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
