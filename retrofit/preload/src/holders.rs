//! Who else holds a connection: counted, as the system does not tell.
//!
//! A descriptor that was made here is held by nobody else until it is duplicated or the process
//! forks; only then does it get a slot in a table that all processes forked from this one share.
//! Each holder's descriptor counts one there. Every mistake must be on the high side: one holder
//! too many makes an ordinary close, one too few breaks somebody's connection. What cannot be
//! counted (a descriptor that came by exec or in a message, or that a program started by vfork()
//! may have) is in doubt, and is looked up in /proc by the background thread.

pub mod births;

use crate::ancestry::Arrival;
use crate::fd_table::{self, same_spawns, Entry, Kind, Taken, Word, FORKING, PASSED, RECEIVED};
use crate::slots::{
    self, new_slot, Slot, FLAGS_KEPT, HOLDERS, ORPHAN, PASSED_BY_EXEC, SENT_AWAY, STRAY, UNTRUSTED,
};
use crate::sys;
use libc::c_int;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Forks begun, and those under way.
static FORKS: AtomicU32 = AtomicU32::new(0);
static FORKS_NOW: AtomicU32 = AtomicU32::new(0);
/// The same for programs that are started without a fork that we count.
static SPAWNS: AtomicU32 = AtomicU32::new(0);
static SPAWNS_NOW: AtomicU32 = AtomicU32::new(0);

/// How a descriptor stands that is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody else holds it.
    Last,
    /// By the count, somebody else does.
    Shared,
    /// Somebody else does, or may always.
    Held,
    /// Only /proc can tell.
    Doubt(Arrival),
}

/// Taken before a descriptor is made: it tells afterwards whether a fork came in between.
#[derive(Clone, Copy)]
pub struct Birth {
    forks: u32,
    spawns: u32,
    is_sure: bool,
}

pub fn before_birth() -> Birth {
    Birth {
        is_sure: FORKS_NOW.load(SeqCst) == 0,
        forks: FORKS.load(SeqCst),
        spawns: SPAWNS.load(SeqCst),
    }
}

/// Notes a descriptor that the system has just made for this process.
pub fn born(fd: c_int, birth: Birth) {
    forget(fd);
    if birth.is_sure {
        fd_table::note(fd, Word::new(Kind::Alone, birth.forks, birth.spawns));
    }
}

/// The number means something else now; it was closed without our knowing.
pub fn forget(fd: c_int) {
    if let Some(entry) = fd_table::get(fd) {
        let word = entry.take().word;
        if let Some(slot) = slot_of(word) {
            slot.leave();
        }
    }
}

fn slot_of(word: Word) -> Option<&'static Slot> {
    match word.kind() {
        Kind::Counted => slots::slot(word.value()),
        _ => None,
    }
}

/// It has come in a message, under a number that meant something else before.
pub fn received(fd: c_int) {
    forget(fd);
    if let Some(entry) = fd_table::get(fd) {
        entry.add_flags(fd, RECEIVED);
    }
}

/// The kernel's number of a socket, the same under all its descriptors.
pub fn cookie(fd: c_int) -> Option<u64> {
    let mut cookie = 0u64;
    sys::option(fd, libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie).ok()?;
    Some(cookie)
}

/// Has a descriptor's holders counted from now on; `None` if they are not known.
fn count(fd: c_int, entry: &Entry) -> Option<&'static Slot> {
    loop {
        let word = entry.word();
        match word.kind() {
            Kind::Counted => return slot_of(word),
            Kind::Alone if word.value() == FORKS.load(SeqCst) => {}
            _ => return None,
        }
        let mut flags = 0;
        if may_be_inherited(fd, word) {
            flags |= UNTRUSTED;
        }
        if word.has(PASSED) {
            flags |= SENT_AWAY;
        }
        let slot = new_slot(cookie(fd)?, flags)?;
        let counted = Word::new(Kind::Counted, slot, word.spawns()).with(word.flags());
        if entry.replace(word, counted) {
            return slot_of(counted);
        }
        // a thread beside us has counted it, or closed it
        slot_of(counted)?.leave();
    }
}

