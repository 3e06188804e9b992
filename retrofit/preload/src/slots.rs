//! The table of the connections that several processes hold, shared by all that are forked from one
//! program.

use crate::memory::{Mapped, Zeroed};
use crate::sys;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// What is shared of one connection.
pub struct Slot {
    pub cookie: AtomicU64,
    /// Holders (32 bits), flags (8), seconds (24). Zero: free.
    pub state: AtomicU64,
}

pub const HOLDERS: u64 = 0xffff_ffff;
/// Some may not be counted.
pub const UNTRUSTED: u64 = 1 << 32;
/// It stays registered in an epoll set under a descriptor that is closed.
pub const STRAY: u64 = 1 << 33;
/// It has been sent in a message.
pub const SENT_AWAY: u64 = 1 << 34;
/// The last one counted is calling exec; free when that is long ago.
pub const ORPHAN: u64 = 1 << 35;
/// A counted process has turned into another program, which has it uncounted.
pub const PASSED_BY_EXEC: u64 = 1 << 36;
pub const FLAGS_KEPT: u64 = UNTRUSTED | STRAY | SENT_AWAY | PASSED_BY_EXEC;
const SECONDS: u32 = 40;
const LONG_AGO: u64 = 10;

const SLOTS_COUNT: usize = 1 << 16;
// SAFETY: atomics only, for which zero is a value.
#[allow(unsafe_code)]
unsafe impl Zeroed for Slot {}

static SLOTS: Mapped<Slot> = Mapped::new();
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

pub fn set_up() -> bool {
    SLOTS.map(SLOTS_COUNT, true)
}

/// The one of this number.
pub fn slot(number: u32) -> Option<&'static Slot> {
    SLOTS.all().get(number as usize)
}

fn seconds() -> u64 {
    (sys::now_ms() / 1000) & 0xff_ffff
}

impl Slot {
    /// One holder less; what there was before.
    pub fn leave(&self) -> u64 {
        let one_less = |state: u64| match state & HOLDERS {
            0 => None,
            1 => Some(0),
            _ => Some(state - 1),
        };
        match self.state.fetch_update(SeqCst, SeqCst, one_less) {
            Ok(before) | Err(before) => before,
        }
    }

    fn is_free(&self) -> bool {
        let state = self.state.load(SeqCst);
        let orphaned_for = || seconds().wrapping_sub(state >> SECONDS) & 0xff_ffff;
        state == 0 || state & ORPHAN != 0 && orphaned_for() > LONG_AGO
    }
}

/// A fork looks for a slot for each socket: not through a full table. Children that are killed
/// never give theirs back.
const TRIES: usize = 64;

/// A slot for a connection with one holder; `None`: there is none near by.
pub fn new_slot(cookie: u64, flags: u64) -> Option<u32> {
    let slots = SLOTS.all();
    for _ in 0..slots.len().min(TRIES) {
        let at = NEXT_SLOT.fetch_add(1, SeqCst) % slots.len();
        let slot = slots.get(at)?;
        let old = slot.state.load(SeqCst);
        let is_taken = |new| {
            slot.state
                .compare_exchange(old, new, SeqCst, SeqCst)
                .is_ok()
        };
        if slot.is_free() && is_taken(1 | flags) {
            slot.cookie.store(cookie, SeqCst);
            return Some(at as u32);
        }
    }
    None
}

impl Slot {
    /// As [`Slot::leave`], but the slot is kept for a while.
    pub fn leave_by_exec(&self) {
        let orphan = ORPHAN | seconds() << SECONDS;
        let one_less = |state: u64| match state & HOLDERS {
            0 => None,
            1 => Some(state & FLAGS_KEPT | orphan),
            _ => Some(state - 1),
        };
        let _ = self.state.fetch_update(SeqCst, SeqCst, one_less);
    }

    pub fn come_back(&self) {
        let alone = |state| (state & ORPHAN != 0).then_some(1 | state & FLAGS_KEPT);
        if self.state.fetch_update(SeqCst, SeqCst, alone).is_err() {
            self.state.fetch_add(1, SeqCst);
        }
    }
}
