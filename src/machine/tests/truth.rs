//! Contract 4.3 to 4.5: what is claimed is true, false ends are told apart,
//! what others share is left to them.

use super::drive::run;
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, Question, System, LOST, MS, NOT_A_SOCKET, NOT_CONNECTED, OTHER, RESET};
use super::sim::Handle;
use crate::connection::{Sharing, Watch};
use crate::machine::End;
use crate::outcome::Outcome;

// 4.3: graceful only as defined.

#[test]
fn a_good_peer_makes_it_graceful_on_every_system() {
    for system in System::ALL {
        for peer_first in [0, 50] {
            let plan = good_peer().on(system).unsent(10_000).before(Act::Send(10));
            run(plan.peer_first(peer_first), |run| {
                assert_eq!(run.outcome(), Outcome::Graceful, "{system:?}");
                let known = system.is_linux_tcp().then_some(0);
                // Winsock tells it by the state, if TIME_WAIT is ours.
                let known = known.or(run.sim.seen.proof.then_some(0));
                assert_eq!(run.report.unacked_bytes, known);
                assert_eq!(
                    (run.report.drained_bytes, run.report.peer_closed),
                    (10, true)
                );
            });
        }
    }
}

#[test]
fn a_fin_acknowledges_nothing() {
    let plan = Plan::new().unsent(5000).before(Act::Fin).timeout(100);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.report.unacked_bytes, Some(5000));
        assert!(run.report.peer_closed);
    });
}

#[test]
fn data_acknowledged_without_our_fin_is_not_enough() {
    let plan = Plan::new()
        .unsent(5000)
        .before(Act::Fin)
        .after_fin(5, Act::Ack(5000));
    run(plan.timeout(100), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.report.unacked_bytes, Some(0), "the FIN is no data");
    });
}

#[test]
fn where_only_the_state_tells_our_fin_is_waited_for_by_it() {
    for system in [System::Winsock, System::Mac] {
        let plan = Plan::new().on(system).unsent(10).before(Act::Fin);
        run(plan.after_fin(80, Act::AckAll), |run| {
            assert_eq!(run.outcome(), Outcome::Graceful);
            assert!((80..=130).contains(&run.ended_ms()), "{system:?}");
            assert_eq!(run.report.unacked_bytes, None);
        });
    }
}

#[test]
fn where_nothing_tells_the_fin_counts() {
    let plan = Plan::new()
        .on(System::WinsockOld)
        .unsent(10)
        .after_fin(80, Act::Fin);
    run(plan, |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Graceful, 80));
        assert_eq!(run.report.unacked_bytes, None);
    });
}

#[test]
fn the_last_acknowledgement_may_come_between_two_looks() {
    // In flight at one look, closed at the next: no reset.
    for ack in 0..12 {
        let plan = Plan::new()
            .unsent(9)
            .before(Act::Fin)
            .call_cost(MS)
            .at(ack, Act::AckAll);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Graceful, "at {ack}")
        });
    }
}

#[test]
fn a_reset_after_the_fin_is_not_graceful() {
    for system in [
        System::Linux,
        System::LinuxOld,
        System::Winsock,
        System::Mac,
    ] {
        let plan = Plan::new().on(system).unsent(700).before(Act::Fin);
        run(plan.after_fin(20, Act::Reset), |run| {
            assert_eq!(run.outcome(), Outcome::Reset, "{system:?}");
            assert_eq!(run.report.system_error, RESET.code);
            assert!(run.report.peer_closed);
        });
    }
}

#[test]
fn a_fin_seen_before_the_death_is_reported() {
    run(Plan::new().before(Act::Fin).before(Act::Reset), |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert!(run.report.peer_closed);
    });
}

