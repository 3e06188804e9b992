//! Where descriptors are closed and duplicated.

use super::{fail, openings, real, refused_or};
use crate::close::{self, Sent};
use crate::epoll_sets;
use crate::fd_table;
use crate::holders;
use crate::observe;
use crate::process;
use crate::reaper;
use crate::sys;
use crate::thread;
use graceful_close_retrofit::observe::Call;
use libc::{c_int, c_uint, Ioctl};

/// # Safety
/// As close().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C-unwind" fn close(fd: c_int) -> c_int {
    if process::is_awake() {
        // as the system's close does, and while nothing has been done
        thread::be_cancelled_if_asked();
    }
    refused_or(close::close(fd, Call::Close, || real_close(fd)))
}

/// By way of the C library, for which it is a cancellation point; before that can be asked, by
/// system call.
fn real_close(fd: c_int) -> c_int {
    match crate::real::close() {
        // SAFETY: any number may be closed, or be refused.
        Some(function) => unsafe { function(fd) },
        None => by_system_call(fd),
    }
}

fn by_system_call(fd: c_int) -> c_int {
    match sys::close(fd) {
        Ok(_) => 0,
        Err(error) => fail(error.0),
    }
}

/// A duplicate that the program makes; `real` makes it.
pub fn duplicate(fd: c_int, real: impl Fn() -> c_int) -> c_int {
    if !process::is_own() {
        if process::is_awake() {
            holders::duplicated_elsewhere(fd);
        }
        return real();
    }
    let duplicate = holders::before_duplicate(fd);
    let made = openings::number_of_own(real);
    if made < 0 {
        duplicate.failed();
    } else {
        duplicate.made(made);
        epoll_sets::duplicated(fd);
    }
    made
}

/// A duplicate under a number that is closed before.
pub fn replace(call: Call, old: c_int, new: c_int, real: impl Fn() -> c_int) -> c_int {
    if !process::is_own() || old == new || sys::descriptor_flags(old).is_err() {
        return duplicate_elsewhere(old, real);
    }
    if fd_table::is_internal(new) {
        reaper::vacate(new);
    }
    let duplicate = holders::before_duplicate(old);
    let closing = close::before(new, Sent::Something, call);
    let made = real();
    if made < 0 {
        closing.undone();
        duplicate.failed();
    } else {
        closing.after();
        duplicate.made(made);
        epoll_sets::duplicated(old);
    }
    made
}

fn duplicate_elsewhere(fd: c_int, real: impl Fn() -> c_int) -> c_int {
    if process::is_awake() && !process::is_own() {
        holders::duplicated_elsewhere(fd);
    }
    real()
}

/// # Safety
/// As dup().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn dup(fd: c_int) -> c_int {
    duplicate(fd, || real!(dup(fd)))
}

/// # Safety
/// As dup2().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    replace(Call::Dup2, old, new, || real!(dup2(old, new)))
}

/// # Safety
/// As dup3().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    replace(Call::Dup3, old, new, || real!(dup3(old, new, flags)))
}

pub fn makes_a_duplicate(command: c_int) -> bool {
    command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC
}

/// Before a descriptor is made close-on-exec, or is no longer: what a child of vfork() lets its
/// program have is closed on exec here as before.
pub fn inheritance_changes(fd: c_int, is_ended: bool) {
    if !process::is_awake() {
        return;
    }
    match (process::is_own(), is_ended) {
        (true, true) => holders::inherited_until_now(fd),
        (false, false) => holders::duplicated_elsewhere(fd),
        _ => {}
    }
}

pub fn flags_change(fd: c_int, command: c_int, flags: usize) {
    if command == libc::F_SETFD {
        inheritance_changes(fd, flags & libc::FD_CLOEXEC as usize != 0);
    }
}

/// # Safety
/// As ioctl(), of which no request takes more.
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: Ioctl, argument: usize) -> c_int {
    if request == libc::FIOCLEX || request == libc::FIONCLEX {
        inheritance_changes(fd, request == libc::FIOCLEX);
    }
    real!(ioctl(fd, request, argument))
}

/// # Safety
/// As fcntl(). Its one optional argument is an int or a pointer: either is in the third register.
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    if makes_a_duplicate(command) {
        return duplicate(fd, || real!(fcntl(fd, command, argument)));
    }
    flags_change(fd, command, argument);
    real!(fcntl(fd, command, argument))
}

/// # Safety
/// As [`fcntl`].
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    if makes_a_duplicate(command) {
        return duplicate(fd, || real!(fcntl64(fd, command, argument)));
    }
    flags_change(fd, command, argument);
    real!(fcntl64(fd, command, argument))
}

/// Closes a range of numbers, each as by close() of which something is known; `real` closes the
/// parts between the numbers that are ours.
pub fn close_parts(first: c_uint, last: c_uint, real: impl Fn(c_uint, c_uint) -> c_int) -> c_int {
    let Ok(begin) = c_int::try_from(first) else {
        return real(first, last);
    };
    let in_range = |fd: c_int| fd as c_uint <= last;
    for (fd, entry) in fd_table::numbers_from(begin).take_while(|(fd, _)| in_range(*fd)) {
        if entry.word() != fd_table::Word::default() && !fd_table::is_internal(fd) {
            close::close(fd, Call::CloseRange, || by_system_call(fd));
        }
    }
    let mut from = first;
    for (fd, _) in fd_table::numbers_from(begin).take_while(|(fd, _)| in_range(*fd)) {
        if fd_table::is_internal(fd) {
            if fd as c_uint > from {
                let result = real(from, fd as c_uint - 1);
                if result != 0 {
                    return result;
                }
            }
            from = fd as c_uint + 1;
        }
    }
    if from <= last {
        return real(from, last);
    }
    0
}

fn inheritance_of_all_ends(first: c_uint, last: c_uint) {
    let begin = c_int::try_from(first).unwrap_or(c_int::MAX);
    for (fd, _) in fd_table::numbers_from(begin).take_while(|(fd, _)| *fd as c_uint <= last) {
        inheritance_changes(fd, true);
    }
}

/// # Safety
/// As close_range().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    let real = |first, last| real!(close_range(first, last, flags));
    if flags & libc::CLOSE_RANGE_UNSHARE as c_int != 0 {
        // from now on threads of one process have different descriptors
        process::confine();
    }
    if flags & libc::CLOSE_RANGE_CLOEXEC as c_int != 0 {
        inheritance_of_all_ends(first, last);
    }
    if flags != 0 || first > last || !process::is_own() {
        return real(first, last);
    }
    if observe::is_on() {
        observe::all_from(
            c_int::try_from(first).unwrap_or(c_int::MAX),
            last,
            Call::CloseRange,
        );
        return real(first, last);
    }
    close_parts(first, last, real)
}

/// # Safety
/// As closefrom().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn closefrom(first: c_int) {
    if observe::is_on() && process::is_own() {
        observe::all_from(first.max(0), u32::MAX, Call::Closefrom);
    }
    if observe::is_on() || !process::is_own() {
        if let Some(function) = crate::real::closefrom() {
            // SAFETY: the caller's argument.
            unsafe { function(first) };
        }
        return;
    }
    close_parts(first.max(0) as c_uint, c_uint::MAX, |first, last| {
        if sys::close_range(first, last).is_err() {
            sys::close_one_by_one(first, last);
        }
        0
    });
}
