//! The C interface, as `include/graceful_close.h` has it. Declared here by hand: the functions are
//! called as a program calls them, not through anything of the library in Rust.

use std::ffi::{c_char, c_int, c_uint, c_void};

// the crate with the functions is linked
use graceful_close as _;

pub type DataFn = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int;
pub type DoneFn = unsafe extern "C" fn(*mut c_void, c_int, *const Report);
pub type LogFn = unsafe extern "C" fn(*mut c_void, c_int, *const c_char);

pub const ERR_NOT_A_SOCKET: c_int = -1;
pub const ERR_ARGUMENT: c_int = -2;
pub const ERR_INTERNAL: c_int = -6;
pub const CONTINUED: c_int = 11;
pub const PENDING: c_int = 100;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    pub struct_size: usize,
    pub timeout_ms: c_uint,
    pub idle_timeout_ms: c_uint,
    pub peer_first_ms: c_uint,
    pub fallback: c_uint,
    pub if_shared: c_uint,
    pub flags: c_uint,
    pub max_drain_bytes: usize,
    pub on_data: Option<DataFn>,
    pub user: *mut c_void,
    pub background_ms: c_uint,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
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

pub enum Closing {}
pub enum Reaper {}

extern "C" {
    pub fn gc_close(sock: c_int, timeout_ms: c_uint) -> c_int;
    pub fn gc_close_with(sock: c_int, options: *const u8, report: *mut u8) -> c_int;
    pub fn gc_finish(sock: c_int, timeout_ms: c_uint) -> c_int;
    pub fn gc_abort(sock: c_int) -> c_int;
    pub fn gc_set_default_timeout(timeout_ms: c_uint);
    pub fn gc_closesocket(sock: c_int) -> c_int;
    pub fn gc_close_many(
        socks: *const c_int,
        count: usize,
        options: *const u8,
        reports: *mut u8,
    ) -> c_int;
    pub fn gc_closing_new(sock: c_int, options: *const u8, out: *mut *mut Closing) -> c_int;
    pub fn gc_closing_step(closing: *mut Closing) -> c_int;
    pub fn gc_closing_socket(closing: *const Closing) -> c_int;
    pub fn gc_closing_timeout_ms(closing: *const Closing) -> c_uint;
    pub fn gc_closing_wants_read(closing: *const Closing) -> c_int;
    pub fn gc_closing_report(closing: *const Closing, report: *mut u8) -> c_int;
    pub fn gc_closing_free(closing: *mut Closing);
    pub fn gc_reaper_new(options: *const u8, out: *mut *mut Reaper) -> c_int;
    pub fn gc_reaper_close(
        reaper: *mut Reaper,
        sock: c_int,
        options: *const u8,
        done: Option<DoneFn>,
        user: *mut c_void,
    ) -> c_int;
    pub fn gc_reaper_pending(reaper: *const Reaper) -> usize;
    pub fn gc_reaper_flush(reaper: *mut Reaper, timeout_ms: c_uint) -> c_int;
    pub fn gc_reaper_free(reaper: *mut Reaper, timeout_ms: c_uint) -> c_int;
    pub fn gc_close_async(sock: c_int, timeout_ms: c_uint) -> c_int;
    pub fn gc_close_async_with(
        sock: c_int,
        options: *const u8,
        done: Option<DoneFn>,
        user: *mut c_void,
    ) -> c_int;
    pub fn gc_flush(timeout_ms: c_uint) -> c_int;
    pub fn gc_get_stats(stats: *mut u8) -> c_int;
    pub fn gc_set_log(log: Option<LogFn>, user: *mut c_void);
    pub fn gc_outcome_name(code: c_int) -> *const c_char;
}

/// What the manual says that a call may return.
pub fn is_documented(code: c_int) -> bool {
    (0..=11).contains(&code) || (-6..0).contains(&code)
}
