//! Contract, section 4, step by step: classify, neutralise, peer first,
//! half-close, drain, confirm.

use super::drive::run;
use super::plan::Plan;
use super::script::{Act, Life, System, MS, NOT_A_SOCKET, OTHER, RESET};
use super::sim::Handle;
use crate::connection::Watch;
use crate::machine::reading::PASS_BYTES;
use crate::options::Fallback;
use crate::outcome::Outcome;

/// A peer that acknowledges at once and closes when it sees our FIN.
pub(super) fn good_peer() -> Plan {
    Plan::new().before(Act::AckAll).after_fin(1, Act::Fin)
}

// 1. Classify, without harm.

#[test]
fn what_is_no_socket_is_refused_untouched() {
    run(Plan::of(Life::NotASocket), |run| {
        assert_eq!(run.refusal(), Some(NOT_A_SOCKET));
        assert!(!run.report.closed);
    });
}

#[test]
fn nothing_to_negotiate_is_closed_at_once() {
    for life in [Life::Datagram, Life::Listening, Life::Fresh, Life::Refused] {
        run(Plan::of(life), |run| {
            assert_eq!(run.outcome(), Outcome::NotConnected, "{life:?}");
            assert_eq!((run.sim.seen.half_closes, run.sim.seen.reads), (0, 0));
            assert!(run.closed_gracefully() && run.waits.is_empty());
            assert!(
                run.sim.seen.woken,
                "who is in accept() or recv() stays there"
            );
            assert_eq!(
                (run.report.system_error, run.report.unacked_bytes),
                (0, Some(0))
            );
        });
    }
}

#[test]
fn a_connect_in_progress_is_cancelled_by_the_close_alone() {
    run(Plan::of(Life::Connecting), |run| {
        assert_eq!(run.outcome(), Outcome::NotConnected);
        assert_eq!(run.sim.seen.half_closes, 0);
    });
}

#[test]
fn other_stream_families_go_the_same_way() {
    let plan = Plan::new()
        .on(System::Local)
        .before(Act::Send(70))
        .after_fin(5, Act::Fin);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert!(!run.sim.seen.woken, "the end of the stream wakes");
        assert_eq!(
            (run.report.drained_bytes, run.report.unacked_bytes),
            (70, None)
        );
        assert_eq!(
            run.sim.seen.looks_in_flight, 0,
            "it would answer with memory in use"
        );
    });
}

#[test]
fn a_stream_without_a_peer_is_never_received_from() {
    for life in [
        Life::Fresh,
        Life::Listening,
        Life::Connecting,
        Life::Refused,
    ] {
        for system in [System::WinsockOld, System::Bsd] {
            run(Plan::of(life).on(system).peer_first(100), |run| {
                assert_eq!(run.outcome(), Outcome::NotConnected);
                assert_eq!(run.sim.seen.reads, 0);
            });
        }
    }
}

// 2. SO_LINGER.

#[test]
fn linger_is_off_before_the_half_close() {
    for system in System::ALL {
        let plan = good_peer().on(system).linger();
        run(plan, |run| {
            assert!(!run.sim.linger && run.sim.seen.half_closes == 1)
        });
    }
}

#[test]
fn linger_is_off_also_where_it_is_given_up_before_the_first_step() {
    let plan = Plan::new().linger().give_up_after(0);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Evicted);
        assert!(!run.sim.linger && run.sim.fin_out);
    });
}

#[test]
fn linger_is_off_before_a_dead_connection_is_closed() {
    let plan = Plan::new().linger().before(Act::Reset);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert!(!run.sim.linger);
    });
}

// 3. The peer first.

#[test]
fn the_peer_is_given_the_time_to_close_first() {
    let plan = Plan::new()
        .before(Act::AckAll)
        .at(30, Act::Fin)
        .peer_first(100);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert!(run.sim.peer_first, "TIME_WAIT would be ours");
        assert_eq!(run.ended_ms(), 30);
    });
}

