//! Scratch space for bytes that nobody wants. It is never read, so that any
//! number of threads may have the kernel write to it at once; it lies in .bss
//! and costs no memory until a system really copies into it.

use std::cell::UnsafeCell;

pub(in crate::sys) const SIZE: usize = 1 << 20;

struct Scratch(UnsafeCell<[u8; SIZE]>);

// SAFETY: only `pointer` gives access, as a raw pointer that is handed to
// the kernel; no reference to the bytes is ever made and nobody reads them.
unsafe impl Sync for Scratch {}

static SCRATCH: Scratch = Scratch(UnsafeCell::new([0; SIZE]));

pub(in crate::sys) fn pointer() -> *mut u8 {
    SCRATCH.0.get().cast()
}
