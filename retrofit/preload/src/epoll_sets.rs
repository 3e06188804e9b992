//! The program's epoll sets: a registration outlives close() as long as a duplicate is open
//! anywhere, and would report our parked one for ever.

use crate::fd_table::{self, Kind, Taken, Word};
use crate::holders;
use crate::senders;
use crate::sys;
use libc::c_int;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

/// The last bit of a mask stands for all sets that have no place here.
const PLACES: usize = 63;
const ELSEWHERE: u64 = 1 << PLACES;

const FREE: i32 = -1;
/// Its number is closed, and the set may live on under another.
const LOST: i32 = -2;
static SETS: [AtomicI32; PLACES] = [const { AtomicI32::new(FREE) }; PLACES];
/// Those that have other names, too, or may have: a duplicate, or one in another process.
static SHARED: AtomicU64 = AtomicU64::new(0);
/// Those among them that are as old as a child of which no fork handler has heard.
static OF_UNSEEN: AtomicU64 = AtomicU64::new(0);

fn place_of(epoll: c_int) -> Option<usize> {
    let word = fd_table::get(epoll)?.word();
    (word.kind() == Kind::EpollSet).then_some(word.value() as usize)
}

fn place_for(epoll: c_int) -> Option<usize> {
    if let Some(place) = place_of(epoll) {
        return Some(place);
    }
    let place = take_place(epoll).or_else(|| {
        forget_lost();
        take_place(epoll)
    })?;
    // until it is known to be new
    SHARED.fetch_or(1 << place, SeqCst);
    // the bit that no place has tells whether there is such a child
    let is_old = OF_UNSEEN.load(SeqCst) >> PLACES;
    OF_UNSEEN.fetch_or(is_old << place, SeqCst);
    if fd_table::note(epoll, Word::new(Kind::EpollSet, place as u32, 0)) {
        return Some(place);
    }
    SETS[place].store(FREE, SeqCst);
    None
}

fn take_place(epoll: c_int) -> Option<usize> {
    let is_taken = |set: &AtomicI32| set.compare_exchange(FREE, epoll, SeqCst, SeqCst).is_ok();
    SETS.iter().position(is_taken)
}

/// Frees the places of sets that may live on unseen: what is registered in one of these is so
/// elsewhere. A server whose event loops are closed after a fork goes through all places.
fn forget_lost() {
    let is_lost = |place: &usize| SETS[*place].load(SeqCst) == LOST;
    let lost = (0..PLACES).filter(is_lost);
    let mask = lost.fold(0, |mask, place| mask | 1 << place);
    for (_, entry) in fd_table::numbers_from(0) {
        entry.replace_epolls(mask, ELSEWHERE);
    }
    for (place, set) in SETS.iter().enumerate() {
        if mask & 1 << place != 0 {
            let _ = set.compare_exchange(LOST, FREE, SeqCst, SeqCst);
        }
    }
}

pub fn created(epoll: c_int) {
    holders::forget(epoll);
    if let Some(place) = place_for(epoll) {
        SHARED.fetch_and(!(1 << place), SeqCst);
        OF_UNSEEN.fetch_and(!(1 << place), SeqCst);
    }
}

/// A set of which nothing is known may have other numbers: this may be a duplicate.
pub fn registered(epoll: c_int, fd: c_int) {
    let bit = place_for(epoll).map_or(ELSEWHERE, |place| 1 << place);
    if let Some(entry) = fd_table::get(fd) {
        entry.add_epoll(fd, bit);
    }
}

pub fn unregistered(epoll: c_int, fd: c_int) {
    if let (Some(place), Some(entry)) = (place_of(epoll), fd_table::get(fd)) {
        entry.remove_epoll(1 << place);
    }
}

pub fn duplicated(epoll: c_int) {
    if let Some(place) = place_of(epoll) {
        SHARED.fetch_or(1 << place, SeqCst);
    }
}

/// Whether one of these sets may be that of a child of which no fork handler has heard.
pub fn are_of_an_unseen_child(mask: u64) -> bool {
    mask & OF_UNSEEN.load(SeqCst) != 0
}

/// Parent and child have the same sets.
pub fn forked() {
    SHARED.store(u64::MAX, SeqCst);
}

/// The same, and nobody counts what the child holds.
pub fn forked_unseen() {
    OF_UNSEEN.store(u64::MAX, SeqCst);
    forked();
}

/// A descriptor is being closed; if it was an epoll set, its place is free, unless the set may
/// live on.
pub fn closed(taken: &Taken) {
    if taken.word.kind() != Kind::EpollSet {
        return;
    }
    let place = taken.word.value() as usize;
    let is_shared = SHARED.load(SeqCst) & 1 << place != 0;
    if let Some(set) = SETS.get(place) {
        set.store(if is_shared { LOST } else { FREE }, SeqCst);
    }
}

/// Takes a descriptor out of all of them; whether it is in none any more. Must be called while
/// the number is open: a registration is found by it.
pub fn leave(fd: c_int, mask: u64) -> bool {
    let seen = mask & ELSEWHERE == 0;
    // it can register descriptors unseen
    let unseen = senders::is_io_uring_in_use();
    if mask == 0 && !unseen {
        return true;
    }
    let mut complete = seen;
    for (place, set) in SETS.iter().enumerate() {
        if mask & 1 << place == 0 && !unseen {
            continue;
        }
        match set.load(SeqCst) {
            FREE => {}
            LOST => complete &= mask & 1 << place == 0,
            epoll => drop(sys::remove_from_epoll(epoll, fd)),
        }
    }
    complete
}
