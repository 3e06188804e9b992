//! Numbers for the program: no call of its may be refused one because of those that we have
//! taken. The one rule, for whatever makes descriptors.

use crate::own_fds::{self, first_of_the_reserve};
use crate::park;
use crate::process;
use crate::reaper;
use crate::sys;
use libc::c_int;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// As often a call is made again: each time something of ours has been given up before.
const TRIES: usize = park::PLACES;

/// Makes a descriptor. `number` tells what came of it, -1 for a failure, and `errno` why: with no
/// number left, what we have is given up, piece by piece, and the call is made again.
pub fn for_one<R>(real: impl Fn() -> R, number: impl Fn(&R) -> c_int, errno: fn() -> c_int) -> R {
    match process::is_own() {
        true => for_one_of_own(real, number, errno),
        false => real(),
    }
}

/// The same, where it is known that the process is its own.
pub fn for_one_of_own<R>(
    real: impl Fn() -> R,
    number: impl Fn(&R) -> c_int,
    errno: fn() -> c_int,
) -> R {
    let mut result = real();
    let mut has_more = true;
    for _ in 0..TRIES {
        let is_refused = number(&result) < 0 && errno() == libc::EMFILE;
        if !is_refused || !has_more {
            break;
        }
        has_more = reaper::let_go(piece(sys::descriptor_limit()));
        // another thread's call may have been what something was given up for
        result = real();
    }
    taken(number(&result));
    result
}

/// The program has got this number. The C library opens files of its own accord, too
/// (getaddrinfo(), dlopen()), where nobody can try again: for these the last eighth stays free.
pub fn taken(fd: c_int) {
    if park::count() == 0 || fd < 0 || own_fds::is_far_below(fd) {
        return;
    }
    let limit = sys::descriptor_limit();
    if fd as u64 >= first_of_the_reserve(limit) && !is_on_its_way() {
        ON_ITS_WAY.store(piece(limit), Relaxed);
        reaper::let_go_soon(piece(limit));
    }
}

/// So many numbers of the reserve may be taken before more is given up: what has been asked for comes
/// a little later.
static ON_ITS_WAY: AtomicU32 = AtomicU32::new(0);

fn is_on_its_way() -> bool {
    let one_less = |left: u32| left.checked_sub(1);
    ON_ITS_WAY.fetch_update(Relaxed, Relaxed, one_less).is_ok()
}

/// So many are given up at once: few, as each may cost a peer its answer, but not each time a
/// file is opened.
fn piece(limit: u64) -> u32 {
    (limit / 32).clamp(1, park::PLACES as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::piece;

    #[test]
    fn what_stays_free() {
        assert_eq!(piece(256), 8);
        assert_eq!(piece(16), 1);
        assert_eq!(piece(u64::MAX), 256);
    }
}