#[test]
fn an_end_in_peace_before_the_close_is_graceful() {
    let ended = || {
        let plan = Plan::new().before(Act::AckAll).before(Act::Send(40));
        plan.before(Act::ShutWrite).before(Act::Fin)
    };
    run(ended(), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(
            (run.report.drained_bytes, run.report.unacked_bytes),
            (40, Some(0))
        );
    });
    // Without a memory of it, it was dead on entry.
    run(ended().on(System::LinuxOld), |run| {
        assert_eq!(run.outcome(), Outcome::Reset)
    });
    run(ended().on(System::Mac), |run| {
        assert_eq!(run.outcome(), Outcome::NotConnected)
    });
}

#[test]
fn exactly_the_limit_is_fine_and_one_more_is_not() {
    for reader in [false, true] {
        let plan = |bytes| {
            let plan = good_peer().before(Act::Send(bytes)).limit(5000);
            if reader {
                plan.reader()
            } else {
                plan
            }
        };
        run(plan(5000), |run| {
            assert_eq!(run.outcome(), Outcome::Graceful)
        });
        run(plan(5001), |run| {
            assert_eq!(run.outcome(), Outcome::DrainLimit);
            assert_eq!(run.report.drained_bytes, 5001);
        });
        run(plan(90_000), |run| {
            assert_eq!(run.report.drained_bytes, 5001)
        });
    }
}

#[test]
fn the_limit_counts_what_came_before_the_half_close() {
    let plan = Plan::new()
        .before(Act::Send(60))
        .at(20, Act::Send(60))
        .limit(100);
    run(plan.peer_first(10), |run| {
        assert_eq!(run.outcome(), Outcome::DrainLimit);
        assert_eq!(run.report.drained_bytes, 101);
    });
}

#[test]
fn what_the_reader_refuses_is_counted_as_delivered() {
    let plan = Plan::new().before(Act::Send(9000)).reader_stops_at(4097);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Stopped);
        assert_eq!((run.delivered, run.report.drained_bytes), (8192, 8192));
    });
}

// 4.4: false ends.

#[test]
fn shut_rd_earlier_is_uncertain_not_graceful() {
    for driver in [Plan::new(), Plan::new().recheck()] {
        let plan = driver
            .before(Act::AckAll)
            .before(Act::ShutRead)
            .timeout(200);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert_eq!(run.ended_ms(), 200);
            assert!(!run.report.peer_closed);
            assert!(run
                .waits
                .iter()
                .all(|(_, wait)| wait.watch == Watch::Change));
        });
    }
}

#[test]
fn shut_rd_earlier_is_graceful_once_the_state_says_so() {
    for system in [System::Linux, System::Mac] {
        let plan = good_peer().on(system).before(Act::ShutRead).peer_first(5);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Graceful, "{system:?}")
        });
    }
}

#[test]
fn a_doubt_that_was_resolved_is_forgotten() {
    let plan = Plan::new()
        .unsent(10)
        .before(Act::ShutRead)
        .at(20, Act::Fin);
    run(plan.timeout(100), |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert!(run.report.peer_closed);
    });
}

#[test]
fn data_after_shut_rd_resets_and_is_told() {
    let plan = Plan::new().before(Act::AckAll).before(Act::ShutRead);
    run(plan.after_fin(10, Act::Send(1)), |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
    });
}

#[test]
fn a_reset_between_the_end_and_the_state_is_not_graceful() {
    for reset in 0..12 {
        let plan = Plan::new()
            .before(Act::AckAll)
            .before(Act::ShutRead)
            .call_cost(MS);
        run(plan.at(reset, Act::Reset).timeout(100), |run| {
            assert_eq!(run.outcome(), Outcome::Reset, "at {reset}");
        });
    }
}

#[test]
fn deaf_is_graceful_once_the_state_says_so() {
    let plan = good_peer().on(System::Winsock).before(Act::ShutRead);
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Graceful));
}

#[test]
fn deaf_is_waited_out_and_uncertain() {
    let plan = Plan::new().on(System::Winsock).before(Act::ShutRead);
    run(plan.timeout(200), |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Uncertain, 200));
        assert_eq!(run.sim.seen.half_closes, 1);
        assert!(run.steps < 20);
    });
}

