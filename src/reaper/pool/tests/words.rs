//! What is kept in one word comes back out of it.

use crate::clock::Time;
use crate::connection::Mark;
use crate::reaper::pool::timer::{tick, Timer, NEVER, SLOT_BITS};
use crate::reaper::pool::Keep;

#[test]
fn a_mark_and_whether_it_is_watched_are_kept_apart() {
    let (first, second) = (Mark::of(0x5A5A), Mark::of(0x7FFF_FFFF));
    let mut keep = Keep::NEW;
    assert_eq!((keep.mark(), keep.is_watched()), (None, false));
    keep.set_watched(true);
    assert_eq!((keep.mark(), keep.is_watched()), (None, true));
    for mark in [first, second, first] {
        for is_watched in [true, false, false, true, true] {
            keep.set_watched(is_watched);
            keep.set_mark(mark);
            assert_eq!((keep.mark(), keep.is_watched()), (Some(mark), is_watched));
            keep.set_watched(!is_watched);
            assert_eq!((keep.mark(), keep.is_watched()), (Some(mark), !is_watched));
        }
    }
    assert_eq!(Keep::marked(first).mark(), Some(first));
    assert!(!Keep::marked(first).is_watched());
}

/// What is 55 years away is early, and has a timer; only what never comes has none.
#[test]
fn a_tick_and_a_slot_are_kept_apart() {
    let far = tick(Time::from_nanos(u64::MAX - 1));
    assert!(far < NEVER);
    assert_eq!(tick(Time::NEVER), NEVER);
    assert_eq!(NEVER.leading_zeros(), SLOT_BITS);
    assert_eq!(NEVER.trailing_ones(), u64::BITS - SLOT_BITS);
    for slot in [0, 1, 2, 0x5A5A5, (1 << SLOT_BITS) - 1] {
        for tick in [0, 1, 77, far] {
            let timer = Timer::new(tick, slot);
            assert_eq!((timer.tick(), timer.slot()), (tick, slot));
        }
    }
    assert!(Timer::new(1, 9) > Timer::new(2, 3), "the earlier on top");
}
