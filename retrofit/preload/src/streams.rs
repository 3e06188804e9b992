//! The C library's streams on sockets: what they hold back at the end of the process is written
//! only after the last code of a library has run, and would come too late for a half-close.

use crate::fd_table;
use crate::real;
use libc::{c_int, FILE};

/// fdopen() has made a stream of it.
pub fn opened(fd: c_int, stream: *mut FILE, only_reads: bool) {
    if let Some(entry) = fd_table::get(fd) {
        // it holds nothing back, and the number may have another one that does
        if !only_reads || entry.stream() == 0 {
            entry.set_stream(fd, stream as usize);
        }
    }
}

/// Writes out what all streams hold back. `busy` is told the numbers of those that another thread is
/// using. A C library that does not say which streams there are: those of these numbers that are known.
pub fn write_out(numbers: impl Iterator<Item = c_int>, mut busy: impl FnMut(c_int)) {
    let is_done = real::each_stream(&mut |stream| write_out_one(stream, &mut busy));
    if is_done {
        return;
    }
    for fd in numbers {
        let noted = fd_table::get(fd).map_or(0, fd_table::Entry::stream) as *mut FILE;
        for stream in real::standard_streams().into_iter().chain([noted]) {
            if is_of(stream, fd) {
                write_out_one(stream, &mut busy);
            }
        }
    }
}

#[allow(unsafe_code)]
fn is_of(stream: *mut FILE, fd: c_int) -> bool {
    // SAFETY: a stream stays noted as long as it is open: fclose() takes it out.
    !stream.is_null() && unsafe { real::number_of(stream) == fd }
}

#[allow(unsafe_code)]
fn write_out_one(stream: *mut FILE, busy: &mut impl FnMut(c_int)) {
    // SAFETY: an open stream.
    unsafe {
        if real::holds_back(stream) && !real::flush_if_idle(stream) {
            busy(real::number_of(stream));
        }
    }
}
