//! The blocking calls.

use super::call::{call, catch};
use super::error::Refusal;
use super::layout::{self, ReportOut};
use super::types::*;
use crate::drive::blocking::{abort, Blocking};
use crate::machine::End;
use crate::options::{IfShared, Options, DEFAULT_TIMEOUT_MS};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sys::{LastError, Socket};
use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

/// Closes a connection gracefully: instead of closesocket(sock) or close(fd).
///
/// Turns SO_LINGER off, sends our FIN behind all that is queued, receives and
/// throws away what the peer still sends until its FIN comes, waits until the
/// peer's TCP has acknowledged everything, and closes. Blocks for at most
/// timeout_ms milliseconds; if they are not enough it closes ordinarily, and the
/// kernel goes on trying. A socket without a connection is closed at once.
///
/// Returns GC_GRACEFUL or another outcome: the socket is closed and no longer
/// yours. Or a negative GC_ERR_...: nothing was done, the socket is still open and
/// yours. errno and WSAGetLastError() stay as they were on an outcome, and say
/// why on an error.
///
/// Any thread. A pthread_cancel that comes meanwhile is honoured afterwards. A thread
/// that is blocked in accept() on it, or in recv() if it is a datagram socket, comes
/// back, as after closesocket(); on Linux not where somebody else holds the socket, or
/// that cannot be told. One that is blocked in send() comes back, too, with what has been
/// taken so far or EPIPE (and SIGPIPE, unless that is ignored), where a bare close() would
/// let it go on: let nobody send any more before the close. Should another thread close the
/// socket meanwhile, what has its number then is left alone: GC_ERR_NOT_A_SOCKET.
///
/// THE CONNECTION IS OVER FOR EVERYBODY WHO HOLDS IT, also for a forked child
/// and for a dup() of the descriptor. Where others may go on using it, use
/// gc_close_with() with GC_SHARED_RELEASE, or the bare close.
#[no_mangle]
pub extern "C" fn gc_close(sock: gc_socket, timeout_ms: c_uint) -> c_int {
    let options = Options {
        timeout_ms,
        ..Options::default()
    };
    call("gc_close", Some(sock), || close(sock, &options, None, None))
}

/// gc_close() with options, and with a report of how the connection ended.
///
/// options may be NULL (the defaults of GC_OPTIONS_INIT), and report may be NULL
/// (no report is written). Both structs are yours; the library reads and writes them
/// during the call only. The report is filled on errors too, with outcome set to what
/// is returned; after GC_ERR_ARGUMENT only if it is itself in order.
///
/// Returns and threads as gc_close(). With GC_THEN_KEEP look at report.closed: 0
/// says that the socket is still open, half-closed, and yours.
// SAFETY of the caller: the pointers are NULL or point to as much as their
// struct_size says.
#[no_mangle]
pub unsafe extern "C" fn gc_close_with(
    sock: gc_socket,
    options: *const gc_options,
    report: *mut gc_report,
) -> c_int {
    call("gc_close_with", Some(sock), || {
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let report = unsafe { ReportOut::new(report) }?;
        // SAFETY: likewise.
        match unsafe { layout::options(options) } {
            Ok((options, raw)) => {
                let on_data = raw.on_data.zip(Some(raw.user));
                close(sock, &options, on_data, Some(&report))
            }
            Err(wrong) => {
                let mut nothing = Report::nothing_done();
                nothing.system_error = LastError::ARGUMENT;
                report.write(GC_ERR_ARGUMENT, &nothing);
                Err(wrong.into())
            }
        }
    })
}

/// Finishes the connection and leaves the descriptor to its owner: gc_close_with()
/// with GC_KEEP_OPEN.
///
/// For a connection whose descriptor belongs to an object that closes it itself
/// (FILE *, BIO, QTcpSocket, an Asio socket), or that is to be used again
/// (DisconnectEx): call it just before that close, with nothing left in the object's
/// own buffers (fflush() first). Afterwards the owner's close neither blocks nor resets
/// after GC_GRACEFUL; after GC_TIMED_OUT it is what it would have been.
///
/// Returns as gc_close(), but the socket is open and yours on every outcome. It stays
/// half-closed, with SO_LINGER off, and on Windows non-blocking and without its
/// WSAEventSelect or WSAAsyncSelect. Any thread.
#[no_mangle]
pub extern "C" fn gc_finish(sock: gc_socket, timeout_ms: c_uint) -> c_int {
    let options = Options {
        timeout_ms,
        keep_open: true,
        ..Options::default()
    };
    call("gc_finish", Some(sock), || {
        close(sock, &options, None, None)
    })
}