#[test]
fn deaf_and_reset_is_told() {
    for system in [System::Winsock, System::WinsockOld] {
        let plan = Plan::new().on(system).before(Act::ShutRead);
        let plan = plan.before(Act::Reset);
        run(plan, |run| assert_eq!(run.outcome(), Outcome::Reset));
    }
    let plan = Plan::new().on(System::Winsock).before(Act::ShutRead);
    run(plan.at(20, Act::Send(1)), |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
    });
}

/// No read has told of a FIN, and no state: what is gone may have been reset.
#[test]
fn deaf_and_gone_is_no_end_in_peace() {
    let plan = Plan::new().on(System::Winsock).before(Act::ShutRead);
    let plan = plan.before(Act::AckAll).at(20, Act::Reset);
    run(plan.at(20, Act::StealError), |run| {
        assert_eq!(run.outcome(), Outcome::Uncertain);
    });
}

#[test]
fn deaf_without_a_state_is_uncertain_once_an_end_is_signalled() {
    let plan = Plan::new().on(System::WinsockOld).before(Act::ShutRead);
    run(plan, |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Uncertain, 0));
        assert!(!run.report.peer_closed);
    });
}

/// SIO_TCP_INFO has no answer for what is gone: that is none of "this system cannot tell".
#[test]
fn a_state_that_is_told_no_longer_is_no_acknowledgement() {
    for reset in 0..60 {
        let plan = Plan::new().on(System::Winsock).unsent(700).call_cost(MS);
        let plan = plan.before(Act::Fin).at(reset, Act::Reset);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Reset, "at {reset}");
        });
    }
}

/// What AcceptEx has connected may refuse the half-close, and lives.
#[test]
fn what_lives_and_refuses_the_half_close_is_not_reset() {
    let plan = Plan::new().on(System::Winsock).unsent(700);
    for plan in [plan.clone(), plan.before(Act::Fin)] {
        run(plan.shutdown_fails(NOT_CONNECTED), |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert_eq!(run.sim.handle, Handle::Closed { graceful: false });
        });
    }
}

#[test]
fn reset_consumed_by_an_earlier_send_is_not_graceful() {
    for unsent in [0, 500] {
        let plan = Plan::new()
            .unsent(unsent)
            .before(Act::Reset)
            .before(Act::StealError);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Reset);
            assert_eq!(run.report.unacked_bytes, Some(unsent));
        });
    }
}

#[test]
fn reset_consumed_during_the_close_is_not_graceful() {
    let plan = Plan::new()
        .unsent(500)
        .at(10, Act::Reset)
        .at(10, Act::StealError);
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Reset));
}

#[test]
fn a_reset_that_another_thread_swallows_is_no_fin() {
    for at in 1..12 {
        let plan = Plan::new().before(Act::AckAll).after_fin(at, Act::Reset);
        run(plan.after_fin(at, Act::StealError), |run| {
            assert_eq!(run.outcome(), Outcome::Reset);
            assert!(!run.report.peer_closed);
        });
    }
}

/// A known gap: nothing on these systems remembers the FIN.
#[test]
fn where_nothing_remembers_the_fin_a_swallowed_reset_is_missed() {
    let plan = Plan::new().on(System::LinuxOld).before(Act::AckAll);
    let plan = plan.after_fin(9, Act::Reset).after_fin(9, Act::StealError);
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Graceful));
}

/// Our FIN was never sent: the peer's FIN alone is no end in peace.
#[test]
fn a_fin_and_a_swallowed_reset_before_the_close_are_not_graceful() {
    let plan = Plan::new().before(Act::AckAll).before(Act::Fin);
    let plan = plan.before(Act::Reset).before(Act::StealError);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert!(run.report.peer_closed);
    });
}

// Questions that the system refuses.

