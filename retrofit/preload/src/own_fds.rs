//! The numbers that the library has for itself: above those that the program needs, and marked, so
//! that the program cannot close them.

use crate::fd_table::{self, Kind, Word};
use crate::files;
use crate::sys;
use libc::c_int;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

static NEXT_MARK: AtomicU32 = AtomicU32::new(0);
/// No number of ours has ever been below this one.
static LOWEST: AtomicI32 = AtomicI32::new(c_int::MAX);

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
    duplicate_within(fd, sys::descriptor_limit())
}

/// The same, with the limit of the program as it is now.
pub fn duplicate_within(fd: c_int, limit: u64) -> Option<c_int> {
    let high = sys::duplicate_above(fd, first_number(limit)).ok()?;
    LOWEST.fetch_min(high, Relaxed);
    let is_near_the_end = high as u64 >= first_of_the_reserve(limit);
    // each mark is another one, so that none is taken off twice
    let mark = Word::new(Kind::Internal, NEXT_MARK.fetch_add(1, Relaxed), 0);
    if is_near_the_end || !fd_table::note(high, mark) {
        let _ = sys::close(high);
        return None;
    }
    Some(high)
}

/// Whether a number lies where ours are.
pub fn may_be_ours(fd: c_int) -> bool {
    fd >= first_number(sys::descriptor_limit())
}

/// One that the program before has left to us; whether it can be ours.
pub fn take_over(fd: c_int) -> bool {
    let mark = Word::new(Kind::Internal, NEXT_MARK.fetch_add(1, Relaxed), 0);
    LOWEST.fetch_min(fd, Relaxed);
    files::close_by_exec(fd, true);
    fd_table::note(fd, mark)
}

/// Whether a number of the program's lies so far below all of ours that they are in nobody's way, whatever the
/// limit is now: the reserve of a limit that begins at or below it ends below ours.
pub fn is_far_below(fd: c_int) -> bool {
    (fd as u64) < first_of_the_reserve(LOWEST.load(Relaxed) as u64)
}

/// Ours are never these.
pub fn first_of_the_reserve(limit: u64) -> u64 {
    limit - limit / 8
}

/// Closes a number of ours, unless the program has put something of its own there meanwhile.
pub fn close(fd: c_int) {
    let mark = mark_of(fd);
    if mark.word.kind() != Kind::Internal {
        return;
    }
    let _ = sys::close(fd);
    disown(mark);
}

/// What says that a number is ours.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    fd: c_int,
    word: Word,
}

impl Mark {
    /// It has not been closed since.
    pub fn is_there(self) -> bool {
        fd_table::word_of(self.fd) == self.word
    }
}

pub fn mark_of(fd: c_int) -> Mark {
    Mark {
        fd,
        word: fd_table::word_of(fd),
    }
}

/// It has been closed: it is another's from then on, who may have noted it already.
pub fn disown(mark: Mark) {
    if let (Some(entry), Kind::Internal) = (fd_table::get(mark.fd), mark.word.kind()) {
        entry.replace(mark.word, Word::default());
    }
}

#[cfg(test)]
mod tests {
    use super::{first_number, first_of_the_reserve};

    #[test]
    fn the_program_keeps_what_it_needs() {
        assert_eq!(first_number(400), 200);
        assert_eq!(first_number(1024), 512);
        assert_eq!(first_number(1536), 1024);
        assert_eq!(first_number(u64::MAX), 1024);
        assert_eq!(first_of_the_reserve(256), 224);
    }

    /// Who is below the reserve of one limit is in that of a smaller one only, below which there is none of ours.
    #[test]
    fn a_larger_limit_has_no_lower_reserve() {
        let reserves: Vec<u64> = (0..5000).map(first_of_the_reserve).collect();
        assert!(reserves.windows(2).all(|two| two[0] <= two[1]));
    }
}