/// Resets the connection now: the peer gets an RST, unsent data is dropped, and
/// nothing remains in the system. A socket without a connection is closed ordinarily.
///
/// Like a shutdown this hits every holder of the connection: on Linux at once,
/// elsewhere when the last of them closes. Does not block.
///
/// Returns 0: the socket is closed. Or GC_ERR_...: it is still open and yours.
#[no_mangle]
pub extern "C" fn gc_abort(sock: gc_socket) -> c_int {
    call("gc_abort", Some(sock), || {
        abort(&mut Socket(sock)).map_err(Refusal::System)?;
        Ok(0)
    })
}

/// What gc_closesocket waits at most.
static DEFAULT_TIMEOUT: AtomicU32 = AtomicU32::new(DEFAULT_TIMEOUT_MS);

/// Sets how long gc_closesocket() waits at most, for the whole process, in
/// milliseconds; initially 5000. No other function uses this time. Any thread, at any time.
#[no_mangle]
pub extern "C" fn gc_set_default_timeout(timeout_ms: c_uint) {
    DEFAULT_TIMEOUT.store(timeout_ms, Ordering::Relaxed);
}

// int gc_closesocket(gc_socket sock): declared in cbindgen.toml, because its
// calling convention on Windows is that of closesocket itself.
#[cfg(windows)]
#[no_mangle]
pub extern "system" fn gc_closesocket(sock: gc_socket) -> c_int {
    closesocket(sock)
}

/// cbindgen:ignore
#[cfg(not(windows))]
#[no_mangle]
pub extern "C" fn gc_closesocket(sock: gc_socket) -> c_int {
    closesocket(sock)
}

fn closesocket(sock: gc_socket) -> c_int {
    let options = Options {
        timeout_ms: DEFAULT_TIMEOUT.load(Ordering::Relaxed),
        if_shared: IfShared::Release,
        ..Options::default()
    };
    match call("gc_closesocket", Some(sock), || {
        close(sock, &options, None, None)
    }) {
        code if code < 0 => -1,
        _ => 0,
    }
}

/// The caller's on_data and user.
pub(super) type OnData = (
    unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int,
    *mut c_void,
);

/// The report is written also after a panic: it says what has become of the socket.
fn close(
    sock: gc_socket,
    options: &Options,
    on_data: Option<OnData>,
    report: Option<&ReportOut>,
) -> Result<c_int, Refusal> {
    let report = report.filter(|report| report.is_wanted());
    let mut closing = Blocking::new(Socket(sock), options, report.is_some());
    let Some(report) = report else {
        return answer(run(&mut closing, on_data));
    };
    let result = catch(|| run(&mut closing, on_data)).and_then(answer);
    let code = result.unwrap_or_else(Refusal::number);
    report.write(code, &closing.report(Outcome::Uncertain));
    result
}

fn answer(end: End) -> Result<c_int, Refusal> {
    match end {
        End::Outcome(outcome) => Ok(outcome as c_int),
        End::Refused(fault) => Err(Refusal::System(fault)),
    }
}

fn run(closing: &mut Blocking, on_data: Option<OnData>) -> End {
    match on_data {
        None => closing.run(&mut None),
        Some(on_data) => closing.run(&mut Some(&mut sink(on_data))),
    }
}

/// The caller's on_data as what the state machine takes.
pub(super) fn sink((on_data, user): OnData) -> impl FnMut(&[u8]) -> bool {
    move |data: &[u8]| {
        // SAFETY: the caller gave the function and its argument for this.
        unsafe { on_data(user, data.as_ptr().cast(), data.len()) == 0 }
    }
}