#[test]
fn a_refused_question_never_makes_it_graceful() {
    let ends = [
        // No FIN at all.
        Plan::new().before(Act::AckAll).before(Act::ShutRead),
        // A reset that nobody tells of.
        Plan::new()
            .before(Act::AckAll)
            .after_fin(9, Act::Reset)
            .after_fin(9, Act::StealError),
        // Never acknowledged.
        Plan::new().unsent(9).before(Act::Fin),
        Plan::new()
            .before(Act::AckAll)
            .before(Act::Fin)
            .before(Act::Reset)
            .before(Act::StealError),
    ];
    for plan in ends {
        for question in Question::ALL {
            for (first, times) in [(0, 1), (0, u32::MAX), (1, 1), (1, u32::MAX), (2, u32::MAX)] {
                let plan = plan.clone().refuses(question, first, times);
                for plan in [plan.clone(), plan.recheck()] {
                    run(plan.timeout(200), |run| {
                        assert_ne!(run.outcome(), Outcome::Graceful, "{question:?} {first}");
                    });
                }
            }
        }
    }
}

/// It is asked again, and no event is waited for.
#[test]
fn a_question_that_is_refused_once_costs_a_moment() {
    for question in Question::ALL {
        for first in 0..3 {
            for plan in [good_peer(), good_peer().unsent(10).before(Act::Fin)] {
                run(plan.refuses(question, first, 1), |run| {
                    assert_eq!(run.outcome(), Outcome::Graceful, "{question:?} {first}");
                    assert!(run.ended_ms() < 60, "after {} ms", run.ended_ms());
                });
            }
        }
    }
}

/// Found dead: the error that receiving meets is the cause.
#[test]
fn the_error_met_while_picking_up_is_told() {
    let plan = Plan::new().before(Act::Lost).before(Act::Send(7));
    run(plan.refuses(Question::PendingError, 0, 1), |run| {
        assert_eq!(run.outcome(), Outcome::Lost);
        assert_eq!(run.report.system_error, LOST.code);
    });
}

// What looks like an error, and is none.

#[test]
fn a_soft_error_is_not_the_end() {
    for fault in [LOST, OTHER, super::script::REFUSED] {
        for peer_first in [0, 30] {
            let plan = Plan::new()
                .unsent(5000)
                .at(10, Act::SoftError(fault))
                .at(40, Act::Send(70))
                .at(60, Act::AckAll)
                .at(80, Act::Fin);
            for plan in [plan.clone(), plan.recheck()] {
                run(plan.peer_first(peer_first), |run| {
                    assert_eq!(run.outcome(), Outcome::Graceful);
                    assert_eq!(run.report.system_error, fault.code, "the first error met");
                    assert_eq!(run.report.drained_bytes, 70);
                });
            }
        }
    }
}

#[test]
fn after_a_soft_error_the_real_one_decides() {
    let plan = Plan::new().at(10, Act::SoftError(OTHER));
    run(plan.clone().at(40, Act::Lost), |run| {
        assert_eq!(run.outcome(), Outcome::Lost)
    });
    run(plan.at(40, Act::Reset), |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert_eq!(run.report.system_error, OTHER.code);
    });
    let plan = Plan::new().at(10, Act::SoftError(LOST));
    run(plan.at(40, Act::Reset), |run| {
        assert_eq!(run.outcome(), Outcome::Reset)
    });
}

#[test]
fn the_first_error_is_the_one_reported() {
    let plan = Plan::new()
        .before(Act::Lost)
        .before(Act::Send(1))
        .close_complains();
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Lost);
        assert_eq!(run.report.system_error, LOST.code);
    });
}

#[test]
fn an_error_nobody_knows_is_waited_out_and_uncertain() {
    for system in System::ALL {
        let plan = Plan::new().on(system).receive_fails(OTHER).timeout(200);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert_eq!(run.report.system_error, OTHER.code);
            assert_eq!(run.sim.handle, Handle::Closed { graceful: false });
            // Where the state does not say that it lives, there is nothing to wait for.
            let waits = system.tells_state();
            assert_eq!(run.ended_ms(), if waits { 200 } else { 0 });
            assert!(run.steps < 20);
        });
    }
}

