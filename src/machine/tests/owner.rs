//! GC_UNTIL_ACKED and GC_KEEP_OPEN: over without the peer's FIN, and without a close.

use super::drive::run;
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, Life, System, When, MS};
use super::sim::Handle;
use crate::connection::Sharing;
use crate::options::Fallback;
use crate::outcome::Outcome;

/// It acknowledges all of ours after so long, and never closes.
fn peer_that_stays(acks_after: u64) -> Plan {
    Plan::new()
        .unsent(5000)
        .after_fin(acks_after, Act::AckAll)
        .until_acked()
}

#[test]
fn with_everything_acknowledged_the_peers_fin_is_not_waited_for() {
    for system in [
        System::Linux,
        System::LinuxOld,
        System::Winsock,
        System::Mac,
    ] {
        for plan in [peer_that_stays(30), peer_that_stays(30).recheck()] {
            run(plan.on(system), |run| {
                assert_eq!(run.outcome(), Outcome::Delivered, "{system:?}");
                assert_eq!(run.report.unacked_bytes, Some(0));
                assert!(run.report.closed && !run.report.peer_closed);
                let waited = run.report.elapsed.as_millis();
                assert!((30..90).contains(&waited), "{waited} ms");
            });
        }
    }
}

#[test]
fn without_the_last_acknowledgement_nothing_is_called_delivered() {
    let plan = Plan::new().unsent(10).after_fin(1, Act::Ack(10));
    run(plan.until_acked(), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut)
    });
}

#[test]
fn a_fin_that_is_there_first_is_graceful() {
    run(good_peer().before(Act::Fin).until_acked(), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful)
    });
}

#[test]
fn where_nothing_tells_of_acknowledgements_the_fin_is_waited_for() {
    for system in [System::WinsockOld, System::Bsd, System::Local] {
        run(good_peer().on(system).until_acked(), |run| {
            assert_eq!(run.outcome(), Outcome::Graceful)
        });
        run(peer_that_stays(1).on(system), |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut)
        });
    }
}

#[test]
fn what_is_there_is_drained_before_and_a_flood_holds_nobody() {
    run(peer_that_stays(0).before(Act::Send(9000)), |run| {
        assert_eq!(run.outcome(), Outcome::Delivered);
        assert_eq!(run.report.drained_bytes, 9000);
    });
    run(peer_that_stays(0).before(Act::Flood), |run| {
        assert_eq!(run.outcome(), Outcome::Delivered)
    });
}

#[test]
fn what_comes_along_with_the_acknowledgement_is_read() {
    for offset in 0..30 {
        let mut plan = Plan::new().unsent(10).until_acked().call_cost(MS / 2);
        for act in [Act::AckAll, Act::Send(500)] {
            plan.setup
                .script
                .push((When::AfterFin(offset * MS / 8), act));
        }
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Delivered);
            assert_eq!(run.sim.queue, 0, "unread at the close");
            assert_eq!(run.report.drained_bytes, 500);
        });
    }
}

#[test]
fn a_receiving_side_shut_before_does_not_hide_the_acknowledgements() {
    run(
        peer_that_stays(9).before(Act::ShutRead).on(System::Linux),
        |run| assert_eq!(run.outcome(), Outcome::Delivered),
    );
}

#[test]
fn kept_open_the_descriptor_is_its_owners_on_every_outcome() {
    let plans = [
        (Outcome::Graceful, good_peer()),
        (Outcome::Delivered, peer_that_stays(1)),
        (Outcome::TimedOut, Plan::new().timeout(10)),
        (Outcome::Reset, Plan::new().at(1, Act::Reset)),
        (Outcome::Lost, Plan::new().at(1, Act::Lost)),
        (Outcome::NotConnected, Plan::of(Life::Listening)),
        (Outcome::NotConnected, Plan::of(Life::Datagram)),
        (Outcome::Released, Plan::new().sharing(Sharing::Shared)),
        (Outcome::Evicted, Plan::new().give_up_after(1)),
    ];
    for (outcome, plan) in plans {
        run(plan.linger().keep_open(), |run| {
            assert_eq!((run.outcome(), run.sim.handle), (outcome, Handle::Open));
            assert!(!run.report.closed);
        });
    }
}

#[test]
fn kept_open_an_abort_resets_and_leaves_the_descriptor() {
    let plan = Plan::new().timeout(10).fallback(Fallback::Abort);
    run(plan.on(System::Linux).keep_open(), |run| {
        assert_eq!(run.sim.handle, Handle::Reset);
        assert!(!run.report.closed);
    });
}

/// More than one pass takes, left unread, would make a reset of the close.
#[test]
fn what_is_there_is_read_in_full_before_it_is_called_delivered() {
    let plan = Plan::new().until_acked().before(Act::AckAll);
    for bytes in [2 << 20, 5 << 20] {
        run(plan.clone().before(Act::Send(bytes)), |run| {
            assert_eq!(run.outcome(), Outcome::Delivered);
            assert_eq!(run.report.drained_bytes, bytes);
        });
    }
}

/// Winsock reads nothing any more then; the state tells.
#[test]
fn with_the_receiving_side_shut_the_state_tells_what_is_delivered() {
    for system in [System::Winsock, System::Linux] {
        let plan = Plan::new().on(system).before(Act::ShutRead).until_acked();
        run(plan.before(Act::AckAll), |run| {
            assert_eq!(run.outcome(), Outcome::Delivered, "{system:?}");
            assert_eq!(run.ended_ms(), 0);
        });
    }
}
