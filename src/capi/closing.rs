//! The handle for the program's own event loop.

use super::call::{call, catch, enter};
use super::close::{sink, OnData};
use super::error::{error_code, Refusal, Wrong};
use super::layout::{self, ReportOut};
use super::types::*;
use crate::drive::stepped::{Handle, SoFar};
use crate::machine::End;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sys::{Room, Socket};
use std::cell::{BorrowMutError, Cell, RefCell};
use std::ffi::{c_int, c_uint};

/// One close in the program's own event loop. One thread's at a time. Its on_data may look at
/// it while a step is under way: it is only ever shared, and the step borrows the handle.
pub struct gc_closing {
    socket: gc_socket,
    handle: RefCell<Handle>,
    /// As the step under way has found it, and the bytes that on_data has got since.
    so_far: Cell<SoFar>,
    delivered: Cell<usize>,
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
/// timeout_ms counts from this call, not from the first step. What the socket is, and
/// whether it is connected, is looked at by the first step.
///
/// Returns 0, or an error: *out is not written, and the socket is untouched and yours.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_new(
    sock: gc_socket,
    options: *const gc_options,
    out: *mut *mut gc_closing,
) -> c_int {
    call("gc_closing_new", Some(sock), || {
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let (options, raw) = unsafe { layout::options(options) }?;
        if out.is_null() {
            return Err(Wrong::Null("out").into());
        }
        let room = Room::ask().ok_or(Refusal::NO_MEMORY)?;
        let handle = Handle::new(Socket(sock), &options).map_err(Refusal::System)?;
        let closing = room.fill(gc_closing {
            socket: sock,
            so_far: Cell::new(handle.so_far()),
            delivered: Cell::new(0),
            handle: RefCell::new(handle),
            on_data: raw.on_data.zip(Some(raw.user)),
        });
        // SAFETY: not NULL; the caller vouches that it may be written.
        unsafe { out.write(Box::into_raw(closing)) };
        Ok(0)
    })
}

/// Goes on as far as it can without waiting: call it on readiness, and when
/// gc_closing_timeout_ms() has passed. Once too often, or late, changes nothing but
/// time. It is bounded also when the peer floods.
///
/// Returns GC_PENDING; or an outcome, and again the same when called after the end
/// (the socket is closed, unless GC_THEN_KEEP and the report say otherwise); or
/// GC_ERR_...: it is over without an outcome. After GC_ERR_SYSTEM the socket is open and
/// yours; after GC_ERR_NOT_A_SOCKET the number is no longer that socket (somebody has closed
/// it), so leave it alone; after GC_ERR_INTERNAL look at report.closed. On every end, errors
/// too, the handle itself is still there, and gc_closing_free() gives it back; more steps
/// change nothing and return the same. GC_ERR_ARGUMENT: NULL, or called from its own on_data.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_step(closing: *mut gc_closing) -> c_int {
    // SAFETY: NULL, or alive and this thread's.
    let closing = unsafe { closing.as_ref() };
    let socket = closing.map(|closing| closing.socket);
    call("gc_closing_step", socket, || {
        let closing = closing.ok_or(Wrong::Null("closing"))?;
        match step(closing).map_err(|_| Wrong::InsideStep)? {
            None => Ok(GC_PENDING),
            Some(End::Outcome(outcome)) => Ok(outcome as c_int),
            Some(End::Refused(fault)) => Err(Refusal::System(fault)),
        }
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
        Some(closing) => closing.socket,
        None => !0,
    }
}

/// Call gc_closing_step() again at the latest after so many milliseconds;
/// GC_INFINITE: only on readiness. (With GC_INFINITE as its time-out it may be less, too:
/// as long as the peer has bytes of ours to acknowledge it is looked whether it answers.)
/// 0 before the first step, and when a flooding peer has filled a step. Where no event
/// tells that the peer has acknowledged everything, it grows from 1 to 50.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_timeout_ms(closing: *const gc_closing) -> c_uint {
    // SAFETY: NULL, or alive and this thread's.
    match unsafe { closing.as_ref() } {
        Some(closing) => match closing.handle.try_borrow() {
            Ok(handle) => handle.timeout_ms(),
            Err(_) => 0,
        },
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
    let wants_read = |closing: &gc_closing| match closing.handle.try_borrow() {
        Ok(handle) => handle.wants_read(),
        Err(_) => true,
    };
    c_int::from(closing.is_some_and(wants_read))
}

/// What is known of it: of its end, or at this moment (outcome is GC_PENDING then).
/// unacked_bytes is asked at the call, also while it waits. May be called from on_data.
///
/// Returns 0 or GC_ERR_ARGUMENT.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_report(
    closing: *const gc_closing,
    report: *mut gc_report,
) -> c_int {
    call("gc_closing_report", None, || {
        // SAFETY: NULL, or alive and this thread's; the caller vouches for the report's
        // pointer and its struct_size.
        let (closing, out) = unsafe { (closing.as_ref(), ReportOut::new(report)?) };
        let closing = closing.ok_or(Wrong::Null("closing"))?;
        if !out.is_wanted() {
            return Err(Wrong::Null("report").into());
        }
        let (code, report) = report_of(closing);
        out.write(code, &report);
        Ok(0)
    })
}

fn report_of(closing: &gc_closing) -> (c_int, Report) {
    let Ok(handle) = closing.handle.try_borrow() else {
        // From its on_data.
        let report = closing.so_far.get().report(closing.delivered.get());
        return (GC_PENDING, report);
    };
    let code = match handle.end() {
        None => GC_PENDING,
        Some(End::Outcome(outcome)) => outcome as c_int,
        Some(End::Refused(fault)) => error_code(fault),
    };
    (code, handle.report(Outcome::Uncertain))
}

/// Gives the handle back. One that is still pending is ended by its fallback
/// (GC_EVICTED in the statistics); what has no connection is closed, also with
/// GC_THEN_KEEP. Needed after every end, also after an error of gc_closing_step(). Not from
/// on_data. NULL is allowed.
#[no_mangle]
pub unsafe extern "C" fn gc_closing_free(closing: *mut gc_closing) {
    if closing.is_null() {
        return;
    }
    // SAFETY: made by gc_closing_new, and the last call on it.
    let closing = unsafe { Box::from_raw(closing) };
    enter(|| {
        let _ = catch(|| closing.handle.borrow_mut().give_up());
        ((), None)
    });
}

fn step(closing: &gc_closing) -> Result<Option<End>, BorrowMutError> {
    let mut handle = closing.handle.try_borrow_mut()?;
    let Some(on_data) = closing.on_data else {
        return Ok(handle.step(&mut None));
    };
    closing.so_far.set(handle.so_far());
    closing.delivered.set(0);
    let mut deliver = sink(on_data);
    Ok(handle.step(&mut Some(&mut |data: &[u8]| {
        let before = closing.delivered.get();
        closing.delivered.set(before.saturating_add(data.len()));
        deliver(data)
    })))
}
