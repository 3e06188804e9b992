//! The sockets that wait for their end: places of a fixed number, filled by any thread and
//! emptied by the background one.

use crate::ancestry::Arrival;
use crate::fd_table::{self, Kind};
use crate::own_fds::{self, Mark};
use crate::settings;
use crate::sys;
use libc::c_int;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

pub const PLACES: usize = 256;

const FREE: u32 = 0;
const FILLING: u32 = 1;
const READY: u32 = 2;
const ADOPTED: u32 = 3;

struct Place {
    state: AtomicU32,
    fd: AtomicI32,
    /// [`code`]
    doubt: AtomicU32,
}

impl Place {
    const fn new() -> Place {
        Place {
            state: AtomicU32::new(FREE),
            fd: AtomicI32::new(-1),
            doubt: AtomicU32::new(0),
        }
    }
}

static PLACE: [Place; PLACES] = [const { Place::new() }; PLACES];
/// Taken or about to be. Waited for at the end of the process.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// So many threads wait for another count. Most closes end without one: a call is saved.
static SLEEPERS: AtomicU32 = AtomicU32::new(0);
/// So many are half of what there is room for, as it was found when there were so many.
static HALF: AtomicU32 = AtomicU32::new(u32::MAX);
static NEXT: AtomicU32 = AtomicU32::new(0);
/// A timer that wakes the background thread; -1: there is none.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// The thread sleeps until it is rung.
static SLEEPING: AtomicU32 = AtomicU32::new(0);

/// A socket on its way to the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    pub fd: c_int,
    /// Whether nobody else holds it is still to be found out, of a socket that came so.
    pub doubt: Option<Arrival>,
}

/// For an atomic.
fn code(doubt: Option<Arrival>) -> u32 {
    match doubt {
        None => 0,
        Some(Arrival::Counted) => 1,
        Some(Arrival::Made) => 2,
        Some(Arrival::Inherited) => 3,
        Some(Arrival::Received) => 4,
    }
}

fn decoded(code: u32) -> Option<Arrival> {
    match code {
        0 => None,
        1 => Some(Arrival::Counted),
        2 => Some(Arrival::Made),
        3 => Some(Arrival::Inherited),
        _ => Some(Arrival::Received),
    }
}

pub fn count() -> u32 {
    COUNT.load(SeqCst)
}

/// Waits until the count is another, or the time is up.
pub fn wait_for_change(count: u32, limit_ms: u64) {
    SLEEPERS.fetch_add(1, SeqCst);
    sys::sleep_while(&COUNT, count, limit_ms);
    SLEEPERS.fetch_sub(1, SeqCst);
}

/// A place for one more, if the program's limit can afford it: what the limit is.
pub fn reserve() -> Option<u64> {
    let limit = sys::descriptor_limit();
    let capacity = capacity(limit);
    let one_more = |count: u32| (count < capacity).then_some(count + 1);
    let before = COUNT.fetch_update(SeqCst, SeqCst, one_more).ok()?;
    if before == capacity / 2 {
        HALF.store(before, Relaxed);
        // a thread that naps looks before there is none left
        ring();
    }
    Some(limit)
}

/// Whether less than half of the room is taken. Who has rung at the half may have been heard, and
/// forgotten, before the thread naps.
pub fn has_much_room() -> bool {
    count() <= HALF.load(Relaxed)
}

/// Whether a thread of the program sleeps until another one has ended.
pub fn is_waited_for() -> bool {
    SLEEPERS.load(SeqCst) > 0
}

pub fn give_back() {
    COUNT.fetch_sub(1, SeqCst);
    // who is about to sleep says so first, and then sees the new count
    if SLEEPERS.load(SeqCst) > 0 {
        sys::wake_sleepers(&COUNT);
    }
}

/// A program with a small limit has counted what it needs: it has none to spare.
fn capacity(limit: u64) -> u32 {
    const SMALL: u64 = 256;
    if limit < SMALL {
        return 0;
    }
    let quarter = u32::try_from(limit / 4).unwrap_or(u32::MAX);
    settings::MAX_PARKED
        .load(Relaxed)
        .min(quarter)
        .min(PLACES as u32)
}

