//! The C functions, declared by hand as a C program sees them.

use super::descriptors::Raw;
use graceful_close as _; // linked for its C symbols
use std::ffi::{c_int, c_uint, c_void};
use std::mem::size_of;
use std::ptr::null_mut;

pub const GRACEFUL: c_int = 0;
pub const TIMED_OUT: c_int = 1;
pub const RESET: c_int = 2;
pub const NOT_CONNECTED: c_int = 6;
pub const UNCERTAIN: c_int = 7;
pub const ERR_NOT_A_SOCKET: c_int = -1;
pub const ERR_ARGUMENT: c_int = -2;
pub const THEN_KEEP: c_uint = 2;
pub const INFINITE: c_uint = 0xFFFF_FFFF;
pub const UNKNOWN: usize = usize::MAX;

/// struct gc_options.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub struct_size: usize,
    pub timeout_ms: c_uint,
    pub idle_timeout_ms: c_uint,
    pub peer_first_ms: c_uint,
    pub fallback: c_uint,
    pub if_shared: c_uint,
    pub flags: c_uint,
    pub max_drain_bytes: usize,
    pub on_data: *const c_void,
    pub user: *mut c_void,
}

impl Options {
    pub fn timeout(timeout_ms: c_uint) -> Options {
        Options {
            struct_size: size_of::<Options>(),
            timeout_ms,
            idle_timeout_ms: 0,
            peer_first_ms: 0,
            fallback: 0,
            if_shared: 0,
            flags: 0,
            max_drain_bytes: 0,
            on_data: null_mut(),
            user: null_mut(),
        }
    }
}

/// struct gc_report.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub struct_size: usize,
    pub outcome: c_int,
    pub system_error: c_int,
    pub closed: c_int,
    pub peer_closed: c_int,
    pub drained_bytes: usize,
    pub unacked_bytes: usize,
    pub elapsed_us: usize,
}

mod raw {
    use super::{c_int, c_uint, Options, Raw, Report};

    extern "C" {
        pub fn gc_close(sock: Raw, timeout_ms: c_uint) -> c_int;
        pub fn gc_close_with(sock: Raw, options: *const Options, report: *mut Report) -> c_int;
        pub fn gc_abort(sock: Raw) -> c_int;
        pub fn gc_set_default_timeout(timeout_ms: c_uint);
    }
    // WSAAPI, as closesocket itself.
    extern "system" {
        pub fn gc_closesocket(sock: Raw) -> c_int;
    }
}

pub fn close(sock: Raw, timeout_ms: c_uint) -> c_int {
    // SAFETY: a number; whatever it is, the function checks it.
    unsafe { raw::gc_close(sock, timeout_ms) }
}

pub fn close_with(sock: Raw, options: &Options) -> (c_int, Report) {
    let mut report = Report {
        struct_size: size_of::<Report>(),
        outcome: -99,
        system_error: -99,
        closed: -99,
        peer_closed: -99,
        drained_bytes: 99,
        unacked_bytes: 99,
        elapsed_us: 99,
    };
    // SAFETY: both structs outlive the call, and say their true size.
    let code = unsafe { raw::gc_close_with(sock, options, &mut report) };
    assert_eq!(report.outcome, code);
    (code, report)
}

pub fn abort(sock: Raw) -> c_int {
    // SAFETY: a number; whatever it is, the function checks it.
    unsafe { raw::gc_abort(sock) }
}

pub fn closesocket(sock: Raw) -> c_int {
    // SAFETY: a number; whatever it is, the function checks it.
    unsafe { raw::gc_closesocket(sock) }
}

/// For the whole process.
pub fn set_default_timeout(timeout_ms: c_uint) {
    // SAFETY: takes a number.
    unsafe { raw::gc_set_default_timeout(timeout_ms) }
}
