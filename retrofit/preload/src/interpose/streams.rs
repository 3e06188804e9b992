//! The C library's streams: fclose() closes without calling close().

use super::real;
use crate::close::{self, Sent};
use crate::fd_table;
use crate::process;
use crate::real as c_library;
use crate::streams;
use graceful_close_retrofit::observe::Call;
use libc::{c_char, c_int, FILE};
use std::ffi::CStr;

/// # Safety
/// As fclose().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fclose(stream: *mut FILE) -> c_int {
    if stream.is_null() || !process::is_own() {
        return real!(fclose(stream));
    }
    // SAFETY: the caller's stream, which is still open.
    let fd = unsafe { c_library::number_of(stream) };
    if fd < 0 || fd_table::is_internal(fd) {
        return real!(fclose(stream));
    }
    let closing = close::before(fd, Sent::Later, Call::Fclose);
    let result = closing.make(|| real!(fclose(stream)));
    closing.after_flush();
    result
}

/// # Safety
/// It must end with a zero.
unsafe fn only_reads(mode: *const c_char) -> bool {
    // SAFETY: as the caller promises.
    let mode = unsafe { CStr::from_ptr(mode) }.to_bytes();
    mode.first() == Some(&b'r') && !mode.contains(&b'+')
}

/// # Safety
/// As fdopen().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE {
    let Some(function) = c_library::fdopen() else {
        return std::ptr::null_mut();
    };
    // SAFETY: the caller's own arguments.
    let stream = unsafe { function(fd, mode) };
    if !stream.is_null() && process::is_own() {
        // SAFETY: a stream has been made by this mode.
        let only_reads = unsafe { only_reads(mode) };
        streams::opened(fd, stream, only_reads);
    }
    stream
}
