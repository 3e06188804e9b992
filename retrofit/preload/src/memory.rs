//! Memory that lives as long as the process, straight from the kernel.

use crate::raw::call;
use std::cell::UnsafeCell;
use std::mem::size_of;
use std::slice;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// An array of atomics that is mapped once and read from anywhere. Pages that nobody touches
/// cost nothing.
pub struct Mapped<T: 'static> {
    first: AtomicPtr<T>,
    count: AtomicUsize,
}

/// For which all zeroes is a value, and which is changed through shared references only.
///
/// # Safety
/// The type must keep that promise.
pub unsafe trait Zeroed: Sync {}

impl<T: Zeroed> Mapped<T> {
    pub const fn new() -> Mapped<T> {
        Mapped {
            first: AtomicPtr::new(std::ptr::null_mut()),
            count: AtomicUsize::new(0),
        }
    }

    /// Whether there is room for so many. `shared`: with all processes forked from now on.
    pub fn map(&self, count: usize, shared: bool) -> bool {
        let kind = if shared {
            libc::MAP_SHARED
        } else {
            libc::MAP_PRIVATE
        };
        let flags = (kind | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
        let rights = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let size = count * size_of::<T>();
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { call(libc::SYS_mmap, [0, size, rights, flags, usize::MAX, 0]) };
        if (-4095..=-1).contains(&at) {
            return false;
        }
        self.first.store(at as *mut T, Ordering::Release);
        self.count.store(count, Ordering::Release);
        true
    }

    #[inline]
    pub fn all(&self) -> &'static [T] {
        let count = self.count.load(Ordering::Acquire);
        let first = self.first.load(Ordering::Acquire);
        if first.is_null() {
            return &[];
        }
        // SAFETY: `map` made room for `count` of them, zeroed, page-aligned, and it is never
        // unmapped; `Zeroed` says that this is a value.
        unsafe { slice::from_raw_parts(first, count) }
    }
}

/// A value for one user at a time, who has made sure to be the only one.
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: see `with`: there is one user at a time.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Guarded<T> {
        Guarded(UnsafeCell::new(value))
    }

    /// # Safety
    /// Nobody else may use it meanwhile: no other thread, and no signal handler of this one.
    pub unsafe fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: as the caller promises.
        work(unsafe { &mut *self.0.get() })
    }
}