#[test]
fn when_the_peer_does_not_close_first_we_do() {
    run(good_peer().peer_first(100), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(
            run.sim.half_closed_at,
            Some(super::script::START + 100 * MS)
        );
        assert_eq!(run.ended_ms(), 101);
    });
}

#[test]
fn bytes_do_not_prolong_the_time_to_close_first() {
    let drip = Act::Drip(1, 100, 10 * MS);
    let plan = good_peer().before(drip).peer_first(95).idle(50);
    run(plan, |run| {
        assert_eq!(run.sim.half_closed_at, Some(super::script::START + 95 * MS));
    });
}

#[test]
fn a_fin_that_is_here_already_needs_no_waiting() {
    let plan = Plan::new()
        .before(Act::Fin)
        .before(Act::AckAll)
        .peer_first(1000);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!((run.ended_ms(), run.waits.len()), (0, 0));
    });
}

#[test]
fn the_time_to_close_first_is_part_of_the_whole() {
    run(Plan::new().peer_first(9000).timeout(200), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.ended_ms(), 200);
        assert_eq!(run.sim.seen.half_closes, 1);
    });
}

#[test]
fn a_reader_who_stops_before_the_half_close_gets_it_all_the_same() {
    for (fallback, half_closes) in [
        (Fallback::Close, 1),
        (Fallback::Keep, 1),
        (Fallback::Abort, 0),
    ] {
        let plan = Plan::new()
            .at(5, Act::Send(10))
            .peer_first(50)
            .reader_stops_at(1);
        run(plan.fallback(fallback), |run| {
            assert_eq!(run.outcome(), Outcome::Stopped);
            assert_eq!(run.sim.seen.half_closes, half_closes);
        });
    }
}

// 4. Half-close.

#[test]
fn dead_on_entry_with_an_error_is_reset_on_every_system() {
    for system in System::ALL {
        run(Plan::new().on(system).before(Act::Reset), |run| {
            assert_eq!(run.outcome(), Outcome::Reset, "{system:?}");
            assert_eq!(run.report.system_error, RESET.code);
            assert!(run.closed_gracefully());
        });
    }
}

#[test]
fn a_refused_half_close_does_not_hide_that_it_was_alive() {
    // The reset comes between the classification and the half-close.
    for system in [System::Linux, System::Winsock, System::Mac, System::Bsd] {
        let mut plan = Plan::new().on(system).call_cost(MS);
        plan = plan.at(2, Act::Reset);
        run(plan, |run| {
            assert!(run.sim.seen.half_close_refused);
            assert_eq!(run.outcome(), Outcome::Reset, "{system:?}");
        });
    }
}

#[test]
fn where_nothing_is_remembered_dead_is_not_connected() {
    let dead = || Plan::new().before(Act::Reset).before(Act::StealError);
    run(dead().on(System::Bsd), |run| {
        assert_eq!(run.outcome(), Outcome::NotConnected)
    });
    run(dead().on(System::Linux), |run| {
        assert_eq!(run.outcome(), Outcome::Reset)
    });
}

#[test]
fn a_half_close_refused_for_another_reason_hands_the_socket_back() {
    run(Plan::new().shutdown_fails(OTHER), |run| {
        assert_eq!(run.refusal(), Some(OTHER));
        assert_eq!(run.sim.handle, Handle::Open);
    });
}

#[test]
fn what_a_dead_connection_had_received_is_still_delivered() {
    let plan = Plan::new()
        .before(Act::Send(9000))
        .before(Act::Reset)
        .reader();
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert_eq!(run.delivered, 9000);
    });
}

#[test]
fn a_dead_connection_stays_dead_whatever_receiving_says() {
    let plan = Plan::new().before(Act::Reset).before(Act::StealError);
    for fault in [OTHER, super::script::NOT_CONNECTED] {
        run(plan.clone().receive_fails(fault), |run| {
            assert_eq!(run.outcome(), Outcome::Reset, "{fault:?}");
            assert_eq!(run.report.system_error, fault.code);
        });
    }
}

