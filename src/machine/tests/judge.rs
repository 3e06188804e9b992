//! Holds the end of a simulated close against what really happened.

use super::drive::{deadline, nanos, reader_cost, Run};
use super::plan::Reader;
use super::script::{Act, Life, System, When, LOST, MS, START};
use super::sim::{Handle, Sim};
use crate::connection::{Fault, Sharing};
use crate::machine::reading::PASS_BYTES;
use crate::machine::waiting::LAST_LOOK_BYTES;
use crate::machine::End;
use crate::options::{Fallback, IfShared, INFINITE};
use crate::outcome::Outcome;

pub(super) fn judge(run: &Run<'_>) {
    match run.end {
        End::Refused(fault) => judge_refusal(run, fault),
        // Another thread has closed the descriptor: only what happens during a
        // step can be missed. Giving up does not look.
        End::Outcome(_) if run.sim.handle == Handle::Gone => {
            let unseen = run.sim.gone_at >= run.step_began;
            assert!(
                unseen || run.given_up,
                "closed a number that is somebody else's"
            );
        }
        End::Outcome(outcome) => {
            judge_fate(run, outcome);
            let outcome = judge_continued(run, outcome);
            judge_truth(run, outcome);
            judge_must(run, outcome);
            judge_time(run, outcome);
            judge_counts(run, outcome);
        }
    }
}

/// What the background goes on with has run out of time; the background has what is not dead
/// and was not to be cut off. What it would have been without.
fn judge_continued(run: &Run<'_>, outcome: Outcome) -> Outcome {
    let options = &run.plan.options;
    let asked = options.fallback == Fallback::Background && !options.keep_open;
    match outcome {
        Outcome::Continued => {
            assert!(asked, "nobody asked for the background");
            assert!(!run.sim.seen.half_close_refused, "goes on without a FIN");
            match run.given_up {
                true => Outcome::Evicted,
                false if run.sim.seen.last_failed => Outcome::Uncertain,
                false => Outcome::TimedOut,
            }
        }
        Outcome::TimedOut | Outcome::Evicted if asked => {
            let may_go_on = run.sim.alive() && !run.sim.seen.half_close_refused;
            assert!(!may_go_on, "the background was to go on");
            outcome
        }
        outcome => outcome,
    }
}

/// Refused: nothing was done.
fn judge_refusal(run: &Run<'_>, fault: Fault) {
    assert!(!run.report.closed);
    if run.sim.setup.life == Life::NotASocket {
        assert_eq!(
            run.sim.seen.calls, 1,
            "more than one look at what is no socket"
        );
    } else if run.sim.handle == Handle::Open {
        assert_eq!(
            Some(fault),
            run.sim.setup.shutdown_fails,
            "refused without need"
        );
        assert_eq!(run.sim.seen.half_closes, 0, "half-closed, and refused");
    }
}

fn is_cut_short(outcome: Outcome) -> bool {
    use Outcome::{DrainLimit, Evicted, Stopped, TimedOut, Uncertain};
    matches!(
        outcome,
        DrainLimit | Evicted | Stopped | TimedOut | Uncertain
    )
}

