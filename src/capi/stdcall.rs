//! For 32-bit Windows: each function once more as `gc_…_std`, by the calling convention that
//! Visual Basic 6 and Delphi's declarations know. `gc_closesocket` has it by itself, and on other
//! systems there is only one convention.
//!
//! The DLL exports the names undecorated, as GetProcAddress and `Declare Function` ask for them.
//! Callbacks stay cdecl: they stand in structs, too, whose meaning may not depend on the caller.

use super::caller::{is_entry, is_one_of};
use super::close::{gc_abort, gc_close, gc_close_with, gc_finish, gc_set_default_timeout};
use super::closing::*;
use super::info::*;
use super::many::gc_close_many;
use super::reaper::*;
use super::types::*;
use crate::log;
use std::ffi::{c_char, c_int, c_uint, c_void};

macro_rules! twins {
    ($($twin:ident = $function:ident($($name:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            // SAFETY of the caller: that of the function.
            #[no_mangle]
            pub unsafe extern "stdcall" fn $twin($($name: $type),*) $(-> $result)? {
                // some of them are safe
                #[allow(unused_unsafe)]
                // SAFETY: the caller vouches for the same as there.
                unsafe { $function($($name),*) }
            }
        )*
    };
}

twins! {
    gc_close_std = gc_close(sock: gc_socket, timeout_ms: c_uint) -> c_int;
    gc_close_with_std = gc_close_with(sock: gc_socket, options: *const gc_options,
        report: *mut gc_report) -> c_int;
    gc_finish_std = gc_finish(sock: gc_socket, timeout_ms: c_uint) -> c_int;
    gc_abort_std = gc_abort(sock: gc_socket) -> c_int;
    gc_set_default_timeout_std = gc_set_default_timeout(timeout_ms: c_uint);

    gc_closing_new_std = gc_closing_new(sock: gc_socket, options: *const gc_options,
        out: *mut *mut gc_closing) -> c_int;
    gc_closing_step_std = gc_closing_step(closing: *mut gc_closing) -> c_int;
    gc_closing_socket_std = gc_closing_socket(closing: *const gc_closing) -> gc_socket;
    gc_closing_timeout_ms_std = gc_closing_timeout_ms(closing: *const gc_closing) -> c_uint;
    gc_closing_wants_read_std = gc_closing_wants_read(closing: *const gc_closing) -> c_int;
    gc_closing_report_std = gc_closing_report(closing: *const gc_closing,
        report: *mut gc_report) -> c_int;
    gc_closing_free_std = gc_closing_free(closing: *mut gc_closing);

    gc_close_many_std = gc_close_many(socks: *const gc_socket, count: usize,
        options: *const gc_options, reports: *mut gc_report) -> c_int;

    gc_reaper_new_std = gc_reaper_new(options: *const gc_reaper_options,
        out: *mut *mut gc_reaper) -> c_int;
    gc_reaper_close_std = gc_reaper_close(reaper: *mut gc_reaper, sock: gc_socket,
        options: *const gc_options, done: gc_done_fn, user: *mut c_void) -> c_int;
    gc_reaper_pending_std = gc_reaper_pending(reaper: *const gc_reaper) -> usize;
    gc_reaper_flush_std = gc_reaper_flush(reaper: *mut gc_reaper, timeout_ms: c_uint) -> c_int;
    gc_reaper_free_std = gc_reaper_free(reaper: *mut gc_reaper, timeout_ms: c_uint) -> c_int;
    gc_close_async_std = gc_close_async(sock: gc_socket, timeout_ms: c_uint) -> c_int;
    gc_flush_std = gc_flush(timeout_ms: c_uint) -> c_int;
    gc_set_exit_timeout_std = gc_set_exit_timeout(timeout_ms: c_uint);
    gc_flush_at_exit_std = gc_flush_at_exit();

    gc_get_stats_std = gc_get_stats(stats: *mut gc_stats) -> c_int;
    gc_set_log_std = gc_set_log(log: gc_log_fn, user: *mut c_void);
    gc_outcome_name_std = gc_outcome_name(code: c_int) -> *const c_char;
    gc_version_string_std = gc_version_string() -> *const c_char;
    gc_version_number_std = gc_version_number() -> c_uint;
}

/// As gc_set_log_caller(), which does not know the twins.
#[no_mangle]
pub extern "stdcall" fn gc_set_log_caller_std(on: c_int) {
    log::set_entries(is_entry_or_twin);
    log::set_log_caller(on != 0);
}

fn is_entry_or_twin(address: usize) -> bool {
    let is_twin = is_one_of!(address,
        gc_abort_std gc_close_async_std gc_close_many_std gc_close_std gc_close_with_std
        gc_closing_free_std gc_closing_new_std gc_closing_report_std gc_closing_step_std
        gc_finish_std gc_flush_at_exit_std gc_flush_std gc_get_stats_std gc_reaper_close_std
        gc_reaper_flush_std gc_reaper_free_std gc_reaper_new_std
    );
    is_twin || is_entry(address)
}