#[test]
fn the_network_giving_up_is_lost() {
    run(Plan::new().before(Act::Lost), |run| {
        assert_eq!(run.outcome(), Outcome::Lost)
    });
    run(Plan::new().at(9, Act::Lost), |run| {
        assert_eq!(run.outcome(), Outcome::Lost);
        assert_eq!(run.report.system_error, super::script::LOST.code);
    });
}

// 5. Drain.

#[test]
fn what_the_peer_still_sends_is_drained_until_its_fin() {
    let plan = good_peer()
        .before(Act::Send(100))
        .at(0, Act::Drip(10, 50, MS / 100));
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.report.drained_bytes, 600);
    });
}

#[test]
fn nobody_wants_the_data_so_the_system_throws_it_away() {
    let plan = || good_peer().before(Act::Send(10_000));
    run(plan(), |run| assert!(run.sim.seen.discarded_all()));
    run(plan().reader(), |run| {
        assert!(run.sim.seen.delivered_all() && run.delivered == 10_000)
    });
}

#[test]
fn one_pass_is_bounded() {
    let plan = good_peer().before(Act::Send(5 * PASS_BYTES));
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert!(run.steps >= 6, "all in {} steps", run.steps);
    });
}

#[test]
fn a_flood_holds_nobody_past_the_deadline() {
    for peer_first in [0, 20] {
        let plan = Plan::new()
            .before(Act::Flood)
            .timeout(50)
            .peer_first(peer_first);
        run(plan.call_cost(MS / 10), |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            assert_eq!(run.ended_ms(), 50);
        });
    }
}

#[test]
fn wake_ups_become_rare_only_in_bulk_without_a_reader_or_a_limit() {
    let plan = || good_peer().before(Act::Send(3 << 20));
    run(plan().bulk(), |run| assert_eq!(run.sim.seen.low_waters, 1));
    run(plan(), |run| assert_eq!(run.sim.seen.low_waters, 0));
    run(plan().bulk().reader(), |run| {
        assert_eq!(run.sim.seen.low_waters, 0)
    });
    run(plan().bulk().limit(4 << 20), |run| {
        assert_eq!(run.sim.seen.low_waters, 0)
    });
    run(good_peer().before(Act::Send(9000)).bulk(), |run| {
        assert_eq!(run.sim.seen.low_waters, 0);
    });
}

#[test]
fn one_that_lives_on_with_another_holder_has_its_low_water_mark_back() {
    let plan = Plan::new().bulk().before(Act::Send(3 << 20)).timeout(20);
    for fallback in [Fallback::Close, Fallback::Keep, Fallback::Background] {
        run(plan.clone().fallback(fallback), |run| {
            assert_eq!(run.sim.seen.low_waters, 2, "{fallback:?}");
            assert!(!run.sim.seen.low_water);
        });
    }
}

#[test]
fn a_kept_socket_has_its_low_water_mark_back() {
    let plan = Plan::new().before(Act::Send(3 << 20)).bulk().timeout(5);
    run(plan.fallback(Fallback::Keep), |run| {
        assert_eq!(run.sim.handle, Handle::Open);
        assert_eq!(run.sim.seen.low_waters, 2);
        assert!(!run.sim.seen.low_water);
    });
}

// 6. Confirm.

#[test]
fn exactly_one_wake_up_from_last_ack_to_close() {
    let plan = Plan::new().unsent(50_000).before(Act::Fin);
    run(plan.after_fin(700, Act::AckAll), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.ended_ms(), 700);
        // The first wait registers, the second is the one.
        assert_eq!((run.waits.len(), run.steps), (2, 3));
        assert!(run
            .waits
            .iter()
            .all(|(_, wait)| wait.watch == Watch::Change));
    });
}

#[test]
fn exactly_one_wake_up_from_closing_to_time_wait() {
    let plan = Plan::new().unsent(50).after_fin(100, Act::Fin);
    run(plan.after_fin(300, Act::AckAll), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.ended_ms(), 300);
        assert_eq!(run.waits.len(), 3, "readable, registration, change");
    });
}
