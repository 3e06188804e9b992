//! Contract, section 4, step 7: what becomes of the descriptor, once.

use super::drive::run;
use super::plan::Plan;
use super::rules::good_peer;
use super::script::{Act, Life};
use super::sim::Handle;
use crate::connection::Sharing;
use crate::machine::waiting::LAST_LOOK_BYTES;
use crate::options::Fallback;
use crate::outcome::Outcome;

#[test]
fn it_is_closed_once_also_if_close_complains() {
    run(good_peer().close_complains(), |run| {
        assert_eq!(run.outcome(), Outcome::Graceful);
        assert!(run.report.closed && run.closed_gracefully());
    });
}

#[test]
fn each_fallback_ends_a_close_that_was_cut_short() {
    type Make = fn() -> Plan;
    let cuts: [(Outcome, Make); 5] = [
        (Outcome::TimedOut, || Plan::new().timeout(10)),
        (Outcome::DrainLimit, || {
            Plan::new().before(Act::Send(11)).limit(10)
        }),
        (Outcome::Stopped, || {
            Plan::new().before(Act::Send(11)).reader_stops_at(1)
        }),
        (Outcome::Uncertain, || {
            Plan::new().before(Act::ShutRead).timeout(10)
        }),
        (Outcome::Evicted, || Plan::new().give_up_after(1)),
    ];
    for (outcome, plan) in cuts {
        for (fallback, handle) in [
            (Fallback::Close, Handle::Closed { graceful: false }),
            (Fallback::Abort, Handle::Aborted),
            (Fallback::Keep, Handle::Open),
        ] {
            run(plan().fallback(fallback), |run| {
                assert_eq!((run.outcome(), run.sim.handle), (outcome, handle));
                assert!(run.sim.fin_out, "half-closed in any case");
            });
        }
    }
}

#[test]
fn an_end_in_peace_or_death_needs_no_fallback() {
    let reset = || Plan::new().at(1, Act::Reset);
    let fresh = || Plan::of(Life::Fresh);
    let shared = || Plan::new().sharing(Sharing::Shared);
    for plan in [good_peer(), reset(), fresh(), shared()] {
        run(plan.fallback(Fallback::Abort), |run| {
            assert!(run.closed_gracefully())
        });
    }
}

#[test]
fn without_time_to_wait_what_is_there_is_drained_up_to_a_bound() {
    let plan = Plan::new().before(Act::Flood).timeout(0);
    run(plan, |run| {
        assert_eq!(run.outcome(), Outcome::TimedOut);
        assert_eq!(run.report.drained_bytes, LAST_LOOK_BYTES);
    });
}
