//! Drained data on its way to the caller's reader, which is the program's own code: it may take
//! its time, or close descriptors. So after each portion the number is looked at.

use crate::clock::Clock;
use crate::closing::{Machine, Next};
use crate::set::{Indexed, Mark};

/// What came of a portion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    GoOn,
    /// The reader has asked to stop.
    Stop,
    /// The number has become another one's meanwhile.
    NotOurs,
}

/// Gets the drained data; `false` stops the close.
pub(crate) type Sink<'a> = Option<&'a mut dyn FnMut(&[u8]) -> bool>;

/// A step of the machine. Where the mark is not known, nothing can be looked at.
pub(crate) fn step<C: Indexed, K: Clock>(
    machine: &mut Machine,
    conn: &mut C,
    mark: Option<Mark>,
    clock: &K,
    sink: &mut Sink<'_>,
) -> Next {
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
