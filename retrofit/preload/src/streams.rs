//! The C library's streams on sockets: what they hold back at the end of the process is written
//! only after the last code of a library has run, and would come too late for a half-close.

use crate::fd_table;
use crate::real;
use libc::{c_int, FILE};

/// fdopen() has made a stream of it.
pub fn opened(fd: c_int, stream: *mut FILE) {
    if let Some(entry) = fd_table::get(fd) {
        entry.set_stream(fd, stream as usize);
    }
}

/// Writes out what a stream of this descriptor holds back; whether that could be done.
#[allow(unsafe_code)]
pub fn flush(fd: c_int) -> bool {
    let noted = fd_table::get(fd).map_or(0, fd_table::Entry::stream) as *mut FILE;
    let standard = real::standard_streams();
    let mut all = standard.iter().copied().chain([noted]);
    all.all(|stream| {
        // SAFETY: a stream stays noted as long as it is open: fclose() takes it out.
        stream.is_null() || unsafe { real::number_of(stream) != fd || real::flush_if_idle(stream) }
    })
}
