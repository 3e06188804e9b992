//! The traps that other closers fell into, each as one case.

use super::drive::run;
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, Life, Question, System, MS, RESET};
use super::sim::{Handle, Sim, SimClock};
use crate::clock::Clock;
use crate::connection::Watch;
use crate::machine::state::Phase;
use crate::machine::waiting::MOST_DRY_LOOKS;
use crate::machine::{Brief, End, Machine, Next};
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;

/// Closing with unread data, or before late data, makes the kernel answer with
/// a reset that takes the tail of our own answer along.
#[test]
fn neither_unread_nor_late_data_is_there_at_the_close() {
    let plan = Plan::new()
        .unsent(2_807_808)
        .before(Act::Send(3))
        .at(40, Act::Send(4));
    run(plan.at(60, Act::AckAll).at(70, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!((run.sim.queue, run.report.drained_bytes), (0, 7));
    });
}

/// A TLS peer answers our close with its close_notify: unread data, too.
#[test]
fn a_farewell_from_the_peer_is_drained_before_its_fin() {
    let plan = Plan::new().before(Act::AckAll).after_fin(5, Act::Send(31));
    run(plan.after_fin(5, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.report.drained_bytes, 31);
    });
}

/// A timer that starts at the close cuts long answers off.
#[test]
fn a_long_answer_to_a_slow_peer_is_not_truncated() {
    let mut plan = Plan::new().unsent(1_000_000).idle(200).timeout(INFINITE);
    for tick in 1..=100 {
        plan = plan.at(tick * 150, Act::Ack(10_000));
    }
    run(plan.at(15_050, Act::AckAll).at(15_100, Act::Fin), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
    });
}

/// Peers that wait for our end of stream would wait the whole delay.
#[test]
fn the_half_close_comes_before_any_waiting() {
    run(good_peer().before(Act::Send(10)), |run| {
        assert_eq!(run.sim.half_closed_at, Some(super::script::START));
        assert_eq!(run.ended_ms(), 1);
    });
}

/// Reading until nothing is there never ends with a fast sender.
#[test]
fn a_fast_sender_gets_one_pass_at_a_time() {
    let plan = Plan::new()
        .before(Act::Flood)
        .timeout(100)
        .call_cost(MS / 4);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert!(run.steps > 50, "others wait for {} steps", run.steps);
    });
}

/// A socket whose stream has ended is readable for ever.
#[test]
fn an_ended_stream_is_never_waited_on_for_reading() {
    let plan = Plan::new().unsent(10).before(Act::Fin).timeout(400);
    for plan in [plan.clone(), plan.recheck()] {
        run(plan, |run| {
            assert!(run
                .waits
                .iter()
                .all(|(_, wait)| wait.watch == Watch::Change));
            assert!(run.steps < 25, "{} steps", run.steps);
        });
    }
}

/// shutdown() cancels a connect, and stops nothing on a listener.
#[test]
fn connecting_and_listening_sockets_are_not_shut_down() {
    for life in [Life::Connecting, Life::Listening] {
        for fallback in [Fallback::Close, Fallback::Abort, Fallback::Keep] {
            for give_up in [None, Some(0)] {
                let mut plan = Plan::of(life).fallback(fallback);
                plan.give_up_after = give_up;
                run(plan, |run| assert_eq!(run.outcome(), Outcome::NotConnected));
            }
        }
    }
}

/// The program has half-closed itself.
#[test]
fn a_second_half_close_does_no_harm() {
    let plan = Plan::new()
        .unsent(10)
        .before(Act::ShutWrite)
        .at(5, Act::AckAll)
        .at(9, Act::Fin);
    run(plan, |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::Graceful, 9));
    });
}

/// macOS and the BSDs say ENOTCONN when the peer has gone.
#[test]
fn a_peer_that_has_gone_is_reset_by_its_error() {
    for system in [System::Mac, System::Bsd] {
        let plan = Plan::new().on(system).before(Act::Fin).before(Act::Reset);
        run(plan, |run| assert_eq!(run.outcome(), Outcome::Reset));
    }
}

/// FreeBSD's close() may report the reset; the descriptor is gone all the same.
#[test]
fn a_complaint_of_close_is_noted_and_nothing_repeated() {
    for fallback in [Fallback::Close, Fallback::Abort] {
        let plan = Plan::new().on(System::Bsd).timeout(5).close_complains();
        run(plan.fallback(fallback), |run| {
            assert_eq!(run.outcome(), Outcome::TimedOut);
            assert_ne!(run.report.system_error, 0);
            assert!(run.report.closed);
        });
    }
}

/// A half-closed socket that is still open has no time-out in the kernel.
#[test]
fn a_peer_that_never_closes_is_left_at_the_deadline() {
    run(Plan::new().before(Act::AckAll).timeout(700), |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::TimedOut, 700));
        assert_eq!(run.report.unacked_bytes, Some(0));
    });
}

