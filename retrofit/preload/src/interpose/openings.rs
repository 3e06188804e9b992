//! What else makes descriptors: nothing is noted of them, but each must find a number.

use super::{errno, real};
use crate::room;
use libc::{c_char, c_int, c_long, c_uint, DIR, FILE};

type Path = *const c_char;

pub fn number(real: impl Fn() -> c_int) -> c_int {
    room::for_one(real, |fd| *fd, errno)
}

/// Where it is known that the process is its own.
pub fn number_of_own(real: impl Fn() -> c_int) -> c_int {
    room::for_one_of_own(real, |fd| *fd, errno)
}

/// By system call.
pub fn long_number(real: impl Fn() -> c_long) -> c_long {
    room::for_one(real, |fd| *fd as c_int, errno)
}

pub fn stream(real: impl Fn() -> *mut FILE) -> *mut FILE {
    // SAFETY: it has just been opened.
    let number = |stream: &*mut FILE| match stream.is_null() {
        true => -1,
        false => unsafe { crate::real::number_of(*stream) },
    };
    room::for_one(real, number, errno)
}

macro_rules! numbers {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            /// # Safety
            /// As its namesake, of which an optional argument is in its register.
            #[cfg_attr(not(test), no_mangle)]
            pub unsafe extern "C" fn $name($($argument: $kind),*) -> c_int {
                number(|| real!($name($($argument),*)))
            }
        )*
    };
}

numbers! {
    open(path: Path, flags: c_int, mode: usize);
    open64(path: Path, flags: c_int, mode: usize);
    openat(folder: c_int, path: Path, flags: c_int, mode: usize);
    openat64(folder: c_int, path: Path, flags: c_int, mode: usize);
    __open_2(path: Path, flags: c_int);
    __open64_2(path: Path, flags: c_int);
    __openat_2(folder: c_int, path: Path, flags: c_int);
    __openat64_2(folder: c_int, path: Path, flags: c_int);
    creat(path: Path, mode: c_uint);
    creat64(path: Path, mode: c_uint);
    pipe(ends: *mut c_int);
    pipe2(ends: *mut c_int, flags: c_int);
    socketpair(family: c_int, kind: c_int, protocol: c_int, ends: *mut c_int);
    eventfd(value: c_uint, flags: c_int);
    timerfd_create(clock: c_int, flags: c_int);
    signalfd(fd: c_int, mask: usize, flags: c_int);
    inotify_init();
    inotify_init1(flags: c_int);
    memfd_create(name: Path, flags: c_uint);
    posix_openpt(flags: c_int);
}

macro_rules! streams {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            /// # Safety
            /// As its namesake.
            #[cfg_attr(not(test), no_mangle)]
            pub unsafe extern "C" fn $name($($argument: $kind),*) -> *mut FILE {
                let Some(function) = crate::real::$name() else {
                    super::set_errno(libc::ENOSYS);
                    return std::ptr::null_mut();
                };
                // SAFETY: the caller's own arguments.
                stream(|| unsafe { function($($argument),*) })
            }
        )*
    };
}

streams! {
    fopen(path: Path, mode: Path);
    fopen64(path: Path, mode: Path);
    tmpfile();
    tmpfile64();
}

/// # Safety
/// As opendir().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn opendir(path: Path) -> *mut DIR {
    let Some(function) = crate::real::opendir() else {
        super::set_errno(libc::ENOSYS);
        return std::ptr::null_mut();
    };
    let number = |folder: &*mut DIR| match folder.is_null() {
        true => -1,
        // SAFETY: it has just been opened.
        false => unsafe { libc::dirfd(*folder) },
    };
    // SAFETY: the caller's own argument.
    room::for_one(|| unsafe { function(path) }, number, errno)
}
