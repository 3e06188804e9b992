//! Whether what a program gives to exec() can be read: the kernel calls it an error if not (EFAULT), and
//! some programs try that.

use crate::sys;
use libc::c_char;
use std::ffi::CStr;

/// A name that cannot be read makes the call fail.
///
/// # Safety
/// It must end with a zero, or be null.
pub unsafe fn name<'a>(path: *const c_char) -> Option<&'a CStr> {
    // SAFETY: as the caller promises.
    sys::is_readable(path).then(|| unsafe { CStr::from_ptr(path) })
}

/// A page of the memory that can be read; none at first.
struct Page(usize);

impl Page {
    /// Most words stand side by side: they are asked for by page.
    fn has<T>(&mut self, place: *const T) -> bool {
        let page = place as usize >> 12;
        let is_there = page == self.0 || sys::is_readable(place);
        if is_there {
            self.0 = page;
        }
        is_there
    }
}

/// Whether an environment can be read: its list, and where its words begin. None at all can.
///
/// # Safety
/// What can be read of it must be an environment, or it must be null.
pub unsafe fn is_readable(environment: *const *const c_char) -> bool {
    let (mut words, mut texts) = (Page(usize::MAX), Page(usize::MAX));
    let mut at = environment;
    while !at.is_null() {
        if !words.has(at) {
            return false;
        }
        // SAFETY: it can be read, and the null has not come before.
        let text = unsafe { *at };
        if text.is_null() {
            return true;
        }
        if !texts.has(text) {
            return false;
        }
        at = at.wrapping_add(1);
    }
    true
}