/// With its window at zero nothing moves, though every probe is answered.
#[test]
fn a_peer_that_does_not_read_is_idle() {
    let plan = Plan::new().unsent(2_800_000).idle(300).timeout(INFINITE);
    run(plan.fallback(Fallback::Abort), |run| {
        assert_eq!((run.outcome(), run.ended_ms()), (Outcome::TimedOut, 300));
        assert_eq!(run.report.unacked_bytes, Some(2_800_000));
        assert_eq!(run.sim.handle, Handle::Aborted);
    });
}

/// SIOCOUTQ counts the FIN.
#[test]
fn the_fin_is_not_counted_as_data() {
    run(Plan::new().unsent(77).timeout(5), |run| {
        assert_eq!(run.report.unacked_bytes, Some(77));
    });
    // Not sent yet, it must not be taken off.
    let stopped = Plan::new().unsent(77).before(Act::Send(1)).peer_first(50);
    run(
        stopped.reader_stops_at(1).fallback(Fallback::Abort),
        |run| {
            assert_eq!(run.report.unacked_bytes, Some(77));
        },
    );
}

/// A peer that closes without having read all answers our data with a reset.
#[test]
fn a_peer_that_closed_unread_is_reset_even_with_all_acknowledged() {
    let plan = Plan::new()
        .unsent(100)
        .after_fin(3, Act::AckAll)
        .after_fin(9, Act::Reset);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Reset);
        assert_eq!(run.report.unacked_bytes, Some(0));
        assert!(!run.report.peer_closed);
    });
}

/// A reset wipes the receive queue of Winsock, and leaves that of Linux.
#[test]
fn what_had_arrived_before_a_reset_is_read_where_it_survives() {
    for (system, bytes) in [(System::Linux, 1000), (System::Winsock, 0)] {
        let plan = Plan::new()
            .on(system)
            .at(1, Act::Send(1000))
            .at(1, Act::Reset);
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Reset);
            assert_eq!(run.report.drained_bytes, bytes);
        });
    }
}

/// Unread data at the close of an AF_UNIX socket resets its peer as well.
#[test]
fn unix_sockets_are_drained_too() {
    let plan = Plan::new()
        .on(System::Local)
        .at(3, Act::Send(5000))
        .at(4, Act::Fin)
        .reader();
    run(plan, |run| {
        assert_eq!((run.outcome(), run.delivered), (Outcome::Graceful, 5000));
    });
}

/// Reading does not tell the program's own SHUT_RDWR from the peer's end; the kernel's list of
/// sockets does, if it may be asked.
#[test]
fn a_unix_socket_that_was_shut_both_ways_before_is_no_end_of_the_peers() {
    let shut = |has_diag: bool| {
        let mut plan = Plan::new().on(System::Local);
        plan = plan.before(Act::ShutRead).before(Act::ShutWrite);
        plan.setup.has_diag = has_diag;
        plan.timeout(100)
    };
    for plan in [shut(true), shut(true).recheck()] {
        run(plan.clone(), |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert_eq!(run.report.elapsed.as_millis(), 100);
            assert!(!run.report.peer_closed);
        });
        run(plan.at(50, Act::Fin), |run| {
            assert_eq!(run.outcome(), Outcome::Graceful)
        });
    }
    for plan in [shut(false), shut(false).before(Act::Fin)] {
        run(plan, |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert!(run.waits.is_empty(), "it will not be told later, either");
        });
    }
    let plan = Plan::new().on(System::Local).before(Act::Fin);
    run(plan, |run| assert_eq!(run.outcome(), Outcome::Graceful));
}

/// Nobody knows whether its peer lives: what it sent is not cut off while there is time.
#[test]
fn a_unix_socket_whose_end_nobody_knows_is_not_reset_before_its_time() {
    for (timeout, handle) in [
        (100, Handle::Closed { graceful: false }),
        (0, Handle::Aborted),
    ] {
        let mut plan = Plan::new().on(System::Local).timeout(timeout);
        plan = plan.before(Act::ShutRead).before(Act::ShutWrite);
        plan.setup.has_diag = false;
        run(plan.fallback(Fallback::Abort), |run| {
            assert_eq!(run.outcome(), Outcome::Uncertain);
            assert_eq!(run.sim.handle, handle, "{timeout} ms");
        });
    }
}

/// The end that the kernel told of was the reset, not a FIN, if both directions had been shut before.
#[test]
fn a_unix_socket_that_was_shut_both_ways_and_is_reset_has_seen_no_fin() {
    for was_shut in [false, true] {
        let plan = Plan::new().on(System::Local);
        let clock = SimClock::new();
        let mut sim = Sim::new(&plan.setup, &clock);
        (sim.seen.classified, sim.seen.half_closes) = (true, 1);
        sim.error = Some(RESET);
        let mut machine = Machine::new(&plan.options, clock.now());
        machine.phase = Phase::Confirm;
        (machine.seen.half_closed, machine.seen.was_shut) = (true, was_shut);
        machine.step(&mut sim, &clock, &mut None);
        assert_eq!(machine.end(), Some(End::Outcome(Outcome::Reset)));
        let report = machine.report(Outcome::Reset, clock.now());
        assert_eq!(report.peer_closed, !was_shut);
    }
}