/// Closed once, reset or handed back, as the fallback says.
fn judge_fate(run: &Run<'_>, outcome: Outcome) {
    let sim = &run.sim;
    // How far the peer has got, so that its silence can be told.
    let told = sim.setup.system.tells_backlog() && sim.seen.refusals == 0;
    let is_over = !sim.alive() || !sim.setup.system.tells_state();
    let at_once = sim.seen.other_failure && is_over;
    let idles = !at_once && (outcome == Outcome::TimedOut || outcome == Outcome::Uncertain);
    let deadline = nanos(deadline(run.plan));
    let is_early = idles && sim.clock.nanos() < deadline;
    // One look before the other, or only some of them answered.
    let is_close = sim.clock.nanos() < deadline.saturating_add(sim.setup.call_cost * 24);
    let unsure = sim.seen.refusals > 0 || sim.setup.call_cost > 0;
    let either = idles && is_close && unsure;
    // It was over in the last step alone, or the system refused to say so: silence again.
    let is_late = sim.seen.other_failure && !sim.alive() && unsure && is_close;
    let is_closed = match run.plan.options.keep_open {
        true => sim.handle == Handle::Open,
        false => sim.handle == Handle::Closed { graceful: false },
    };
    let either = either || (is_late && is_closed);
    // Given up by us alone.
    let goes_on = outcome == Outcome::Lost && sim.vanished_at.is_some() && sim.alive();
    let expected = match run.plan.options.fallback {
        _ if outcome == Outcome::Delivered => Handle::Closed { graceful: false },
        _ if outcome == Outcome::Continued => Handle::Open,
        _ if !is_cut_short(outcome) && !goes_on => Handle::Closed { graceful: true },
        Fallback::Close | Fallback::Background => Handle::Closed { graceful: false },
        Fallback::Abort if either && !told => sim.handle,
        // It was over before its state was first asked.
        Fallback::Abort if sim.seen.deaf && !sim.alive() => sim.handle,
        Fallback::Abort if is_early && !told => Handle::Closed { graceful: false },
        // Its end may have been none.
        Fallback::Abort if is_early && outcome == Outcome::Uncertain && is_unknowable(sim) => {
            Handle::Closed { graceful: false }
        }
        Fallback::Abort => Handle::Aborted,
        Fallback::Keep if goes_on => Handle::Closed { graceful: false },
        Fallback::Keep => Handle::Open,
    };
    let expected = match (run.plan.options.keep_open, expected) {
        (true, Handle::Aborted | Handle::Reset) => Handle::Reset,
        (true, _) => Handle::Open,
        (false, expected) => expected,
    };
    assert_eq!(sim.handle, expected, "the fallback after {outcome}");
    let is_open = matches!(expected, Handle::Open | Handle::Reset);
    let is_kept = is_open && outcome != Outcome::Continued;
    assert_eq!(run.report.closed, !is_kept, "whose it is");
    let refused = sim.setup.shutdown_fails.is_some();
    let is_reset = matches!(expected, Handle::Aborted | Handle::Reset);
    if !is_reset && run.plan.options.keep_open && outcome == Outcome::NotConnected {
        // Nothing to half-close, and nothing closed either.
    } else if !is_reset && outcome != Outcome::Released && !refused {
        assert!(sim.fin_out || !sim.alive(), "no half-close before the end");
    }
    if is_open {
        assert!(
            !sim.seen.low_water,
            "handed back with another low-water mark"
        );
    }
}

/// It happened before the last step began, so that the step had to see it.
fn seen_by(run: &Run<'_>, at: u64, happened: bool) -> bool {
    happened && at <= run.step_began
}