/// A program was started since, not by a fork that we count, and it got the descriptor unless
/// that is close-on-exec.
fn may_be_inherited(fd: c_int, word: Word) -> bool {
    let started = SPAWNS_NOW.load(SeqCst) != 0 || !same_spawns(word.spawns(), SPAWNS.load(SeqCst));
    let cloexec = libc::FD_CLOEXEC as usize;
    started && !sys::descriptor_flags(fd).is_ok_and(|flags| flags & cloexec != 0)
}

/// No fork has begun since then, and none was under way.
fn is_settled(since: Birth) -> bool {
    since.is_sure && FORKS_NOW.load(SeqCst) == 0 && FORKS.load(SeqCst) == since.forks
}

/// Gives up a descriptor that is still open, and of which `taken` was known. `since` is from
/// before that: a fork in another thread may have counted a child that came too late to have
/// the descriptor, or too early to have it counted.
pub fn release(fd: c_int, taken: &Taken, since: Birth) -> Standing {
    match release_as_known(fd, taken) {
        Standing::Shared | Standing::Last if !is_settled(since) => Standing::Doubt(Arrival::Made),
        Standing::Shared => Standing::Held,
        standing => standing,
    }
}

fn release_as_known(fd: c_int, taken: &Taken) -> Standing {
    let word = taken.word;
    match word.kind() {
        Kind::Alone if word.has(PASSED) => Standing::Held,
        Kind::Alone if word.value() != FORKS.load(SeqCst) => Standing::Doubt(Arrival::Made),
        Kind::Alone if may_be_inherited(fd, word) => Standing::Doubt(Arrival::Counted),
        Kind::Alone => Standing::Last,
        Kind::Counted => release_counted(fd, taken),
        _ if word.has(PASSED) => Standing::Held,
        _ if word.has(RECEIVED) => Standing::Doubt(Arrival::Received),
        _ => Standing::Doubt(Arrival::Inherited),
    }
}

fn release_counted(fd: c_int, taken: &Taken) -> Standing {
    let Some(slot) = slot_of(taken.word) else {
        return Standing::Doubt(Arrival::Inherited);
    };
    let is_same = cookie(fd) == Some(slot.cookie.load(SeqCst));
    let mut flags = 0;
    if may_be_inherited(fd, taken.word) {
        flags |= UNTRUSTED;
    }
    if taken.word.has(PASSED) {
        flags |= SENT_AWAY;
    }
    // what we leave registered is a stray to those who stay, not to ourselves
    let stray = if taken.epolls == 0 { 0 } else { STRAY };
    let was = slot.state.fetch_or(flags | stray, SeqCst);
    let before = slot.leave();
    if !is_same {
        return Standing::Doubt(Arrival::Inherited);
    }
    if before & SENT_AWAY != 0 || was & STRAY != 0 {
        return Standing::Held;
    }
    if before & HOLDERS > 1 {
        return Standing::Shared;
    }
    if before & PASSED_BY_EXEC != 0 {
        return Standing::Doubt(Arrival::Made);
    }
    if before & UNTRUSTED != 0 {
        return Standing::Doubt(Arrival::Counted);
    }
    Standing::Last
}

/// The descriptor was not closed after all.
pub fn take_back(fd: c_int, taken: Taken) {
    if let Some(entry) = fd_table::get(fd) {
        // its holders are not known any more if they were counted
        let word = match taken.word.kind() {
            Kind::Counted => Word::default().with(taken.word.flags()),
            _ => taken.word,
        };
        entry.put_back(Taken { word, ..taken });
    }
}

/// A duplicate that is about to be made.
pub struct Duplicate {
    word: Word,
    slot: Option<&'static Slot>,
    forks: u32,
}

pub fn before_duplicate(fd: c_int) -> Duplicate {
    let forks = FORKS.load(SeqCst);
    let entry = fd_table::get(fd);
    let slot = entry.and_then(|entry| count(fd, entry));
    if let Some(slot) = slot {
        slot.state.fetch_add(1, SeqCst);
    }
    let word = entry.map_or(Word::default(), Entry::word);
    Duplicate { word, slot, forks }
}