/// That it has ended is told between the zero read and the question for the error.
#[test]
fn nor_has_one_that_is_reset_between_any_two_calls() {
    let all_refused = [None, Some(Question::PendingError)];
    for (peer_first, at) in (0..30).flat_map(|at| [(0, at), (4, at), (50, at)]) {
        for refused in all_refused {
            let mut plan = Plan::new().on(System::Local).timeout(25).recheck();
            plan = plan.before(Act::ShutRead).before(Act::ShutWrite);
            plan = plan.peer_first(peer_first).at(at, Act::Reset);
            if let Some(question) = refused {
                plan = plan.refuses(question, 0, u32::MAX);
            }
            run(plan.call_cost(MS), |run| {
                let case = format!("{peer_first} {at} {refused:?}");
                assert!(!run.report.peer_closed, "{case}");
                assert_ne!(run.outcome(), Outcome::Graceful, "{case}");
            });
        }
    }
}

/// The short way of a hand-over does not ask what the socket is before it half-closes.
#[test]
fn a_connect_that_a_half_close_has_cancelled_was_none() {
    let plan = Plan::of(Life::Fresh);
    // What receiving says of it, as of any that is not connected, or of one that was reset.
    for error in [None, Some(RESET)] {
        let clock = SimClock::new();
        let mut sim = Sim::new(&plan.setup, &clock);
        sim.error = error;
        (sim.seen.classified, sim.seen.half_closes) = (true, 1);
        let mut machine = Brief::half_closed(5000, clock.now()).machine();
        assert_eq!(machine.step(&mut sim, &clock, &mut None), Next::Ended);
        assert_eq!(machine.end(), Some(End::Outcome(Outcome::NotConnected)));
        let report = machine.report(Outcome::NotConnected, clock.now());
        assert_eq!(report.system_error, 0);
    }
}

/// Somebody else reads from the same connection.
#[test]
fn stolen_data_is_neither_counted_nor_missed() {
    let plan = good_peer().before(Act::Send(100)).before(Act::Steal(60));
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert_eq!(run.report.drained_bytes, 40);
    });
}

/// Ended by its fallback, half-closed, whenever it is given up.
#[test]
fn giving_up_ends_a_pending_one_once_by_its_fallback() {
    for steps in 0..4 {
        for (fallback, handle) in [
            (Fallback::Close, Handle::Closed { graceful: false }),
            (Fallback::Abort, Handle::Aborted),
            (Fallback::Keep, Handle::Open),
        ] {
            let plan = Plan::new()
                .peer_first(100)
                .before(Act::Drip(1, 9, MS))
                .linger();
            run(plan.fallback(fallback).give_up_after(steps), |run| {
                assert_eq!((run.outcome(), run.sim.handle), (Outcome::Evicted, handle));
                let half_closed = fallback != Fallback::Abort;
                assert_eq!(run.sim.fin_out, half_closed);
            });
        }
    }
}

#[test]
fn giving_up_before_the_first_step_refuses_what_is_no_socket() {
    run(Plan::of(Life::NotASocket).give_up_after(0), |run| {
        assert!(run.refusal().is_some());
    });
}

/// A socket that is called readable, and has nothing: the thread would spin, and the others wait.
#[test]
fn what_is_readable_and_has_nothing_is_not_waited_for_as_readable() {
    for plan in [Plan::new(), Plan::new().peer_first(500)] {
        is_not_waited_for_as_readable(&plan.timeout(1000));
    }
}

fn is_not_waited_for_as_readable(plan: &Plan) {
    let clock = SimClock::new();
    let mut sim = Sim::new(&plan.setup, &clock);
    sim.seen.may_read_first = plan.options.peer_first_ms > 0;
    let mut machine = Machine::new(&plan.options, clock.now());
    let mut watched = Vec::new();
    for _ in 0..=MOST_DRY_LOOKS {
        match machine.step(&mut sim, &clock, &mut None) {
            Next::Wait(wait) => watched.push(wait.watch),
            next => panic!("{next:?}"),
        }
    }
    let (last, first) = watched.split_last().unwrap();
    assert!(first.iter().all(|watch| *watch == Watch::Readable));
    assert_eq!(*last, Watch::Change);
    // In the next millisecond it is an event like any other.
    clock.pass(MS);
    let next = machine.step(&mut sim, &clock, &mut None);
    assert!(matches!(next, Next::Wait(wait) if wait.watch == Watch::Readable));
}
