//! What becomes of the counts when a process is made, or turns into another program.

use super::{count, slot_of, FORKS, FORKS_NOW, SPAWNS, SPAWNS_NOW};
use crate::fd_table::{self, Kind, FORKING};
use crate::slots::{PASSED_BY_EXEC, UNTRUSTED};
use crate::sys;
use std::sync::atomic::Ordering::SeqCst;

/// Before fork(): the child holds all that we do.
pub fn before_fork() {
    FORKS_NOW.fetch_add(1, SeqCst);
    for (fd, entry) in fd_table::numbers_from(0) {
        if !matches!(entry.word().kind(), Kind::Alone | Kind::Counted) {
            continue;
        }
        if let Some(slot) = count(fd, entry) {
            slot.state.fetch_add(1, SeqCst);
            entry.add_flags(fd, FORKING);
        }
    }
    // an entry that was made meanwhile remembers the former count
    FORKS.fetch_add(1, SeqCst);
}

pub fn after_fork_in_parent() {
    FORKS_NOW.fetch_sub(1, SeqCst);
}

/// There is no child that would hold anything.
pub fn fork_failed() {
    for (_, entry) in fd_table::numbers_from(0) {
        let word = entry.word();
        if word.has(FORKING) {
            if let Some(slot) = slot_of(word) {
                slot.leave();
            }
            entry.remove_flags(FORKING);
        }
    }
}

pub fn after_fork_in_child() {
    FORKS_NOW.store(0, SeqCst);
    SPAWNS_NOW.store(0, SeqCst);
    for (_, entry) in fd_table::numbers_from(0) {
        if entry.word().has(FORKING) {
            entry.remove_flags(FORKING);
        }
    }
}

/// A child is about to be made of which no fork handler hears: nothing is certain any more.
pub fn before_uncounted_fork() {
    FORKS.fetch_add(1, SeqCst);
    for (_, entry) in fd_table::numbers_from(0) {
        if let Some(slot) = slot_of(entry.word()) {
            slot.state.fetch_or(UNTRUSTED, SeqCst);
        }
    }
}

/// A program is being started, and not by a fork that we count.
pub fn before_spawn() {
    SPAWNS_NOW.fetch_add(1, SeqCst);
    SPAWNS.fetch_add(1, SeqCst);
}

pub fn after_spawn() {
    SPAWNS.fetch_add(1, SeqCst);
    SPAWNS_NOW.fetch_sub(1, SeqCst);
}

/// A child of vfork() turns into another program.
pub fn exec_elsewhere() {
    SPAWNS.fetch_add(1, SeqCst);
}

/// Before exec: of what the new program gets nobody is counted, and the rest is closed.
pub fn before_exec() {
    for (fd, entry) in fd_table::numbers_from(0) {
        let Some(slot) = slot_of(entry.word()) else {
            continue;
        };
        let cloexec = libc::FD_CLOEXEC as usize;
        if !sys::descriptor_flags(fd).is_ok_and(|flags| flags & cloexec != 0) {
            slot.state.fetch_or(PASSED_BY_EXEC, SeqCst);
        }
        slot.leave_by_exec();
    }
}

/// It failed: everything is as it was.
pub fn exec_failed() {
    for (_, entry) in fd_table::numbers_from(0) {
        if let Some(slot) = slot_of(entry.word()) {
            slot.come_back();
        }
    }
}
