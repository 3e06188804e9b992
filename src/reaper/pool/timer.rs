//! Deadlines, in few bytes.

use crate::clock::Time;

/// Points in time in tenths of a millisecond, rounded up: never early.
pub(super) type Tick = u64;

/// A tick and a slot in one word, smallest tick on top of the heap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer(std::cmp::Reverse<u64>);

/// A million at a time; and the ticks have room for 55 years.
pub(super) const SLOT_BITS: u32 = 20;

impl Timer {
    pub(super) fn new(tick: Tick, slot: u32) -> Timer {
        Timer(std::cmp::Reverse(tick << SLOT_BITS | u64::from(slot)))
    }

    pub(super) fn tick(self) -> Tick {
        self.0 .0 >> SLOT_BITS
    }

    pub(super) fn slot(self) -> u32 {
        (self.0 .0 & ((1 << SLOT_BITS) - 1)) as u32
    }
}

pub(super) fn tick(time: Time) -> Tick {
    match time {
        Time::NEVER => NEVER,
        time => (time.nanos() / 100_000 + 1).min(NEVER - 1),
    }
}

/// The largest tick that a timer has room for.
pub(super) const NEVER: Tick = u64::MAX >> SLOT_BITS;
