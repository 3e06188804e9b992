//! Walks over the stack that were made before: what each of them read, and the callers that it found.
//! One that begins at the same place and would read the same finds the same, and needs no rules.

use super::addresses::{Addresses, MOST};
use std::sync::atomic::{fence, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};

const PLACES: usize = 64;

/// A walk that reads more is not kept.
const MOST_READS: usize = 20;

/// Where a walk begins: the stack and the frame pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub sp: usize,
    pub bp: usize,
}

/// A word that a walk has read, so far above the stack pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub offset: u32,
    pub value: usize,
}

/// What a walk has read, in this order.
#[derive(Clone, Copy, Default)]
pub struct Reads {
    list: [Read; MOST_READS],
    /// More than there is room for, if it was too much.
    count: usize,
}

impl Reads {
    pub fn note(&mut self, offset: usize, value: usize) {
        if let Some(room) = self.list.get_mut(self.count) {
            *room = Read {
                offset: offset as u32, // less than MOST_LOOKED_AT of the LARGEST frames
                value,
            };
        }
        self.count += 1;
    }
}

/// Of two walks with the same place the later one counts.
pub struct Walks([Place; PLACES]);

struct Place {
    /// Odd while a thread writes.
    version: AtomicU32,
    reads: AtomicU32,
    sp: AtomicUsize,
    bp: AtomicUsize,
    stamp: AtomicU64,
    offsets: [AtomicU32; MOST_READS],
    values: [AtomicUsize; MOST_READS],
    count: AtomicUsize,
    callers: [AtomicUsize; MOST],
}

impl Walks {
    pub const fn new() -> Walks {
        Walks(
            [const {
                Place {
                    version: AtomicU32::new(0),
                    reads: AtomicU32::new(0),
                    sp: AtomicUsize::new(0),
                    bp: AtomicUsize::new(0),
                    stamp: AtomicU64::new(0),
                    offsets: [const { AtomicU32::new(0) }; MOST_READS],
                    values: [const { AtomicUsize::new(0) }; MOST_READS],
                    count: AtomicUsize::new(0),
                    callers: [const { AtomicUsize::new(0) }; MOST],
                }
            }; PLACES],
        )
    }

    fn place(&self, start: Start) -> &Place {
        // the stack is aligned to 16 bytes
        &self.0[(start.sp >> 4 ^ start.sp >> 10) % PLACES]
    }

    /// What the walk that begins here would find. `read` gives the word so far above the stack
    /// pointer; it is asked for the first one, and for each other one if those before were the same:
    /// for those that the walk would read, and for no others.
    #[inline]
    pub fn get(&self, start: Start, read: impl Fn(u32) -> usize) -> Option<Addresses> {
        let place = self.place(start);
        let version = place.version.load(Acquire);
        let begins = (place.sp.load(Relaxed), place.bp.load(Relaxed)) == (start.sp, start.bp);
        if version % 2 != 0 || !begins {
            return None;
        }
        let mut reads = [Read::default(); MOST_READS];
        let count = (place.reads.load(Relaxed) as usize).min(MOST_READS);
        for (at, read) in reads[..count].iter_mut().enumerate() {
            read.offset = place.offsets[at].load(Relaxed);
            read.value = place.values[at].load(Relaxed);
        }
        let mut callers = [0; MOST];
        for (caller, known) in callers.iter_mut().zip(&place.callers) {
            *caller = known.load(Relaxed);
        }
        let number = place.count.load(Relaxed).min(MOST);
        let found = Addresses::of(callers, number, place.stamp.load(Relaxed));
        fence(Acquire);
        if place.version.load(Relaxed) != version {
            return None;
        }
        let is_same = |word: &Read| read(word.offset) == word.value;
        (count > 0 && reads[..count].iter().all(is_same)).then_some(found)
    }

