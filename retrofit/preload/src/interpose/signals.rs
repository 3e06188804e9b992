//! Which signals a thread blocks, so that it can be told from a signal handler: no thread is
//! started in one. The threads of many programs run with all signals blocked.

use super::real;
use crate::alone;
use crate::process;
use crate::real::{self as c_library, Start};
use crate::thread;
use libc::{c_int, c_void, pthread_t};

type Opaque = *const c_void;

/// What a thread is to do.
struct Beginning {
    start: Start,
    argument: *mut c_void,
}

unsafe extern "C-unwind" fn begin(beginning: *mut c_void) -> *mut c_void {
    thread::begins();
    alone::thread_begins();
    // SAFETY: pthread_create() below has made it, for this thread alone; the start is the
    // caller's, with its own argument.
    unsafe {
        let beginning = beginning.cast::<Beginning>();
        let Beginning { start, argument } = beginning.read();
        libc::free(beginning.cast());
        start(argument)
    }
}

/// # Safety
/// As pthread_create().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: Opaque,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = c_library::pthread_create() else {
        return libc::ENOSYS;
    };
    // SAFETY: room for one; the rest are the caller's own arguments.
    unsafe {
        let room = match process::is_awake() {
            true => libc::malloc(size_of::<Beginning>()).cast::<Beginning>(),
            false => std::ptr::null_mut(),
        };
        if room.is_null() {
            return create(thread, attributes, start, argument);
        }
        room.write(Beginning { start, argument });
        let result = create(thread, attributes, begin, room.cast());
        if result != 0 {
            libc::free(room.cast());
        }
        result
    }
}

/// Around a call that changes them; in a child of vfork() the notes are its parent's.
pub fn changes<R>(real: impl FnOnce() -> R) -> R {
    if !process::is_own() {
        return real();
    }
    thread::blocking_by_call(real)
}

/// # Safety
/// As pthread_sigmask().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn pthread_sigmask(how: c_int, set: Opaque, old: *mut c_void) -> c_int {
    changes(|| real!(pthread_sigmask(how, set, old)))
}

/// # Safety
/// As sigprocmask().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn sigprocmask(how: c_int, set: Opaque, old: *mut c_void) -> c_int {
    changes(|| real!(sigprocmask(how, set, old)))
}
