//! What open files are, and what is done with them, by system call.

use crate::raw::call;
use crate::sys::{plain, result, Error};
use libc::c_int;
use std::ffi::CStr;
use std::ops::Range;

/// A duplicate under this number, in place of what it was; close-on-exec.
pub fn duplicate_onto(fd: c_int, number: c_int) -> Result<usize, Error> {
    let flags = libc::O_CLOEXEC as usize;
    plain(libc::SYS_dup3, fd as usize, number as usize, flags)
}

/// Whether it goes to a program that is started.
pub fn close_by_exec(fd: c_int, is_closed: bool) {
    let flags = if is_closed { libc::FD_CLOEXEC } else { 0 };
    let set = libc::F_SETFD as usize;
    let _ = plain(libc::SYS_fcntl, fd as usize, set, flags as usize);
}

/// Device and inode.
pub type FileId = (u64, u64);

pub fn file_id(path: &CStr) -> Option<FileId> {
    status(libc::AT_FDCWD, path, 0).map(id)
}

pub fn file_id_of(fd: c_int) -> Option<FileId> {
    status(fd, c"", libc::AT_EMPTY_PATH).map(id)
}

/// So many links lead to it.
pub fn links(path: &CStr) -> Option<usize> {
    status(libc::AT_FDCWD, path, 0).map(|status| status.st_nlink as usize)
}

fn id(status: libc::stat) -> FileId {
    (status.st_dev, status.st_ino)
}

fn status(folder: c_int, path: &CStr, flags: c_int) -> Option<libc::stat> {
    // SAFETY: all zeroes is a valid stat.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    let (path, at) = (
        path.as_ptr() as usize,
        (&mut status as *mut libc::stat) as usize,
    );
    let arguments = [folder as usize, path, at, flags as usize, 0, 0];
    // SAFETY: the path ends with a zero, and the kernel fills the one struct.
    result(unsafe { call(libc::SYS_newfstatat, arguments) }).ok()?;
    Some(status)
}

/// Locks one place of an open file, instead of any other, for all that have it open under this or
/// another number.
pub fn lock(fd: c_int, place: i64) -> Result<(), Error> {
    unlock(fd);
    record_lock(fd, libc::F_OFD_SETLK, libc::F_WRLCK, place..place + 1).map(drop)
}

pub fn unlock(fd: c_int) {
    let _ = record_lock(fd, libc::F_OFD_SETLK, libc::F_UNLCK, 0..0);
}

/// The place that is locked of it. Asked as if for a lock of the process: what is locked for the
/// open file itself would not be told otherwise.
pub fn locked_place(fd: c_int) -> Option<i64> {
    let found = record_lock(fd, libc::F_GETLK, libc::F_WRLCK, 0..0).ok()?;
    let is_locked = found.l_type != libc::F_UNLCK as libc::c_short;
    is_locked.then_some(found.l_start)
}

/// `places`: from 0 to 0 are all.
fn record_lock(
    fd: c_int,
    command: c_int,
    kind: c_int,
    places: Range<i64>,
) -> Result<libc::flock64, Error> {
    // SAFETY: all zeroes is a valid lock.
    let mut lock: libc::flock64 = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = places.start;
    lock.l_len = places.end - places.start;
    let at = (&mut lock as *mut libc::flock64) as usize;
    let arguments = [fd as usize, command as usize, at, 0, 0, 0];
    // SAFETY: the kernel reads and fills the one struct.
    result(unsafe { call(libc::SYS_fcntl, arguments) }).map(|_| lock)
}