    /// Keeps it, unless another thread writes there.
    pub fn put(&self, start: Start, reads: &Reads, found: &Addresses) {
        let place = self.place(start);
        let version = place.version.load(Relaxed);
        let is_free = version % 2 == 0 && reads.count <= MOST_READS;
        let next = version.wrapping_add(1);
        if !is_free
            || place
                .version
                .compare_exchange(version, next, Acquire, Relaxed)
                .is_err()
        {
            return;
        }
        fence(Release);
        place.sp.store(start.sp, Relaxed);
        place.bp.store(start.bp, Relaxed);
        place.reads.store(reads.count as u32, Relaxed);
        for (at, read) in reads.list[..reads.count].iter().enumerate() {
            place.offsets[at].store(read.offset, Relaxed);
            place.values[at].store(read.value, Relaxed);
        }
        place.count.store(found.known().len(), Relaxed);
        for (room, caller) in place.callers.iter().zip(found.known()) {
            room.store(*caller, Relaxed);
        }
        place.stamp.store(found.stamp(), Relaxed);
        place.version.store(version.wrapping_add(2), Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const START: Start = Start {
        sp: 0x7000,
        bp: 0x7100,
    };

    fn kept() -> Walks {
        let walks = Walks::new();
        let mut reads = Reads::default();
        for (at, value) in [(8, 0x1000), (24, 0x2000), (16, 0x7200)] {
            reads.note(at, value);
        }
        let mut found = Addresses::default();
        assert!(found.add(0x1000) && found.add(0x2000));
        walks.put(START, &reads, &found);
        walks
    }

    fn stack(offset: u32) -> usize {
        match offset {
            8 => 0x1000,
            24 => 0x2000,
            16 => 0x7200,
            _ => panic!("{offset} was never read"),
        }
    }

    #[test]
    fn the_same_stack_has_the_same_callers() {
        let walks = kept();
        let found = walks.get(START, stack).expect("it is kept");
        assert_eq!(found.known(), [0x1000, 0x2000]);
        let bp = 0x7108;
        assert!(walks.get(Start { bp, ..START }, stack).is_none());
        // has the same place
        let sp = START.sp + (PLACES << 16);
        assert!(walks.get(Start { sp, ..START }, stack).is_none());
        assert!(Walks::new().get(Start::default(), stack).is_none());
    }

    #[test]
    fn nothing_is_read_behind_a_word_that_is_another() {
        for (at, changed) in [8, 24, 16].into_iter().enumerate() {
            let asked = RefCell::new(Vec::new());
            let found = kept().get(START, |offset| {
                asked.borrow_mut().push(offset);
                stack(offset) + usize::from(offset == changed)
            });
            assert!(found.is_none());
            assert_eq!(*asked.borrow(), [8, 24, 16][..=at]);
        }
    }

    #[test]
    fn what_is_being_written_is_not_taken_and_what_is_too_long_not_kept() {
        let walks = kept();
        let place = walks.place(START);
        place.version.fetch_add(1, Relaxed);
        assert!(walks.get(START, stack).is_none());
        walks.put(START, &Reads::default(), &Addresses::default());
        place.version.fetch_sub(1, Relaxed);
        assert!(walks.get(START, stack).is_some(), "it was left alone");
        let mut long = Reads::default();
        (0..=MOST_READS).for_each(|at| long.note(at, at));
        walks.put(START, &long, &Addresses::default());
        assert!(walks.get(START, stack).is_some());
    }

    #[test]
    fn threads_that_write_at_once_leave_no_walk_that_was_not() {
        static WALKS: Walks = Walks::new();
        let goes = |number: usize| {
            let mut reads = Reads::default();
            (0..20).for_each(|at| reads.note(8 * at, number + at));
            let mut found = Addresses::default();
            found.add(number);
            for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
                WALKS.put(START, &reads, &found);
                let seen = WALKS.get(START, |offset| number + offset as usize / 8);
                assert!(seen.map_or(true, |seen| seen.known() == [number]));
            }
        };
        std::thread::scope(|scope| {
            for number in [1000, 2000, 3000] {
                scope.spawn(move || goes(number));
            }
        });
    }
}
