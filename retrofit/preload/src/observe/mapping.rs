//! The table, in this process.

use crate::raw::call;
use crate::sys;
use graceful_close_retrofit::observe::Table;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

static TABLE: AtomicPtr<Table> = AtomicPtr::new(null_mut());

#[inline]
pub(super) fn table() -> Option<&'static Table> {
    // SAFETY: null, or what `open` has mapped, to the end of the process.
    unsafe { TABLE.load(Ordering::Acquire).as_ref() }
}

/// Whether it is there. For the constructor.
pub fn open(path: &CStr) -> bool {
    let Ok(fd) = sys::open_at(libc::AT_FDCWD, path, libc::O_RDWR) else {
        return false;
    };
    let end = libc::SEEK_END as usize;
    let size = sys::plain(libc::SYS_lseek, fd as usize, 0, end);
    let mapped = (size == Ok(Table::SIZE))
        .then(|| map(fd as usize))
        .flatten();
    let _ = sys::close(fd);
    let Some(table) = mapped.filter(|table| table.is_one()) else {
        return false;
    };
    table.add_process();
    super::callers::set_up();
    TABLE.store((table as *const Table).cast_mut(), Ordering::Release);
    true
}

fn map(fd: usize) -> Option<&'static Table> {
    let rights = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let shared = libc::MAP_SHARED as usize;
    // SAFETY: a new mapping, of all the bytes of a table; it consists of atomics, for which every
    // number is a value, and is never unmapped.
    unsafe {
        let at = call(libc::SYS_mmap, [0, Table::SIZE, rights, shared, fd, 0]);
        let at = sys::result(at).ok()?;
        (at as *const Table).as_ref()
    }
}