/// The outcome is what its definition says.
fn judge_truth(run: &Run<'_>, outcome: Outcome) {
    let sim = &run.sim;
    let seen = &sim.seen;
    let connected = sim.setup.life == Life::Connected;
    match outcome {
        Outcome::Graceful => judge_graceful(run),
        Outcome::TimedOut => {
            // Bytes came in until the time was up: no look at what is behind.
            let to_the_last = sim.read_at >= run.step_began;
            let unread = sim.queue > 0 || sim.flood || to_the_last;
            let over = sim.complete_at.is_some_and(|at| seen_by(run, at, true));
            let told = seen.refusals == 0;
            assert!(unread || !over || !told, "timed out after a graceful end");
            let doubt = seen.last_was_end && !sim.fin_in && sim.setup.system.tells_state();
            let continued = run.outcome() == Outcome::Continued;
            assert!(!doubt || continued, "timed out, and it was uncertain");
            let fin = seen_by(run, sim.fin_at, sim.fin_in);
            assert!(
                unread || !fin || !told || sim.setup.system.tells_state(),
                "timed out after the FIN"
            );
            let dead = seen_by(run, sim.died_at, sim.death.is_some());
            assert!(unread || !dead || !told, "timed out after the death");
        }
        Outcome::Reset => {
            let dead_on_entry = seen.half_closes == 0 && !sim.alive();
            let untold = seen.refusals > 0 && !sim.alive();
            assert!(
                sim.death.is_some() || dead_on_entry || untold,
                "a reset that never was"
            );
            assert!(
                sim.death != Some(LOST) || sim.error_stolen || seen.refusals > 0,
                "lost, not reset"
            );
        }
        Outcome::Lost if sim.vanished_at.is_some() && sim.alive() => {
            let silence = sim
                .clock
                .nanos()
                .saturating_sub(sim.vanished_at.unwrap_or(0));
            assert!(silence >= 100_000 * MS, "lost, and not silent for long");
        }
        Outcome::Lost if seen.refusals > 0 => assert!(!sim.alive(), "lost, and it lives"),
        Outcome::Lost => {
            // Another thread has taken the reset, and the network's error before it is all that
            // was told.
            let is_soft = |&(_, act): &(When, Act)| act == Act::SoftError(LOST);
            let is_misled = sim.error_stolen && sim.setup.script.iter().any(is_soft);
            let is_dead = if is_misled {
                !sim.alive()
            } else {
                sim.death == Some(LOST)
            };
            assert!(is_dead, "lost, and it was not: {:?}", sim.death);
        }
        Outcome::DrainLimit => {
            assert_eq!(
                seen.bytes,
                run.plan.options.max_drain_bytes + 1,
                "at the limit"
            );
            assert_ne!(run.plan.options.max_drain_bytes, 0, "no limit was set");
        }
        Outcome::Stopped => assert!(run.stopped, "the reader did not ask for it"),
        Outcome::NotConnected => {
            let forgotten = !sim.alive()
                && !sim.setup.system.is_linux_tcp()
                && (sim.error_stolen || sim.death.is_none());
            let untold = seen.refusals > 0 && !sim.alive();
            assert!(!connected || forgotten || untold, "it had been connected");
        }
        Outcome::Uncertain => {
            let doubt = sim.shut_read && !seen_by(run, sim.fin_at, sim.fin_in);
            let doubt = doubt || (seen.half_close_refused && sim.alive());
            let doubt = doubt || is_unknowable(sim);
            assert!(
                seen.deaf || seen.last_failed || seen.refusals > 0 || doubt,
                "uncertain of a plain fact"
            );
        }
        Outcome::Delivered => {
            assert!(run.plan.options.until_acked, "its FIN was to be waited for");
            assert!(sim.fin_out && sim.fin_acked, "our FIN is not acknowledged");
            assert_eq!(sim.unacked, 0, "not all of ours is acknowledged");
            let fin = seen_by(run, sim.fin_at, sim.fin_in);
            let unread = sim.queue > 0 || sim.flood || sim.read_at >= run.step_began;
            assert!(!fin || unread, "graceful, and only called delivered");
        }
        Outcome::Evicted => assert!(run.given_up),
        Outcome::Continued => unreachable!("judged as what it would have been"),
        Outcome::Released => {
            assert_eq!(
                (seen.half_closes, seen.reads),
                (0, 0),
                "touched what others use"
            );
            assert_ne!(sim.setup.sharing, Sharing::Alone);
            assert_eq!(run.plan.options.if_shared, IfShared::Release);
            if let Sharing::Unknown(fault) = sim.setup.sharing {
                assert_eq!(run.report.system_error, fault.code, "it says why");
                // macOS takes it no more once both directions are shut.
                assert!(
                    !sim.linger || sim.refuses_options(),
                    "the last close would heed SO_LINGER"
                );
            } else {
                assert_eq!(sim.linger, sim.setup.linger, "the others' too");
            }
        }
    }
}

/// Whose the end of the stream is.
fn is_unknowable(sim: &Sim<'_>) -> bool {
    sim.seen.was_shut && !sim.setup.has_diag
}

