//! The C library's streams on sockets: what they hold back at the end of the process is written
//! only after the last code of a library has run, and would come too late for a half-close.

use crate::real;
use crate::table;
use libc::{c_int, FILE};

/// fdopen() has made a stream of it.
pub fn opened(fd: c_int, stream: *mut FILE) {
    if let Some(entry) = table::get(fd) {
        entry.set_stream(fd, stream as usize);
    }
}

/// Writes out what the streams of such descriptors hold back; whether that could be done. Not if
/// another thread is using one of them.
#[allow(unsafe_code)]
pub fn flush_all(is_wanted: impl Fn(c_int) -> bool) -> bool {
    let standard = real::standard_streams();
    let noted = table::numbers_from(0).map(|(_, entry)| entry.stream() as *mut FILE);
    let mut all = standard.into_iter().chain(noted);
    all.all(|stream| {
        // SAFETY: a stream stays noted as long as it is open: fclose() takes it out.
        stream.is_null()
            || unsafe { !is_wanted(real::number_of(stream)) || real::flush_if_idle(stream) }
    })
}
