//! What is told of an end, to whom, and how often.

use super::drive::Drive;
use super::rules::play;
use super::world::Conn;
use crate::connection::{Fault, Indexed};
use crate::log::{clear_log, install, Told};
use crate::machine::tests::plan::Plan;
use crate::machine::tests::script::{Act, OTHER};
use crate::machine::tests::sim::Handle;
use crate::outcome::Outcome;
use crate::reaper::pool::Extras;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

thread_local! {
    /// The log is the process's: here are the lines of this test alone.
    static LINES: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

/// What became known of one end.
#[derive(Debug, PartialEq)]
struct Known {
    handle: Handle,
    /// By the callback: a fault, the outcome, and whether it was closed.
    told: Vec<(Option<Fault>, Outcome, bool)>,
    logged: Vec<Told>,
}

/// One test at a time: another one would turn the log off in the middle.
static LOG: Mutex<()> = Mutex::new(());

/// One that ends in its first step, and what was done with its number before that was told.
fn known(
    plan: Plan,
    has_done: bool,
    between: impl FnOnce(&Drive<'_, '_, true>, &Conn<'_, '_>),
) -> Known {
    let _alone = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let plans = [plan.timeout(0)];
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut handle = Handle::Open;
    install(|told, _| LINES.with(|lines| lines.borrow_mut().push(told)));
    LINES.take();
    play::<true>(&plans, false, |drive| {
        let conn = drive.world.open(0);
        let mut entry = drive.entry(conn, &plans[0], false);
        if has_done {
            let told = Arc::clone(&told);
            let done = move |fault, report: &crate::report::Report| {
                told.lock()
                    .unwrap()
                    .push((fault, report.outcome, report.closed));
            };
            entry.extras = Some(Box::new(Extras {
                done: Some(Box::new(done)),
                ..Extras::default()
            }));
        }
        entry.keep.set_mark(conn.mark().expect("a mark"));
        assert_eq!(entry.has_done(), has_done);
        assert_eq!(entry.step(&drive.world.clock), None);
        between(drive, &conn);
        entry.tell(&drive.world.clock);
        handle = drive.world.with(0, |one| one.sim.handle);
    });
    clear_log();
    let told = std::mem::take(&mut *told.lock().unwrap());
    Known {
        handle,
        told,
        logged: LINES.take(),
    }
}

fn nothing(_: &Drive<'_, '_, true>, _: &Conn<'_, '_>) {}

/// Nobody else is there to close what the system has refused to end.
#[test]
fn what_was_refused_is_closed_and_uncertain() {
    for has_done in [true, false] {
        let known = known(Plan::new().shutdown_fails(OTHER), has_done, nothing);
        let told = (None, Outcome::Uncertain, true);
        let expected = Known {
            handle: Handle::Closed { graceful: false },
            told: Vec::from_iter(has_done.then_some(told)),
            logged: vec![Told::Outcome(Outcome::Uncertain)],
        };
        assert_eq!(known, expected);
    }
}

/// Between the refusal and the end the program has closed it.
#[test]
fn what_was_refused_and_is_another_ones_by_now_is_left_alone() {
    for has_done in [true, false] {
        let plan = Plan::new().shutdown_fails(OTHER);
        let known = known(plan, has_done, |drive, conn| {
            drive.world.give_number(conn.number, 99);
        });
        let told = (Some(OTHER), Outcome::Uncertain, false);
        let expected = Known {
            handle: Handle::Open,
            told: Vec::from_iter(has_done.then_some(told)),
            logged: vec![Told::Gone(OTHER)],
        };
        assert_eq!(known, expected);
    }
}

#[test]
fn what_was_closed_behind_our_back_is_told_with_the_fault() {
    for has_done in [true, false] {
        let plan = Plan::new().before(Act::CloseElsewhere);
        let known = known(plan, has_done, nothing);
        let told = (Some(Fault::GONE), Outcome::Uncertain, false);
        let expected = Known {
            handle: Handle::Gone,
            told: Vec::from_iter(has_done.then_some(told)),
            logged: vec![Told::Gone(Fault::GONE)],
        };
        assert_eq!(known, expected);
    }
}

#[test]
fn an_end_of_its_own_is_logged_once_unless_it_was_graceful() {
    let in_peace = Plan::new().before(Act::AckAll).before(Act::Fin);
    for (plan, outcome) in [
        (Plan::new(), Outcome::TimedOut),
        (in_peace, Outcome::Graceful),
    ] {
        for has_done in [true, false] {
            let known = known(plan.clone(), has_done, nothing);
            let graceful = outcome == Outcome::Graceful;
            let expected = Known {
                handle: Handle::Closed { graceful },
                told: Vec::from_iter(has_done.then_some((None, outcome, true))),
                logged: Vec::from_iter((!graceful).then_some(Told::Outcome(outcome))),
            };
            assert_eq!(known, expected);
        }
    }
}

/// Its reader is called before anybody has looked what tells it from others.
#[test]
fn a_reader_that_closes_it_in_the_call_that_hands_it_over_is_found_out() {
    let plans = [Plan::new().before(Act::Send(10))];
    play::<true>(&plans, false, |drive| {
        let conn = drive.world.open(0);
        let mut entry = drive.entry(conn, &plans[0], false);
        let is_closed = Arc::clone(&drive.world.closed_by_reader);
        entry.extras = Some(Box::new(Extras {
            reader: Some(Box::new(move |_| {
                is_closed.store(true, Ordering::Relaxed);
                true
            })),
            ..Extras::default()
        }));
        assert_eq!(entry.step(&drive.world.clock), None);
        assert_eq!(entry.refusal(), Some(Fault::GONE));
    });
}

/// That costs system calls.
#[test]
fn without_a_reader_nothing_is_asked_in_the_call_that_hands_it_over() {
    let plans = [Plan::new().before(Act::Send(10))];
    play::<true>(&plans, false, |drive| {
        let conn = drive.world.open(0);
        let mut entry = drive.entry(conn, &plans[0], false);
        assert!(entry.step(&drive.world.clock).is_some());
        assert_eq!(drive.world.marks.get(), 0);
    });
}