/// The FIN, and every acknowledgement that the system can tell of.
fn judge_graceful(run: &Run<'_>) {
    let sim = &run.sim;
    // Where nothing remembers the FIN, an error that another thread has swallowed leaves what
    // looks like an end in peace: nothing in flight, nothing to read.
    let remembers = sim.setup.system == System::Linux;
    let fooled = sim.error_stolen
        && !remembers
        && (!sim.setup.system.is_linux_tcp()
            || (sim.unacked == 0 && (sim.fin_acked || sim.fin_in)));
    // Without a state, the program's own SHUT_RD looks like a FIN, unless it was there before.
    let blind = !sim.setup.system.tells_state() && sim.shut_read && !sim.seen.was_shut;
    assert!(
        sim.queue == 0 && !sim.flood,
        "closed with unread data: a reset"
    );
    assert!(sim.fin_in || fooled || blind, "graceful without a FIN");
    assert!(run.report.peer_closed);
    if sim.setup.system.tells_state() && !fooled {
        assert!(
            sim.fin_acked && sim.unacked == 0,
            "graceful with our bytes in the air"
        );
        // Both FINs and all acknowledgements: what came after took nothing away.
        assert!(
            sim.death.is_none() || (remembers && sim.fin_in),
            "graceful, and dead"
        );
    }
}

/// What leaves no choice.
fn judge_must(run: &Run<'_>, outcome: Outcome) {
    let sim = &run.sim;
    let setup = sim.setup;
    let looked = !matches!(outcome, Outcome::Released | Outcome::Evicted);
    if setup.life == Life::Connected && setup.sharing != Sharing::Alone && !run.given_up {
        let asked = run.plan.options.if_shared == IfShared::Release;
        assert_eq!(asked, outcome == Outcome::Released, "sharing decides");
    }
    if setup.life != Life::Connected && looked {
        assert_eq!(outcome, Outcome::NotConnected);
    }
    assert_eq!(
        run.stopped,
        outcome == Outcome::Stopped,
        "the reader's word counts"
    );
    let limit = run.plan.options.max_drain_bytes;
    if limit != 0 && sim.seen.bytes > limit && !run.stopped {
        assert_eq!(outcome, Outcome::DrainLimit);
    }
    // Both FINs and all acknowledgements before the close began.
    let in_peace = sim.complete_at.is_some_and(|at| at <= START);
    // An error that waits from before makes it a reset.
    let is_soft = |&(_, act): &(When, Act)| matches!(act, Act::SoftError(_));
    let has_error = setup.script.iter().any(is_soft);
    let choice = !looked
        || has_error
        || sim.seen.refusals > 0
        || is_cut_short(outcome)
        || sim.seen.other_failure;
    if in_peace && setup.system == System::Linux && !choice {
        assert_eq!(outcome, Outcome::Graceful, "it had ended in peace");
    }
}

/// Contract 4.1: never early, late by no more than a pass.
fn judge_time(run: &Run<'_>, outcome: Outcome) {
    let sim = &run.sim;
    let options = &run.plan.options;
    let ended = sim.clock.nanos();
    let deadline = nanos(deadline(run.plan));
    let deaf = sim.seen.deaf && !(sim.setup.system.tells_state() && sim.alive());
    let refused = sim.seen.half_close_refused && sim.alive();
    let told = deaf || refused || is_unknowable(sim) || sim.seen.other_failure;
    let doubt = outcome == Outcome::Uncertain && !told;
    // Gone, and the system refuses to say how.
    let doubt = doubt && (sim.alive() || sim.seen.refusals == 0);
    if outcome == Outcome::TimedOut || doubt {
        assert!(ended >= deadline || idled(run, ended), "given up too early");
    }
    if options.timeout_ms == 0 && outcome == Outcome::TimedOut && sim.setup.call_cost == 0 {
        let read_all = sim.queue == 0 && !sim.flood;
        assert!(
            read_all || sim.seen.bytes >= LAST_LOOK_BYTES,
            "what is there is drained"
        );
    }
    let costs = sim.setup.call_cost * 24 + reader_cost(run.plan) * 3 + run.plan.late;
    if options.timeout_ms != 0 && options.timeout_ms != INFINITE {
        assert!(ended <= deadline + costs, "late by {} ns", ended - deadline);
        // A pass each before and after the half-close finds the FIN behind what
        // is there; a reader, which may be slow, gets one portion more each.
        let read_on = match run.plan.reader {
            Reader::None => sim.seen.bytes_after_alarm <= 2 * PASS_BYTES,
            Reader::Some { .. } => sim.seen.reads_after_alarm <= 2,
        };
        assert!(read_on, "went on reading after the end");
    }
    let patient = options.peer_first_ms > 0 && sim.setup.life == Life::Connected;
    if let Some(at) = sim.half_closed_at.filter(|_| patient) {
        let patience = START
            .saturating_add(u64::from(options.peer_first_ms) * MS)
            .min(deadline);
        let asked = run.given_up || matches!(outcome, Outcome::Stopped | Outcome::DrainLimit);
        let cause = asked || sim.seen.had_cause || sim.seen.other_failure;
        assert!(
            at >= patience || cause,
            "half-closed before the peer had its time"
        );
    } else if let Some(at) = sim.half_closed_at {
        assert!(
            at <= START + costs || run.given_up,
            "the half-close was put off"
        );
    }
}

