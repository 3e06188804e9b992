//! What is different where the library is linked into the program, by `-Wl,--wrap`, instead of
//! being preloaded: the calls of the program's own objects come here as `__wrap_close()` and so
//! on, and the C library's own functions are `__real_close()` to the linker (ld(1), --wrap).
//!
//! A switch may be left out: then `__real_close` is not the linker's, but a jump to close() that
//! is linked in from the archive. What the C library may not have is weak.
//!
//! Duplicates and epoll sets that a shared library of the program's makes have to be seen, too.
//! Their functions are therefore not wrapped: the options file defines dup() itself, for all of
//! the process (`--defsym`), and what they do is done by system call.

use crate::raw;
use crate::sys;
use libc::{c_int, c_long, c_uint};

// Those that every C library on Linux has are found by the linker, or the program is not linked.
// The others: newer ones, and those that are made by system call.
core::arch::global_asm!(
    ".weak __real__Fork",
    ".weak __real_close_range",
    ".weak __real_closefrom",
    ".weak __real_execveat",
    ".weak __real_fcntl64",
    ".weak __real_open64",
    ".weak __real_openat64",
    ".weak __real___open_2",
    ".weak __real___open64_2",
    ".weak __real___openat_2",
    ".weak __real___openat64_2",
    ".weak __real_creat64",
    ".weak __real_fopen64",
    ".weak __real_tmpfile64",
    ".weak __real_memfd_create",
    ".weak __real_dup",
    ".weak __real_dup2",
    ".weak __real_dup3",
    ".weak __real_epoll_create",
    ".weak __real_epoll_create1",
    ".weak __real_epoll_ctl",
    ".weak graceful_close_wrap_is_whole",
    ".pushsection .data.rel.ro.graceful_close_real,\"aw\",@progbits",
    ".balign 8",
    ".globl graceful_close_is_whole",
    ".hidden graceful_close_is_whole",
    "graceful_close_is_whole:",
    ".quad graceful_close_wrap_is_whole",
    ".popsection",
);

extern "C" {
    /// The first of as many as `real` has names.
    static graceful_close_real_functions: usize;
    /// Not null if the program was linked by the options file.
    static graceful_close_is_whole: usize;
}

/// A function of the C library; 0: there is none. `names` are all that `real` knows.
pub fn look_up(names: &[&str], name: &str) -> usize {
    if let Some(function) = by_system_call(name) {
        return function;
    }
    let at = names.iter().position(|known| *known == name);
    // SAFETY: there is an address for each of the names; the linker has filled them in, and the
    // loader has moved them, before any constructor.
    let found = at.map_or(0, |at| unsafe {
        std::ptr::addr_of!(graceful_close_real_functions)
            .add(at)
            .read()
    });
    if found != 0 {
        return found;
    }
    // In a static program a weak name alone brings no function along.
    let same = SAME.iter().find(|(weak, _)| *weak == name);
    same.map_or(0, |(_, function)| look_up(names, function))
}

/// Functions that not every C library has, and what does the same where file offsets have 64 bits.
const SAME: &[(&str, &str)] = &[
    ("fcntl64\0", "fcntl\0"),
    ("open64\0", "open\0"),
    ("openat64\0", "openat\0"),
    ("__open_2\0", "open\0"),
    ("__open64_2\0", "open\0"),
    ("__openat_2\0", "openat\0"),
    ("__openat64_2\0", "openat\0"),
    ("creat64\0", "creat\0"),
    ("fopen64\0", "fopen\0"),
    ("tmpfile64\0", "tmpfile\0"),
];

/// Whether all that could share a connection is seen: the options file was used as it is.
pub fn is_whole() -> bool {
    // SAFETY: as above.
    unsafe { graceful_close_is_whole != 0 }
}

fn by_system_call(name: &str) -> Option<usize> {
    Some(match name {
        "dup\0" => dup as *const () as usize,
        "dup2\0" => dup2 as *const () as usize,
        "dup3\0" => dup3 as *const () as usize,
        "epoll_create\0" => epoll_create as *const () as usize,
        "epoll_create1\0" => epoll_create1 as *const () as usize,
        "epoll_ctl\0" => epoll_ctl as *const () as usize,
        "close_range\0" => close_range as *const () as usize,
        "closefrom\0" => closefrom as *const () as usize,
        "memfd_create\0" => memfd_create as *const () as usize,
        "execveat\0" => execveat as *const () as usize,
        _ => return None,
    })
}

fn call(number: c_long, a: [usize; 5]) -> c_int {
    // SAFETY: the caller's own arguments, to the system call that it meant.
    let result = unsafe { raw::call(number, [a[0], a[1], a[2], a[3], a[4], 0]) };
    if result < 0 {
        // SAFETY: the calling thread's own place.
        unsafe { *libc::__errno_location() = -result as c_int };
        return -1;
    }
    result as c_int
}

extern "C" fn dup(fd: c_int) -> c_int {
    call(libc::SYS_dup, [fd as usize, 0, 0, 0, 0])
}

/// The system call is not there on newer machines; dup3() refuses two equal numbers.
extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    if old == new {
        let is_open = call(
            libc::SYS_fcntl,
            [old as usize, libc::F_GETFD as usize, 0, 0, 0],
        ) >= 0;
        return if is_open { old } else { -1 };
    }
    dup3(old, new, 0)
}

extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    call(
        libc::SYS_dup3,
        [old as usize, new as usize, flags as usize, 0, 0],
    )
}

extern "C" fn epoll_create(size: c_int) -> c_int {
    if size <= 0 {
        // SAFETY: the calling thread's own place.
        unsafe { *libc::__errno_location() = libc::EINVAL };
        return -1;
    }
    epoll_create1(0)
}

extern "C" fn epoll_create1(flags: c_int) -> c_int {
    call(libc::SYS_epoll_create1, [flags as usize, 0, 0, 0, 0])
}

extern "C" fn epoll_ctl(
    set: c_int,
    what: c_int,
    fd: c_int,
    event: *mut libc::epoll_event,
) -> c_int {
    call(
        libc::SYS_epoll_ctl,
        [set as usize, what as usize, fd as usize, event as usize, 0],
    )
}

extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    call(
        libc::SYS_close_range,
        [first as usize, last as usize, flags as usize, 0, 0],
    )
}

/// Where the program's tables are not this process's: the others ask for ranges themselves.
extern "C" fn closefrom(first: c_int) {
    let first = first.max(0) as c_uint;
    if sys::close_range(first, c_uint::MAX).is_err() {
        sys::close_one_by_one(first, c_uint::MAX);
    }
}

extern "C" fn memfd_create(name: usize, flags: c_uint) -> c_int {
    call(libc::SYS_memfd_create, [name, flags as usize, 0, 0, 0])
}

extern "C" fn execveat(
    folder: c_int,
    path: usize,
    words: usize,
    environment: usize,
    flags: c_int,
) -> c_int {
    call(
        libc::SYS_execveat,
        [folder as usize, path, words, environment, flags as usize],
    )
}
