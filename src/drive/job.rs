//! What all drivers do with a machine: a step, with the drained data on its way to the caller's
//! reader; the end before its time; and what is told of the end.

use crate::clock::Clock;
use crate::connection::{Connection, Indexed, Mark};
use crate::log::{self, About};
use crate::machine::{Delivery, End, Machine, Next};
use crate::outcome::Outcome;
use crate::stats;

/// Gets the drained data; `false` stops the close.
pub(crate) type Sink<'a> = Option<&'a mut dyn FnMut(&[u8]) -> bool>;

/// A step of the machine. The reader is the program's own code: it may take its time, or close
/// descriptors. So after each portion the number is looked at; where the mark is not known,
/// nothing can be.
pub(crate) fn step<C: Indexed, K: Clock>(
    machine: &mut Machine,
    conn: &mut C,
    mark: Option<Mark>,
    clock: &K,
    sink: &mut Sink<'_>,
) -> Next {
    machine.set_logged(log::is_on());
    let Some(sink) = sink else {
        return machine.step(conn, clock, &mut None);
    };
    let number = *conn;
    let mut deliver = |data: &[u8]| {
        let goes_on = sink(data);
        match mark.map_or(true, |mark| number.is_still(mark)) {
            false => Delivery::NotOurs,
            true if goes_on => Delivery::GoOn,
            true => Delivery::Stop,
        }
    };
    machine.step(conn, clock, &mut Some(&mut deliver))
}

/// Ends one that is still pending, by its fallback.
pub(crate) fn give_up<C: Connection>(machine: &mut Machine, conn: &mut C, outcome: Outcome) {
    machine.set_logged(log::is_on());
    machine.give_up(conn, outcome);
}

/// Puts an ended close into the statistics and, if it was not graceful and somebody listens,
/// into the log.
pub(crate) fn record<K: Clock>(machine: &Machine, about: Option<&About>, clock: &K) {
    let outcome = match machine.end() {
        // Counted and told when the background has ended it.
        Some(End::Outcome(Outcome::Continued)) | Some(End::Refused(_)) | None => return,
        Some(End::Outcome(outcome)) => outcome,
    };
    stats::count(outcome, machine.drained(), machine.was_aborted(outcome));
    if outcome != Outcome::Graceful && log::is_on() {
        let unknown = About::default();
        let report = machine.report(outcome, clock.now());
        log::not_graceful(about.unwrap_or(&unknown), &report);
    }
}
