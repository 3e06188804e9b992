//! Where the end of a program begins that has exit handlers, which destroy what its other threads
//! use.

use crate::exit;
#[cfg(not(feature = "link"))]
use crate::process;
use crate::real;
use crate::thread::keeping_errno;
use libc::c_int;

#[cfg(not(feature = "link"))]
use crate::real::{Main, Opaque, Words};
#[cfg(not(feature = "link"))]
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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

/// The program's main().
#[cfg(not(feature = "link"))]
static MAIN: AtomicUsize = AtomicUsize::new(0);

/// What main() returns goes to the C library's own exit(), which nobody can stand in for.
#[cfg(not(feature = "link"))]
unsafe extern "C-unwind" fn begin(count: c_int, arguments: Words, environment: Words) -> c_int {
    // SAFETY: __libc_start_main() below has stored it; the arguments are the C library's.
    let status = unsafe {
        std::mem::transmute::<usize, Main>(MAIN.load(Relaxed))(count, arguments, environment)
    };
    exit::before_handlers();
    status
}

/// Called by the program's own start, with the constructors of all libraries behind it.
///
/// # Safety
/// As __libc_start_main() (sysdeps/generic/libc-start.h of glibc).
#[cfg(not(feature = "link"))]
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn __libc_start_main(
    main: Main,
    count: c_int,
    arguments: Words,
    constructor: Opaque,
    destructor: Opaque,
    linker_end: Opaque,
    stack_end: Opaque,
) -> c_int {
    let mut called = main;
    if process::is_awake() {
        MAIN.store(main as usize, Relaxed);
        called = begin;
    }
    // SAFETY: the caller's own arguments; without this function no program starts.
    unsafe {
        match real::start_main() {
            Some(start) => start(
                called,
                count,
                arguments,
                constructor,
                destructor,
                linker_end,
                stack_end,
            ),
            None => crate::interpose::fail(libc::ENOSYS),
        }
    }
}
