//! What a process hands on to the program that it turns into by exec. Superservers fork, and the
//! child becomes the service: its program cannot look into a superserver of another user, and
//! would have to take it for a holder.
//!
//! Who is the only one with a connection leaves a lock on it, which goes with the open file through
//! exec (F_OFD_SETLK; nobody else locks sockets). Its place says for which process, and for which
//! program: one without this library may come between, and share the connection unseen.

use crate::fd_table::{self, CONNECTED, LEFT_TO_US};
use crate::files;
use crate::holders;
use crate::memory::{Mapped, Zeroed};
use crate::partial;
use crate::real;
use crate::sys;
use crate::tcp;
use crate::waiting;
use libc::c_int;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// A superserver closes its descriptor right after the fork, often a little later than we come
/// here: it is given so long.
const PATIENCE_MS: u64 = 8;

/// Numbers above are hardly handed on to a program that knows of them.
const NUMBERS: c_int = 16;

/// Before exec of this program, while everything is as it was.
pub fn leave_locks(program: &CStr) {
    if !partial::sees_all() {
        return;
    }
    let until = sys::now_ms() + PATIENCE_MS;
    for fd in 0..NUMBERS {
        if !is_counted(fd) || is_closed_by_exec(fd) {
            continue;
        }
        // who has it from the program before, as a shell has its script's, goes on with it
        let is_from_superserver =
            fd_table::get(fd).is_some_and(|entry| !entry.word().has(LEFT_TO_US));
        if is_from_superserver && is_patience_worth_it() {
            wait_for_superserver(fd, until);
        }
        if holders::is_ours_alone(fd) {
            let _ = files::lock(fd, place_for(program.to_bytes()));
        }
    }
}

fn wait_for_superserver(fd: c_int, until: u64) {
    while holders::is_shared_for_now(fd) && sys::now_ms() < until {
        waiting::wait_us(100);
    }
    if let Some(in_vain) = IN_VAIN.all().first() {
        match holders::is_shared_for_now(fd) {
            true => drop(in_vain.0.fetch_add(1, SeqCst)),
            false => in_vain.0.store(0, SeqCst),
        }
    }
}

/// So often it was waited for in vain: a server that keeps the connections of its helpers is not
/// waited for at each.
pub struct Count(AtomicU32);

// SAFETY: an atomic, for which zero is a value.
#[allow(unsafe_code)]
unsafe impl Zeroed for Count {}

static IN_VAIN: Mapped<Count> = Mapped::new();
const MOST_IN_VAIN: u32 = 3;

pub fn set_up() -> bool {
    IN_VAIN.map(1, true)
}

fn is_patience_worth_it() -> bool {
    let all = IN_VAIN.all();
    all.first()
        .is_some_and(|count| count.0.load(SeqCst) < MOST_IN_VAIN)
}

/// Exec has failed, or has come to its end.
pub fn remove_locks() {
    for fd in (0..NUMBERS).filter(|fd| is_counted(*fd)) {
        files::unlock(fd);
    }
}

fn is_counted(fd: c_int) -> bool {
    fd_table::get(fd).is_some_and(fd_table::Entry::is_counted)
}

fn is_closed_by_exec(fd: c_int) -> bool {
    let cloexec = libc::FD_CLOEXEC as usize;
    sys::descriptor_flags(fd).map_or(true, |flags| flags & cloexec != 0)
}

/// By the constructor: what has been left to this program is counted from now on.
pub fn read_locks() {
    let Some(path) = real::path() else {
        return;
    };
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let places = [place_for(path), place_for(name)];
    for fd in 0..NUMBERS {
        let place = files::locked_place(fd);
        if place.is_some_and(|place| places.contains(&place)) && tcp::is_one(fd) {
            take_over(fd);
        }
    }
    // it says nothing of what is shared from now on
    remove_locks();
}

fn take_over(fd: c_int) {
    let cookie = holders::cookie(fd);
    let is_same = |other: &c_int| is_counted(*other) && holders::cookie(*other) == cookie;
    match (0..fd).find(is_same) {
        Some(other) => holders::before_duplicate(other).made(fd),
        None => holders::born(fd, holders::before_birth()),
    }
    if let Some(entry) = fd_table::get(fd) {
        let is_client = tcp::was_connected(fd);
        entry.add_flags(
            fd,
            if is_client {
                LEFT_TO_US | CONNECTED
            } else {
                LEFT_TO_US
            },
        );
    }
}

/// The number of this process, and FNV-1a of the program's name.
fn place_for(program: &[u8]) -> i64 {
    const HASH: u32 = 40;
    let hash = program.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    // there are no more than 2^22 processes
    i64::from(sys::pid()) << HASH | (hash >> (u64::BITS - HASH)) as i64
}