/// Nothing moved in either direction for the idle time.
fn idled(run: &Run<'_>, ended: u64) -> bool {
    let sim = &run.sim;
    let idle = u64::from(run.plan.options.idle_timeout_ms) * MS;
    let Some(half_closed_at) = sim.half_closed_at.filter(|_| idle > 0) else {
        return false;
    };
    let acknowledged = match sim.acked_at {
        // Came during the last step, or cannot be seen.
        at if at > run.step_began || !sim.setup.system.is_linux_tcp() => 0,
        _ if sim.seen.refusals > 0 => 0,
        at => at,
    };
    half_closed_at.max(sim.read_at).max(acknowledged) + idle <= ended
}

fn judge_counts(run: &Run<'_>, outcome: Outcome) {
    let sim = &run.sim;
    let report = &run.report;
    assert_eq!(report.drained_bytes, sim.seen.bytes);
    match run.plan.reader {
        super::plan::Reader::None => assert!(sim.seen.discarded_all()),
        _ => assert!(sim.seen.delivered_all() && run.delivered == sim.seen.bytes),
    }
    let unacked = match outcome {
        // The state says so: FIN-WAIT-2.
        Outcome::NotConnected | Outcome::Delivered => Some(0),
        Outcome::Released => None,
        // Told by the state alone, or not at all.
        _ if !sim.setup.system.is_linux_tcp() => {
            let is_proved = sim.seen.proof && report.unacked_bytes.is_some();
            assert!(
                !is_proved || (sim.unacked == 0 && sim.fin_acked),
                "told as acknowledged"
            );
            is_proved.then_some(0)
        }
        _ => sim.seen.unacked,
    };
    // A FIN that the program had sent itself cannot be told from data once the
    // connection is gone.
    let own_fin = sim.fin_out && sim.seen.half_closes == 0 && sim.half_closed_at.is_none();
    let counted = report
        .unacked_bytes
        .map(|left| left - usize::from(own_fin && unacked < Some(left)));
    assert_eq!(counted, unacked, "the FIN is no data");
    let claims_fin = report.peer_closed && outcome != Outcome::Graceful;
    let shut = sim.shut_read && !sim.seen.was_shut;
    let blind = !sim.setup.system.tells_state() && (shut || sim.error_stolen);
    assert!(!claims_fin || sim.fin_in || blind, "a FIN that never came");
    let fin = seen_by(run, sim.fin_at, sim.fin_in);
    let read_on = match outcome {
        // The background finds out whether a zero read was one.
        Outcome::TimedOut if run.outcome() == Outcome::Continued => false,
        Outcome::TimedOut => sim.read_at < run.step_began,
        Outcome::Reset | Outcome::Lost => !sim.seen.last_failed && sim.seen.refusals == 0,
        _ => false,
    };
    if fin && read_on && sim.queue == 0 && !sim.flood && sim.setup.system == System::Linux {
        assert!(report.peer_closed, "the FIN had been seen");
    }
    let elapsed = sim.clock.nanos() - START;
    assert_eq!(report.elapsed.as_nanos(), u128::from(elapsed));
}
