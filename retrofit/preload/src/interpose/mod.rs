//! The C functions that the program calls instead of the C library's.
//!
//! Each does what its namesake does, by calling it, with the same result and `errno`. Where
//! there is something to note it is noted around the call.
//!
//! A variadic function cannot be defined in Rust. Those here take the most arguments that their
//! namesakes use: in the calling conventions of x86_64 and aarch64 on Linux such a call passes
//! them in the same registers (and, the seventh of x86_64, in the same place on the stack), and
//! what the caller did not pass is handed on unread.

mod child;
mod descriptors;
mod ending;
mod epoll;
#[cfg(has_naked_functions)]
mod execl;
#[cfg(all(feature = "link", not(test)))]
mod linked;
mod openings;
mod processes;
mod readable;
mod signals;
mod sockets;
mod start;
mod streams;
mod system_call;

use crate::close::REFUSED;
use libc::c_int;

fn set_errno(code: c_int) {
    // SAFETY: the calling thread's own place.
    unsafe { *libc::__errno_location() = code }
}

fn errno() -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

fn fail(code: c_int) -> c_int {
    set_errno(code);
    -1
}

/// What a close returns to the program.
fn refused_or(result: c_int) -> c_int {
    if result == REFUSED {
        return fail(libc::EBADF);
    }
    result
}

/// Calls the C library's own function; ENOSYS if it has none of this name.
macro_rules! real {
    ($name:ident($($argument:expr),*)) => {
        match $crate::real::$name() {
            // SAFETY: the caller's own arguments, to the function that it meant to call.
            #[allow(unused_unsafe)]
            Some(function) => unsafe { function($($argument),*) },
            None => {
                $crate::interpose::set_errno(libc::ENOSYS);
                -1
            }
        }
    };
}
use real;
