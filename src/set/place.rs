//! A place in the table.

use super::entry::{Entry, Packed, Unpacked};
use super::Tick;
use crate::closing::Brief;

/// Who stands there. Flat, without a [`Packed`] inside: so it is 40 bytes where a
/// socket is a number of four.
pub(super) enum Place<C> {
    /// Nobody, or one that is being worked on.
    Free,
    Brief {
        socket: C,
        brief: Brief,
        is_watched: bool,
        is_next: bool,
        due: Tick,
    },
    Whole {
        entry: Box<Entry<C>>,
        is_next: bool,
        due: Tick,
    },
}

/// Taken from its place to be worked on.
pub(super) struct Held<C> {
    pub(super) entry: Unpacked<C>,
    /// When it is looked at, if nothing happens: not later than it wants to be.
    /// Its timer in the heap is the one with this tick, others are left over.
    pub(super) due: Tick,
    /// Stands in `again`.
    pub(super) is_next: bool,
}

impl<C> Place<C> {
    pub(super) fn is_free(&self) -> bool {
        matches!(self, Place::Free)
    }

    pub(super) fn take(&mut self) -> Option<Held<C>> {
        let (packed, due, is_next) = match std::mem::replace(self, Place::Free) {
            Place::Free => return None,
            Place::Brief {
                socket,
                brief,
                is_watched,
                is_next,
                due,
            } => {
                let packed = Packed::Brief {
                    socket,
                    brief,
                    is_watched,
                };
                (packed, due, is_next)
            }
            Place::Whole {
                entry,
                is_next,
                due,
            } => (Packed::Whole(entry), due, is_next),
        };
        Some(Held {
            entry: packed.unpack(),
            due,
            is_next,
        })
    }

    pub(super) fn put(&mut self, packed: Packed<C>, due: Tick, is_next: bool) {
        *self = match packed {
            Packed::Brief {
                socket,
                brief,
                is_watched,
            } => Place::Brief {
                socket,
                brief,
                is_watched,
                is_next,
                due,
            },
            Packed::Whole(entry) => Place::Whole {
                entry,
                is_next,
                due,
            },
        };
    }

    pub(super) fn due(&self) -> Option<Tick> {
        match self {
            Place::Free => None,
            Place::Brief { due, .. } | Place::Whole { due, .. } => Some(*due),
        }
    }

    pub(super) fn set_due(&mut self, tick: Tick) {
        match self {
            Place::Free => {}
            Place::Brief { due, .. } | Place::Whole { due, .. } => *due = tick,
        }
    }

    pub(super) fn is_next(&self) -> bool {
        match self {
            Place::Free => false,
            Place::Brief { is_next, .. } | Place::Whole { is_next, .. } => *is_next,
        }
    }

    pub(super) fn is_next_no_more(&mut self) {
        match self {
            Place::Free => {}
            Place::Brief { is_next, .. } | Place::Whole { is_next, .. } => *is_next = false,
        }
    }
}