impl Duplicate {
    /// It is there, under this number.
    pub fn made(self, fd: c_int) {
        forget(fd);
        if FORKS.load(SeqCst) != self.forks || FORKS_NOW.load(SeqCst) != 0 {
            // a child may have it without being counted
            if let Some(slot) = self.slot {
                slot.state.fetch_or(UNTRUSTED, SeqCst);
            }
        }
        let flags = self.word.flags() & !FORKING;
        if self.slot.is_some() {
            fd_table::note(fd, self.word.without(FORKING));
        } else if flags != 0 {
            fd_table::note(fd, Word::default().with(flags));
        }
    }

    pub fn failed(self) {
        if let Some(slot) = self.slot {
            slot.leave();
        }
    }
}

/// It is being sent to some process: from now on it is never certain who holds it.
pub fn passed(fd: c_int) {
    if let Some(entry) = fd_table::get(fd) {
        entry.add_flags(fd, PASSED);
        match entry.word().kind() {
            Kind::Counted => {
                if let Some(slot) = slot_of(entry.word()) {
                    slot.state.fetch_or(SENT_AWAY, SeqCst);
                }
            }
            Kind::Unknown => passed_uncounted(fd),
            _ => {}
        }
    }
}

/// What has come by exec or in a message may have other numbers, which are not counted: inetd gives a
/// connection as 0, 1 and 2.
fn passed_uncounted(fd: c_int) {
    let Some(same) = cookie(fd) else { return };
    let noted = fd_table::numbers_from(0).count() as c_int;
    for other in 0..noted.max(fd_table::INHERITED) {
        let entry = fd_table::get(other).filter(|entry| entry.word().kind() == Kind::Unknown);
        if let Some(entry) = entry.filter(|_| cookie(other) == Some(same)) {
            entry.add_flags(other, PASSED);
        }
    }
}

/// A child of vfork() has made a duplicate, or passes it on: its memory is ours, its descriptors
/// are not.
pub fn duplicated_elsewhere(fd: c_int) {
    if let Some(entry) = fd_table::get(fd) {
        match slot_of(entry.word()) {
            Some(slot) => drop(slot.state.fetch_or(UNTRUSTED, SeqCst)),
            None if entry.word().kind() == Kind::Alone => {
                // of another time: in doubt
                let word = entry.word();
                let doubtful = Word::new(Kind::Alone, FORKS.load(SeqCst).wrapping_sub(1), 0);
                entry.replace(word, doubtful.with(word.flags()));
            }
            None => {}
        }
    }
}

/// It is about to be made close-on-exec: who was started before has it all the same.
pub fn inherited_until_now(fd: c_int) {
    let word = fd_table::word_of(fd);
    if matches!(word.kind(), Kind::Alone | Kind::Counted) && may_be_inherited(fd, word) {
        duplicated_elsewhere(fd);
    }
}

/// By the count alone somebody else has it, who may be about to close it.
pub fn is_shared_for_now(fd: c_int) -> bool {
    let word = fd_table::get(fd).map(Entry::word).unwrap_or_default();
    slot_of(word).is_some_and(|slot| {
        let state = slot.state.load(SeqCst);
        state & FLAGS_KEPT == 0 && state & HOLDERS > ours(word)
    })
}

/// So many numbers of this process are counted there.
fn ours(word: Word) -> u64 {
    let is_same = |one: Word| one.kind() == word.kind() && one.value() == word.value();
    let all = fd_table::numbers_from(0);
    all.filter(|(_, entry)| is_same(entry.word())).count() as u64
}

/// Whether no other process has it, for certain.
pub fn is_ours_alone(fd: c_int) -> bool {
    let word = fd_table::get(fd).map(Entry::word).unwrap_or_default();
    if FORKS_NOW.load(SeqCst) != 0 || may_be_inherited(fd, word) || word.has(PASSED) {
        return false;
    }
    match (word.kind(), slot_of(word)) {
        (Kind::Alone, _) => word.value() == FORKS.load(SeqCst),
        (_, Some(slot)) => {
            let state = slot.state.load(SeqCst);
            let is_clean = state & (FLAGS_KEPT | ORPHAN) == 0;
            let is_it = cookie(fd) == Some(slot.cookie.load(SeqCst));
            is_clean && is_it && state & HOLDERS == ours(word)
        }
        _ => false,
    }
}

/// At the end of the process nothing is held any more.
pub fn before_end() {
    for (_, entry) in fd_table::numbers_from(0) {
        if let Some(slot) = slot_of(entry.take().word) {
            slot.leave();
        }
    }
}
