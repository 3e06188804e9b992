//! The sockets that wait for their end: places of a fixed number, filled by any thread and
//! emptied by the background one.

use crate::room;
use crate::settings;
use crate::sys;
use crate::table::{self, Entry, Kind, Word};
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
    is_doubtful: AtomicU32,
}

impl Place {
    const fn new() -> Place {
        Place {
            state: AtomicU32::new(FREE),
            fd: AtomicI32::new(-1),
            is_doubtful: AtomicU32::new(0),
        }
    }
}

static PLACE: [Place; PLACES] = [const { Place::new() }; PLACES];
/// Taken or about to be. Waited for at the end of the process.
static COUNT: AtomicU32 = AtomicU32::new(0);
static NEXT_MARK: AtomicU32 = AtomicU32::new(0);
static NEXT: AtomicU32 = AtomicU32::new(0);
/// A timer that wakes the background thread; -1: there is none.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// The thread sleeps until it is rung.
static SLEEPING: AtomicU32 = AtomicU32::new(0);

/// A socket on its way to the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    pub fd: c_int,
    /// Whether nobody else holds it is still to be found out.
    pub is_doubtful: bool,
}

pub fn count() -> u32 {
    COUNT.load(SeqCst)
}

/// Waits until the count is another, or the time is up.
pub fn wait_for_change(count: u32, limit_ms: u64) {
    sys::sleep_while(&COUNT, count, limit_ms);
}

/// A place for one more, if the program's limit can afford it.
pub fn reserve() -> bool {
    let most = most(sys::descriptor_limit());
    let one_more = |count: u32| (count < most).then_some(count + 1);
    COUNT.fetch_update(SeqCst, SeqCst, one_more).is_ok()
}

pub fn give_back() {
    COUNT.fetch_sub(1, SeqCst);
    sys::wake_sleepers(&COUNT);
}

/// A program with a small limit has counted what it needs: it has none to spare.
fn most(limit: u64) -> u32 {
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

/// The program's low numbers stay free: for select(), and as it expects the lowest free one.
fn first_number(limit: u64) -> c_int {
    // what is above is of no use to select(), and all that is parked has room there
    const ABOVE_SELECT: u64 = libc::FD_SETSIZE as u64;
    if limit >= ABOVE_SELECT + ABOVE_SELECT / 2 {
        return ABOVE_SELECT as c_int;
    }
    (limit / 2).min(512) as c_int
}

/// A duplicate under a high number that is ours; `None` if there is none to spare.
pub fn duplicate(fd: c_int) -> Option<c_int> {
    let limit = sys::descriptor_limit();
    let high = sys::duplicate_above(fd, first_number(limit)).ok()?;
    let is_near_the_end = high as u64 >= room::first_of_the_reserve(limit);
    // each mark is another one, so that none is taken off twice
    let mark = Word::new(Kind::Internal, NEXT_MARK.fetch_add(1, Relaxed), 0);
    if is_near_the_end || !table::note(high, mark) {
        let _ = sys::close(high);
        return None;
    }
    Some(high)
}

/// Closes a number of ours.
pub fn close(fd: c_int) {
    let mark = mark_of(fd);
    let _ = sys::close(fd);
    disown(mark);
}

/// What says that a number is ours.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    fd: c_int,
    word: Word,
}

pub fn mark_of(fd: c_int) -> Mark {
    let word = table::get(fd).map(Entry::word).unwrap_or_default();
    Mark { fd, word }
}

/// It has been closed: it is another's from then on, who may have noted it already.
pub fn disown(mark: Mark) {
    if let (Some(entry), Kind::Internal) = (table::get(mark.fd), mark.word.kind()) {
        entry.replace(mark.word, Word::default());
    }
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
            place.is_doubtful.store(parked.is_doubtful.into(), SeqCst);
            place.state.store(READY, SeqCst);
            ring_if_asleep();
            return;
        }
    }
    // more places are reserved than there are: cannot be
    close(parked.fd);
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
        is_doubtful: place.is_doubtful.load(SeqCst) != 0,
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
pub fn after_fork_in_child() {
    for place in &PLACE {
        place.state.store(FREE, SeqCst);
    }
    COUNT.store(0, SeqCst);
    BELL.store(-1, SeqCst);
    SLEEPING.store(0, SeqCst);
    let kept = crate::record::descriptor();
    for (fd, entry) in table::numbers_from(0) {
        if entry.word().kind() == Kind::Internal && fd != kept {
            close(fd);
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
    let high = duplicate(low);
    let _ = sys::close(low);
    BELL.store(high.unwrap_or(-1), SeqCst);
    high.is_some()
}

/// Its number is wanted by the program. Who rings the old one at this very moment wakes nobody;
/// the thread looks again when its time comes.
pub fn move_bell() {
    let old = BELL.load(SeqCst);
    BELL.store(duplicate(old).unwrap_or(-1), SeqCst);
    close(old);
}

/// Its number is needed, and nobody waits; whether there was one.
pub fn take_down_bell() -> bool {
    let old = BELL.swap(-1, SeqCst);
    if old >= 0 {
        close(old);
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
    use super::{first_number, most};

    #[test]
    fn what_the_limit_can_afford() {
        assert_eq!(most(30), 0);
        assert_eq!(most(255), 0);
        assert_eq!(most(400), 100);
        assert_eq!(most(1024), 256);
        assert_eq!(most(u64::MAX), 256);
        assert_eq!(first_number(400), 200);
        assert_eq!(first_number(1024), 512);
        assert_eq!(first_number(1536), 1024);
        assert_eq!(first_number(u64::MAX), 1024);
    }
}
