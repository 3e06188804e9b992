//! Contract 4.1 and 4.2: the deadline, the idle time, no time at all.

use super::drive::{nanos, run};
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, Question, System, MS, START};
use super::sim::Handle;
use crate::connection::Watch;
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;

#[test]
fn a_silent_peer_costs_the_whole_time_and_no_more() {
    run(Plan::new().timeout(300), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.sim.clock.nanos(), START + 300 * MS);
        assert_eq!((run.waits.len(), run.steps), (1, 2));
    });
}

#[test]
fn a_dripping_peer_does_not_move_the_deadline() {
    let plan = Plan::new()
        .before(Act::Drip(1, 1000, MS))
        .timeout(100)
        .idle(50);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 100);
        let deadline = run.waits.last().unwrap().1.until;
        assert!(run.waits.iter().all(|(_, wait)| wait.until <= deadline));
    });
}

#[test]
fn interrupted_waits_go_on_with_the_time_left() {
    let mut plan = Plan::new().timeout(200);
    plan.spurious = 100;
    run(plan, |run| {
        assert_eq!(run.ended_ms(), 200);
        assert!(run.waits.len() > 5);
        let until = START + 200 * MS;
        assert!(run.waits.iter().all(|(_, wait)| nanos(wait.until) == until));
    });
}

#[test]
fn a_late_wake_up_still_sees_what_had_come() {
    let mut plan = good_peer().timeout(20).after_fin(19, Act::Fin);
    plan.setup.script.remove(1);
    plan.late = 30 * MS;
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Graceful));
}

#[test]
fn infinite_waits_for_ever() {
    let plan = Plan::new()
        .before(Act::AckAll)
        .after_fin(86_400_000, Act::Fin);
    run(plan.timeout(INFINITE).idle(INFINITE), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.waits[0].1.until, crate::clock::Time::NEVER);
    });
}

#[test]
fn idleness_ends_it_before_the_deadline() {
    run(Plan::new().idle(40), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 40);
    });
}

#[test]
fn bytes_restart_the_idle_clock() {
    let plan = Plan::new().before(Act::Drip(1, 11, 30 * MS)).idle(40);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 10 * 30 + 40);
        assert_eq!(run.report.drained_bytes, 11);
    });
}

#[test]
fn a_slow_reader_is_not_idle() {
    let mut plan = Plan::new().unsent(2000).idle(100).timeout(60_000);
    for second in 1..=20 {
        plan = plan.at(second * 90, Act::Ack(100));
    }
    let plan = plan.at(1830, Act::AckAll).at(1850, Act::Fin);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.ended_ms(), 1850);
    });
}

#[test]
fn acknowledgements_are_looked_up_a_few_times_per_idle_time() {
    let plan = Plan::new().unsent(900).idle(100).timeout(1000);
    run(plan, |run| {
        assert_eq!(run.ended_ms(), 100);
        // At the half-close, and four times.
        assert_eq!(run.sim.asked[Question::Backlog as usize], 5);
    });
    // Without an idle time nobody wants to know.
    run(Plan::new().unsent(900).timeout(100), |run| {
        assert_eq!(run.sim.asked[Question::Backlog as usize], 0);
    });
    // Nothing is left to be acknowledged.
    run(Plan::new().idle(100), |run| {
        assert_eq!(run.ended_ms(), 100);
        assert_eq!(run.sim.asked[Question::Backlog as usize], 2);
    });
}

#[test]
fn a_reader_that_has_stalled_is_idle_a_quarter_late_at_most() {
    for at in 1..=100 {
        let plan = Plan::new().unsent(900).at(at, Act::Ack(100)).idle(100);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            let late = run.ended_ms() - (at + 100);
            assert!(late <= 25, "late by {late} ms");
            assert_eq!(run.report.unacked_bytes, Some(800));
        });
    }
}

#[test]
fn silence_that_proves_nothing_does_not_reset() {
    for system in System::ALL {
        let plan = Plan::new().on(system).unsent(900).idle(100);
        run(plan.fallback(Fallback::Abort), |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            let expected = match system.tells_backlog() {
                true => Handle::Aborted,
                false => Handle::Closed { graceful: false },
            };
            assert_eq!(run.sim.handle, expected, "{system:?}");
        });
    }
}

#[test]
fn a_slow_reader_is_not_idle_where_only_progress_is_told() {
    for system in [System::Local, System::Winsock] {
        let mut plan = Plan::new().on(system).unsent(2000).idle(100);
        for second in 1..=20 {
            plan = plan.at(second * 90, Act::Ack(100));
        }
        let plan = plan.at(1830, Act::AckAll).at(1850, Act::Fin);
        run(plan.fallback(Fallback::Abort).timeout(60_000), |run| {
            assert_eq!(run.outcome(), Outcome::Graceful, "{system:?}");
        });
    }
}

