//! What is known of each descriptor of this process.

use crate::memory::{Mapped, Zeroed};
use libc::c_int;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

/// What is known of one number. All zeroes: nothing.
#[derive(Default)]
pub struct Entry {
    word: AtomicU64,
    /// The epoll sets that it is registered in (`epoll_sets`), by bit.
    epolls: AtomicU64,
    /// The FILE that fdopen() made of it.
    stream: AtomicUsize,
}

/// The kind and the details of an [`Entry`], in one word:
/// kind (3 bits), flags (5), count of spawns (24), value (32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody knows how it came.
    Unknown,
    /// Made here, and held by nobody else as long as the count of forks is the value.
    Alone,
    /// Others may hold it; they are counted in the slot that the value tells.
    Counted,
    /// Ours: the program has no such number.
    Internal,
    /// An epoll descriptor, the value's in `epoll_sets`.
    EpollSet,
}

/// This process has connected it.
pub const CONNECTED: u64 = 1 << 56;
/// It has been sent to some process.
pub const PASSED: u64 = 1 << 57;
/// A fork that is under way has counted the child in.
pub const FORKING: u64 = 1 << 58;
/// It has come in a message.
pub const RECEIVED: u64 = 1 << 59;
/// The program before has left it to this one.
pub const LEFT_TO_US: u64 = 1 << 60;
const FLAGS: u64 = CONNECTED | PASSED | FORKING | RECEIVED | LEFT_TO_US;

/// Numbers of which nothing is known, as they were there before the program, are tried up to
/// here: a server that inetd or systemd starts has its connection under one of the first.
pub const INHERITED: c_int = 16;

const KIND: u32 = 61;
const SPAWNS: u32 = 32;
const SPAWNS_MASK: u64 = 0xff_ffff;

impl Word {
    pub fn new(kind: Kind, value: u32, spawns: u32) -> Word {
        let kind = (kind as u64) << KIND;
        Word(kind | (u64::from(spawns) & SPAWNS_MASK) << SPAWNS | u64::from(value))
    }

    pub fn kind(self) -> Kind {
        match self.0 >> KIND {
            1 => Kind::Alone,
            2 => Kind::Counted,
            3 => Kind::Internal,
            4 => Kind::EpollSet,
            _ => Kind::Unknown,
        }
    }

    pub fn value(self) -> u32 {
        self.0 as u32
    }

    /// How many programs had been started when it came, as far as it can be remembered.
    pub fn spawns(self) -> u32 {
        (self.0 >> SPAWNS & SPAWNS_MASK) as u32
    }

    pub fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub fn with(self, flags: u64) -> Word {
        Word(self.0 | flags & FLAGS)
    }

    pub fn without(self, flags: u64) -> Word {
        Word(self.0 & !(flags & FLAGS))
    }

    pub fn flags(self) -> u64 {
        self.0 & FLAGS
    }
}

/// The same count, as [`Word::spawns`] remembers it.
pub fn same_spawns(a: u32, b: u32) -> bool {
    u64::from(a) & SPAWNS_MASK == u64::from(b) & SPAWNS_MASK
}

/// An entry that its descriptor's closer has taken out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    pub word: Word,
    pub epolls: u64,
    pub stream: usize,
}

// SAFETY: atomics only, for which zero is a value.
#[allow(unsafe_code)]
unsafe impl Zeroed for Entry {}

static TABLE: Mapped<Entry> = Mapped::new();
/// No number above this one has an entry.
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

/// Whether there is memory for so many descriptors.
pub fn set_up(count: usize) -> bool {
    TABLE.map(count, false)
}

#[inline]
pub fn get(fd: c_int) -> Option<&'static Entry> {
    TABLE.all().get(usize::try_from(fd).ok()?)
}

pub fn word_of(fd: c_int) -> Word {
    get(fd).map(Entry::word).unwrap_or_default()
}

/// The numbers that may have entries, from `first` on.
pub fn numbers_from(first: c_int) -> impl Iterator<Item = (c_int, &'static Entry)> {
    let first = usize::try_from(first).unwrap_or(0);
    let all = TABLE.all();
    let end = all.len().min(HIGHEST.load(SeqCst) + 1);
    let entries = all.get(first..end).unwrap_or_default();
    (first as c_int..).zip(entries)
}

