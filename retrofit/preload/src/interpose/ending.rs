//! Where the end of a program begins that has exit handlers, which destroy what its other threads
//! use.

use crate::exit;
use crate::real;
use crate::thread::keeping_errno;
use libc::c_int;

/// # Safety
/// As exit(), from which a handler may unwind: by pthread_exit().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C-unwind" fn exit(status: c_int) -> ! {
    type Exit = unsafe extern "C-unwind" fn(c_int);
    keeping_errno(exit::before_handlers);
    if let Some(exit) = real::exit() {
        // SAFETY: the function that the caller meant, as it says itself that it may be unwound.
        unsafe { std::mem::transmute::<usize, Exit>(exit as usize)(status) };
    }
    loop {
        crate::sys::end(status);
    }
}