#[test]
fn the_idle_clock_runs_from_the_half_close() {
    let plan = Plan::new().peer_first(300).idle(40);
    run(plan, |run| assert_eq!(run.ended_ms(), 340));
}

#[test]
fn the_idle_clock_runs_also_while_our_fin_is_unacknowledged() {
    let plan = Plan::new().before(Act::Fin).unsent(10).idle(60);
    for plan in [plan.clone(), plan.recheck()] {
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            assert_eq!(run.ended_ms(), 60);
            assert!(run.report.peer_closed);
        });
    }
}

#[test]
fn a_slow_sink_does_not_count_as_idle() {
    let plan = good_peer().before(Act::Send(4096 * 3)).idle(10);
    run(plan.slow_reader(50 * MS), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.delivered, 4096 * 3);
    });
}

#[test]
fn a_slow_sink_is_late_by_one_portion_only() {
    let plan = Plan::new().before(Act::Send(4096 * 100)).timeout(95);
    run(plan.slow_reader(10 * MS), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 100);
        assert_eq!(run.delivered, 4096 * 10);
    });
}

#[test]
fn recheck_interval_grows_from_1_to_50_ms() {
    let plan = Plan::new()
        .unsent(10)
        .before(Act::Fin)
        .after_fin(300, Act::AckAll);
    run(plan.recheck(), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        let pauses: Vec<u64> = run
            .waits
            .iter()
            .map(|(now, wait)| (nanos(wait.recheck) - now) / MS)
            .collect();
        assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 32, 50, 50]);
        assert!(run.ended_ms() <= 350);
    });
}

#[test]
fn only_changes_are_looked_for_at_intervals() {
    run(Plan::new().timeout(500), |run| {
        let (_, wait) = run.waits[0];
        assert_eq!((wait.watch, wait.recheck), (Watch::Readable, wait.until));
    });
}

#[test]
fn small_portions_are_read_also_below_the_low_water_mark() {
    // 3 MiB raise the mark; then a little less than it wakes nobody.
    let plan = Plan::new()
        .before(Act::AckAll)
        .before(Act::Send(3 << 20))
        .bulk()
        .idle(100);
    let plan = plan
        .at(50, Act::Send(1000))
        .at(150, Act::Send(1000))
        .at(240, Act::Fin);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.report.drained_bytes, (3 << 20) + 2000);
    });
}

// 4.2: no time at all.

#[test]
fn without_time_a_fin_that_is_there_makes_it_graceful() {
    let plan = Plan::new()
        .before(Act::AckAll)
        .before(Act::Send(300))
        .before(Act::Fin);
    run(plan.timeout(0), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!((run.report.drained_bytes, run.waits.len()), (300, 0));
    });
}

#[test]
fn without_time_it_still_half_closes_and_drains() {
    for peer_first in [0, 100] {
        let plan = Plan::new()
            .before(Act::Send(3 << 20))
            .timeout(0)
            .peer_first(peer_first);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            assert_eq!(run.report.drained_bytes, 3 << 20);
            assert_eq!((run.sim.seen.half_closes, run.waits.len()), (1, 0));
        });
    }
}

#[test]
fn without_time_a_fin_of_ours_in_the_air_is_not_waited_for() {
    run(Plan::new().before(Act::Fin).unsent(5).timeout(0), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.report.unacked_bytes, Some(5));
        assert!(run.report.peer_closed);
    });
}

#[test]
fn without_time_the_rest_of_the_classes_is_the_same() {
    run(Plan::new().before(Act::Reset).timeout(0), |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
    });
    run(
        Plan::new().on(System::Bsd).before(Act::Fin).timeout(0),
        |run| {
            assert_eq!(run.outcome(), Outcome::Graceful);
        },
    );
}

/// Found by closing many: the last look comes at the deadline, and a peer that
/// has spoken and closed since the one before has ended in peace.
#[test]
fn a_fin_behind_data_at_the_deadline_is_seen() {
    let plan = Plan::new().before(Act::AckAll).timeout(100);
    let plan = plan.at(100, Act::Send(3)).at(100, Act::Fin);
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Graceful));
}

/// Its acknowledgement comes by itself, from a peer that does nothing at all.
#[test]
fn the_acknowledgement_of_our_fin_does_not_restart_the_idle_clock() {
    let plan = Plan::new().before(Act::AckAll).after_fin(40, Act::AckAll);
    run(plan.idle(130).timeout(5000), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 130);
    });
}
