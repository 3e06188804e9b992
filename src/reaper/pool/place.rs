//! A place in the table.

use super::entry::{Packed, Unpacked};
use super::timer::{Tick, NEVER};

/// Who stands there: 40 bytes where a socket is a number of four.
pub(super) struct Slot<C> {
    pub(super) packed: Packed<C>,
    when: When,
}

/// Taken from its place to be worked on.
pub(super) struct Held<C> {
    pub(super) entry: Unpacked<C>,
    pub(super) when: When,
}

/// When it is looked at, in one word.
#[derive(Clone, Copy)]
pub(super) struct When(u64);

/// It stands in `again`. Ticks have fewer bits.
const NEXT: u64 = 1 << 63;

impl When {
    /// If nothing happens then: not later than it wants to be. Its timer in the heap
    /// is the one with this tick, others are left over.
    pub(super) fn due(self) -> Tick {
        self.0 & !NEXT
    }

    pub(super) fn set_due(&mut self, due: Tick) {
        self.0 = self.0 & NEXT | due;
    }

    pub(super) fn is_next(self) -> bool {
        self.0 & NEXT != 0
    }

    pub(super) fn set_next(&mut self, is_next: bool) {
        self.0 = if is_next { self.0 | NEXT } else { self.due() };
    }
}

impl<C: Copy> Slot<C> {
    /// Without memory the entry comes back.
    #[allow(clippy::result_large_err)] // there is no memory for a box then
    pub(super) fn of(held: Held<C>) -> Result<Slot<C>, Held<C>> {
        let when = held.when;
        match held.entry.pack() {
            Ok(packed) => Ok(Slot { packed, when }),
            Err(entry) => Err(Held {
                entry: Unpacked::Here(entry),
                when,
            }),
        }
    }
}

impl<C> Slot<C> {
    pub(super) fn hold(self) -> Held<C> {
        Held {
            entry: self.packed.unpack(),
            when: self.when,
        }
    }

    pub(super) fn when(&mut self) -> &mut When {
        &mut self.when
    }

    pub(super) fn due(&self) -> Tick {
        self.when.due()
    }

    pub(super) fn is_next(&self) -> bool {
        self.when.is_next()
    }
}

impl<C> Held<C> {
    pub(super) fn new(entry: Unpacked<C>) -> Held<C> {
        Held {
            entry,
            when: When(NEVER),
        }
    }
}

#[cfg(all(test, target_pointer_width = "64", not(windows)))]
#[test]
fn a_place_is_small() {
    use crate::sys::Socket;
    use std::mem::size_of;
    assert_eq!(size_of::<Packed<Socket>>(), 32);
    assert_eq!(size_of::<Option<Slot<Socket>>>(), 40);
}