pub fn is_internal(fd: c_int) -> bool {
    get(fd).is_some_and(|entry| entry.word().kind() == Kind::Internal)
}

/// Notes a new descriptor: whatever was known of the number is out of date.
pub fn note(fd: c_int, word: Word) -> bool {
    let Some(entry) = get(fd) else {
        return false;
    };
    HIGHEST.fetch_max(fd as usize, SeqCst);
    entry.epolls.store(0, Relaxed);
    entry.stream.store(0, Relaxed);
    entry.word.store(word.0, SeqCst);
    true
}

impl Entry {
    #[inline]
    pub fn word(&self) -> Word {
        Word(self.word.load(SeqCst))
    }

    /// It was made here, and its holders are known as long as nothing comes between.
    pub fn is_counted(&self) -> bool {
        matches!(self.word().kind(), Kind::Alone | Kind::Counted)
    }

    /// Changes it, unless somebody else has meanwhile.
    pub fn replace(&self, old: Word, new: Word) -> bool {
        self.word
            .compare_exchange(old.0, new.0, SeqCst, SeqCst)
            .is_ok()
    }

    pub fn add_flags(&self, fd: c_int, flags: u64) {
        HIGHEST.fetch_max(fd as usize, SeqCst);
        self.word.fetch_or(flags & FLAGS, SeqCst);
    }

    pub fn remove_flags(&self, flags: u64) {
        self.word.fetch_and(!(flags & FLAGS), SeqCst);
    }

    /// Takes all out. Of two closers of one number the second finds nothing.
    #[inline]
    pub fn take(&self) -> Taken {
        if self.word.load(SeqCst) == 0
            && self.epolls.load(Relaxed) == 0
            && self.stream.load(Relaxed) == 0
        {
            return Taken::default();
        }
        Taken {
            epolls: self.epolls.swap(0, SeqCst),
            stream: self.stream.swap(0, SeqCst),
            word: Word(self.word.swap(0, SeqCst)),
        }
    }

    /// The descriptor was not closed after all.
    pub fn put_back(&self, taken: Taken) {
        self.epolls.store(taken.epolls, SeqCst);
        self.stream.store(taken.stream, SeqCst);
        self.word.store(taken.word.0, SeqCst);
    }

    pub fn add_epoll(&self, fd: c_int, bit: u64) {
        HIGHEST.fetch_max(fd as usize, SeqCst);
        self.epolls.fetch_or(bit, SeqCst);
    }

    /// If it is in one of these sets, it is in that one instead.
    pub fn replace_epolls(&self, old: u64, new: u64) {
        let in_one = |sets: u64| (sets & old != 0).then_some(sets & !old | new);
        let _ = self.epolls.fetch_update(SeqCst, SeqCst, in_one);
    }

    pub fn remove_epoll(&self, bit: u64) {
        self.epolls.fetch_and(!bit, SeqCst);
    }

    pub fn stream(&self) -> usize {
        self.stream.load(SeqCst)
    }

    pub fn set_stream(&self, fd: c_int, stream: usize) {
        HIGHEST.fetch_max(fd as usize, SeqCst);
        self.stream.store(stream, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{same_spawns, Entry, Kind, Word, CONNECTED, PASSED};

    #[test]
    fn a_word_keeps_its_parts_apart() {
        let word = Word::new(Kind::Counted, u32::MAX, 0x12_ff_ff_ff).with(CONNECTED);
        assert_eq!(word.kind(), Kind::Counted);
        assert_eq!(word.value(), u32::MAX);
        assert!(same_spawns(word.spawns(), 0x12_ff_ff_ff));
        assert!(!same_spawns(word.spawns(), 0x12_ff_ff_fe));
        assert!(word.has(CONNECTED) && !word.has(PASSED));
        assert_eq!(
            word.without(CONNECTED),
            Word::new(Kind::Counted, u32::MAX, 0xff_ff_ff)
        );
    }

    #[test]
    fn the_second_closer_finds_nothing() {
        let entry = Entry::default();
        entry.put_back(super::Taken {
            word: Word::new(Kind::Alone, 3, 0),
            epolls: 5,
            stream: 7,
        });
        let first = entry.take();
        assert_eq!((first.word.value(), first.epolls, first.stream), (3, 5, 7));
        let second = entry.take();
        assert_eq!(
            (second.word, second.epolls, second.stream),
            (Word::default(), 0, 0)
        );
    }
}
