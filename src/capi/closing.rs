//! The handle for the program's own event loop.

use super::border::{catch, enter, Caught};
use super::close::{error_code, gc_socket, sink, OnData};
use super::convert::{self, ReportOut};
use super::types::*;
use crate::closing::End;
use crate::handle::Handle;
use crate::memory;
use crate::outcome::Outcome;
use crate::sys::{LastError, Socket};
use std::ffi::{c_int, c_uint};

/// One close in the program's own event loop. One thread's at a time.
pub struct gc_closing {
    handle: Handle,
    on_data: Option<OnData>,
}

/// Begins a close that the program's own event loop drives: no thread, no blocking
/// call. Nothing happens before the first gc_closing_step().
///
/// options may be NULL. On success *out is written, and the socket is the handle's:
/// watch it, but do not read from it or close it. On Windows the program's
/// WSAAsyncSelect or WSAEventSelect (FD_READ | FD_CLOSE) stays in force; the socket
/// becomes non-blocking.
///
/// Returns 0, or an error and the socket is untouched and yours.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_new(
    sock: gc_socket,
    options: *const gc_options,
    out: *mut *mut gc_closing,
) -> c_int {
    // SAFETY: the caller vouches for the pointer and its struct_size.
    let (options, raw) = match unsafe { convert::options(options) } {
        Ok(options) if !out.is_null() => options,
        _ => return refuse(),
    };
    if !memory::can_have(memory::HANDOVER) {
        return enter(|| (GC_ERR_RESOURCES, Some(LastError::RESOURCES)));
    }
    enter(|| match catch(|| Handle::new(Socket(sock), &options)) {
        Ok(Ok(handle)) => {
            let on_data = raw.on_data.zip(Some(raw.user));
            let closing = Box::new(gc_closing { handle, on_data });
            // SAFETY: not NULL; the caller vouches that it may be written.
            unsafe { out.write(Box::into_raw(closing)) };
            (0, None)
        }
        Ok(Err(fault)) => (error_code(fault), Some(fault.code)),
        Err(Caught) => (GC_ERR_INTERNAL, None),
    })
}

/// Goes on as far as it can without waiting: call it on readiness, and when
/// gc_closing_timeout_ms() has passed. Once too often, or late, changes nothing but
/// time. It is bounded also when the peer floods.
///
/// Returns GC_PENDING; or an outcome, and again the same when called after the end
/// (the socket is closed, unless GC_THEN_KEEP and the report say otherwise); or
/// GC_ERR_... when the system refuses, and the socket is open and yours.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_step(closing: *mut gc_closing) -> c_int {
    // SAFETY: NULL, or alive and this thread's.
    let Some(closing) = (unsafe { closing.as_mut() }) else {
        return refuse();
    };
    enter(|| match catch(|| step(closing)) {
        Ok(None) => (GC_PENDING, None),
        Ok(Some(End::Outcome(outcome))) => (outcome as c_int, None),
        Ok(Some(End::Refused(fault))) => (error_code(fault), Some(fault.code)),
        Err(Caught) => (GC_ERR_INTERNAL, None),
    })
}

/// The socket to watch for readability (FD_READ | FD_CLOSE, POLLIN, EPOLLIN). Step on
/// ANY event, POLLHUP and POLLERR too: WSAPoll() tells of a peer's close by POLLHUP
/// alone, and a loop that looks for POLLIN only would turn for ever without a step. After
/// the end its number only identifies. (gc_socket)-1 for NULL.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_socket(closing: *const gc_closing) -> gc_socket {
    // SAFETY: NULL, or alive and this thread's.
    match unsafe { closing.as_ref() } {
        Some(closing) => closing.handle.socket().0,
        None => !0,
    }
}

/// Call gc_closing_step() again at the latest after so many milliseconds;
/// GC_INFINITE: only on readiness. 0 before the first step, and when a flooding peer
/// has filled a step. Where no event tells that the peer has acknowledged
/// everything, it grows from 1 to 50.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_timeout_ms(closing: *const gc_closing) -> c_uint {
    // SAFETY: NULL, or alive and this thread's.
    match unsafe { closing.as_ref() } {
        Some(closing) => closing.handle.timeout_ms(),
        None => crate::options::INFINITE,
    }
}

/// 1: watch for readability. 0: take the socket out of the set now (FD_CLR, its row left
/// out of poll() or its fd negated, EPOLL_CTL_DEL); the time-out alone counts. events = 0
/// is not enough: poll() and epoll report POLLHUP and POLLERR all the same, and a
/// level-triggered loop would spin.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_wants_read(closing: *const gc_closing) -> c_int {
    // SAFETY: NULL, or alive and this thread's.
    let closing = unsafe { closing.as_ref() };
    c_int::from(closing.is_some_and(|closing| closing.handle.wants_read()))
}

/// What is known of it: of its end, or so far (outcome is GC_PENDING then).
///
/// Returns 0 or GC_ERR_ARGUMENT.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_report(
    closing: *const gc_closing,
    report: *mut gc_report,
) -> c_int {
    // SAFETY: NULL, or alive and this thread's; the caller vouches for the report's
    // pointer and its struct_size.
    let (closing, out) = unsafe { (closing.as_ref(), ReportOut::new(report)) };
    let (Some(closing), Ok(out)) = (closing, out) else {
        return refuse();
    };
    if !out.is_wanted() {
        return refuse();
    }
    let code = match closing.handle.end() {
        None => GC_PENDING,
        Some(End::Outcome(outcome)) => outcome as c_int,
        Some(End::Refused(fault)) => error_code(fault),
    };
    out.write(code, &closing.handle.report(Outcome::Uncertain));
    0
}

/// Gives the handle back. One that is still pending is ended by its fallback
/// (GC_EVICTED in the statistics); what has no connection is closed, also with
/// GC_THEN_KEEP. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_free(closing: *mut gc_closing) {
    if closing.is_null() {
        return;
    }
    // SAFETY: made by gc_closing_new, and the last call on it.
    let mut closing = unsafe { Box::from_raw(closing) };
    enter(|| {
        let _ = catch(|| closing.handle.give_up());
        ((), None)
    });
}

fn step(closing: &mut gc_closing) -> Option<End> {
    match closing.on_data {
        None => closing.handle.step(&mut None),
        Some(on_data) => closing.handle.step(&mut Some(&mut sink(on_data))),
    }
}

fn refuse() -> c_int {
    LastError::set(LastError::ARGUMENT);
    GC_ERR_ARGUMENT
}