#[test]
fn a_descriptor_closed_by_another_thread_is_not_closed_again() {
    let closed = |plan: Plan| {
        run(plan.at(10, Act::CloseElsewhere), |run| {
            assert_eq!(run.refusal(), Some(NOT_A_SOCKET));
            assert_eq!(run.sim.handle, Handle::Gone);
        });
    };
    closed(Plan::new());
    closed(Plan::new().peer_first(100));
    // While our FIN is waited for.
    closed(Plan::new().unsent(9).before(Act::Fin).recheck());
    // Found dead, while the reader takes its time.
    let dead = Plan::new().before(Act::Send(9000)).before(Act::Reset);
    closed(dead.slow_reader(9 * MS));
    // The reader stops it at that very moment.
    let mut stopping = Plan::new().before(Act::Send(9000)).peer_first(100);
    stopping.reader = super::plan::Reader::Some {
        cost: 20 * MS,
        stop_at: 1,
    };
    closed(stopping);
}

// 4.5: sharing.

#[test]
fn a_shared_connection_is_only_let_go() {
    for system in System::ALL {
        let plan = Plan::new()
            .on(system)
            .linger()
            .before(Act::Send(10))
            .sharing(Sharing::Shared);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Released);
            assert!(run.closed_gracefully() && !run.sim.fin_out);
            assert_eq!(run.report.drained_bytes, 0);
        });
    }
}

#[test]
fn a_shared_connection_is_let_go_also_when_given_up_at_once() {
    for sharing in [Sharing::Shared, Sharing::Unknown(OTHER)] {
        run(Plan::new().sharing(sharing).give_up_after(0), |run| {
            assert_eq!(run.outcome(), Outcome::Released);
            assert!(!run.sim.fin_out);
        });
    }
}

/// Nothing that another holder would notice, and a plain close that neither blocks
/// nor resets in case there is none.
#[test]
fn what_may_be_shared_is_let_go_with_the_reason_and_without_so_linger() {
    for system in System::ALL {
        let plan = Plan::new()
            .on(system)
            .linger()
            .unsent(1000)
            .before(Act::Send(10))
            .sharing(Sharing::Unknown(OTHER));
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Released);
            assert!(run.closed_gracefully() && !run.sim.fin_out && !run.sim.linger);
            assert_eq!(run.report.system_error, OTHER.code);
            assert_eq!(run.report.drained_bytes, 0);
        });
    }
}

/// macOS takes no SO_LINGER once both directions are shut: then it is let go as it is.
#[test]
fn what_may_be_shared_is_let_go_where_so_linger_cannot_be_turned_off() {
    let plan = Plan::new().on(System::Mac).linger();
    let plan = plan.before(Act::ShutWrite).before(Act::Fin);
    run(plan.sharing(Sharing::Unknown(OTHER)), |run| {
        assert_eq!(run.outcome(), Outcome::Released);
        assert!(run.closed_gracefully() && run.sim.linger);
    });
}

/// The number is another one's meanwhile: not even its SO_LINGER is touched.
#[test]
fn what_turns_out_to_be_no_socket_while_looking_is_left_alone() {
    let plan = Plan::new().linger().sharing(Sharing::Alone);
    run(plan.call_cost(2 * MS).at(3, Act::CloseElsewhere), |run| {
        assert_eq!(run.end, End::Refused(NOT_A_SOCKET));
        assert!(run.sim.linger && run.sim.seen.looked_for_sharing);
    });
}

#[test]
fn sharing_is_not_looked_for_unasked() {
    let mut plan = good_peer();
    plan.setup.sharing = Sharing::Shared;
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert!(!run.sim.seen.looked_for_sharing);
    });
}