/// Waits until a number of ours is closed. The background thread ends it in time; should there be
/// none any more, it is not waited for much longer.
pub fn wait_until_closed(mark: Mark, timeout_ms: u32) {
    const LOOK_AGAIN_MS: u64 = 100;
    const MORE_MS: u64 = 500;
    let until = sys::now_ms() + u64::from(timeout_ms) + MORE_MS;
    // said before it rings: the thread does not nap while somebody waits, and may hear the bell and forget it before it
    // would
    SLEEPERS.fetch_add(1, SeqCst);
    ring();
    loop {
        let count = count();
        if !mark.is_there() || count == 0 || sys::now_ms() >= until {
            break;
        }
        wait_for_change(count, LOOK_AGAIN_MS);
    }
    SLEEPERS.fetch_sub(1, SeqCst);
}

/// Puts it where a place has been reserved, and wakes the thread if it sleeps.
pub fn hand_over(parked: Parked) {
    let first = NEXT.fetch_add(1, Relaxed) as usize;
    for at in first..first + PLACES {
        let place = &PLACE[at % PLACES];
        if place
            .state
            .compare_exchange(FREE, FILLING, SeqCst, SeqCst)
            .is_ok()
        {
            place.fd.store(parked.fd, SeqCst);
            place.doubt.store(code(parked.doubt), SeqCst);
            place.state.store(READY, SeqCst);
            ring_if_asleep();
            return;
        }
    }
    // more places are reserved than there are: cannot be
    own_fds::close(parked.fd);
    give_back();
}

/// For the background thread: what has been handed over to this place.
pub fn adopt(place: usize) -> Option<Parked> {
    let place = PLACE.get(place)?;
    place
        .state
        .compare_exchange(READY, ADOPTED, SeqCst, SeqCst)
        .ok()?;
    Some(Parked {
        fd: place.fd.load(SeqCst),
        doubt: decoded(place.doubt.load(SeqCst)),
    })
}

/// The place's socket is closed.
pub fn finished(place: usize) {
    if let Some(place) = PLACE.get(place) {
        place.state.store(FREE, SeqCst);
    }
    give_back();
}

pub fn is_any_ready() -> bool {
    PLACE.iter().any(|place| place.state.load(SeqCst) == READY)
}

/// In a forked child: these are the parent's. Our duplicates would keep its connections open.
/// `kept`: the one number of ours that is not closed.
pub fn after_fork_in_child(kept: c_int) {
    for place in &PLACE {
        place.state.store(FREE, SeqCst);
    }
    COUNT.store(0, SeqCst);
    SLEEPERS.store(0, SeqCst);
    BELL.store(-1, SeqCst);
    SLEEPING.store(0, SeqCst);
    for (fd, entry) in fd_table::numbers_from(0) {
        if entry.word().kind() == Kind::Internal && fd != kept {
            own_fds::close(fd);
        }
    }
}

/// Makes the bell, or tells that it is there.
pub fn hang_bell() -> bool {
    if BELL.load(SeqCst) >= 0 {
        return true;
    }
    let Ok(low) = sys::new_bell() else {
        return false;
    };
    let high = own_fds::duplicate(low);
    let _ = sys::close(low);
    BELL.store(high.unwrap_or(-1), SeqCst);
    high.is_some()
}

/// Its number is wanted by the program. Who rings the old one at this very moment wakes nobody;
/// the thread looks again when its time comes.
pub fn move_bell() {
    let old = BELL.load(SeqCst);
    BELL.store(own_fds::duplicate(old).unwrap_or(-1), SeqCst);
    own_fds::close(old);
}

/// Its number is needed, and nobody waits; whether there was one.
pub fn take_down_bell() -> bool {
    let old = BELL.swap(-1, SeqCst);
    if old >= 0 {
        own_fds::close(old);
    }
    old >= 0
}

pub fn bell() -> c_int {
    BELL.load(SeqCst)
}

pub fn ring() {
    let bell = BELL.load(SeqCst);
    if bell >= 0 {
        sys::ring(bell);
    }
}

fn ring_if_asleep() {
    if SLEEPING.swap(0, SeqCst) == 1 {
        ring();
    }
}

/// The thread is about to sleep; it must look once more after saying so.
pub fn fall_asleep() {
    SLEEPING.store(1, SeqCst);
}

pub fn wake_up() {
    SLEEPING.store(0, SeqCst);
    let bell = BELL.load(SeqCst);
    if bell >= 0 {
        sys::silence(bell);
    }
}

#[cfg(test)]
mod tests {
    use super::capacity;

    #[test]
    fn what_the_limit_can_afford() {
        assert_eq!(capacity(30), 0);
        assert_eq!(capacity(255), 0);
        assert_eq!(capacity(400), 100);
        assert_eq!(capacity(1024), 256);
        assert_eq!(capacity(u64::MAX), 256);
    }
}
