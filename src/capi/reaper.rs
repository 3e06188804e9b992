//! The background.

use super::call::{call, catch, enter};
use super::close::OnData;
use super::error::{error_code, Refusal, Wrong};
use super::layout;
use super::types::*;
use crate::connection::Fault;
use crate::options::{Fallback, Options, DEFAULT_TIMEOUT_MS};
use crate::reaper::pool::{Done, Reader};
use crate::reaper::{Handover, Reaper, WhenFull};
use crate::report::Report;
use crate::sys::{boxed, Room, Socket};
use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// One thread that finishes any number of closes.
pub struct gc_reaper {
    reaper: Reaper,
}

/// Starts a reaper.
///
/// options may be NULL: no limit. *out is written on success only; give it back by
/// gc_reaper_free().
///
/// It keeps two descriptors of its own on Linux. A program that closes all there are may
/// close these, too: the reaper makes itself new ones within a second, and nothing of
/// the program's that has their numbers is touched.
///
/// Returns 0 or GC_ERR_ARGUMENT, GC_ERR_RESOURCES; GC_ERR_STOPPED in a child of vfork().
/// Any thread.
#[no_mangle]
pub unsafe extern "C" fn gc_reaper_new(
    options: *const gc_reaper_options,
    out: *mut *mut gc_reaper,
) -> c_int {
    call("gc_reaper_new", None, || {
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let options = unsafe { layout::reaper_options(options) }?;
        if out.is_null() {
            return Err(Wrong::Null("out").into());
        }
        let when_full = match options.when_full {
            GC_FULL_EVICT_OLDEST => WhenFull::EvictOldest,
            GC_FULL_REFUSE => WhenFull::Refuse,
            other => {
                let allowed = "GC_FULL_EVICT_OLDEST or GC_FULL_REFUSE";
                return Err(Wrong::Value("when_full", other, allowed).into());
            }
        };
        let room = Room::ask().ok_or(Refusal::NO_MEMORY)?;
        let reaper = Reaper::start(options.max_pending, when_full).map_err(Refusal::of)?;
        let reaper = Box::into_raw(room.fill(gc_reaper { reaper }));
        // SAFETY: not NULL; the caller vouches that it may be written.
        unsafe { out.write(reaper) };
        Ok(0)
    })
}

/// Hands a socket over: our FIN leaves in the call, the rest is done in the
/// background. Never blocks.
///
/// On success the socket is no longer yours, not even its number: a descriptor
/// below 1024 is moved away (POSIX), so that select() does not run out of low
/// numbers. TAKE IT OUT OF YOUR OWN POLLER FIRST: an epoll registration survives
/// the hand-over, and spins. Signals that were asked of it (O_ASYNC, F_SETOWN) end
/// with the hand-over, unless somebody else holds the connection, too.
///
/// If you close it all the same, by mistake, what has its number afterwards is left
/// alone: see gc_done_fn. On Windows, where a handle is given out again at once, the
/// addresses of both ends tell one connection from another.
///
/// done, if not NULL, is called exactly once, on the reaper's thread, also when
/// the close is ended early; user is handed to it. options may be NULL;
/// GC_THEN_KEEP, GC_THEN_BACKGROUND and GC_KEEP_OPEN are refused with GC_ERR_ARGUMENT. With
/// GC_DEFERRED even the half-close is left to the reaper.
///
/// Returns 0: it is taken over. Or an error, and the socket is untouched and
/// yours: GC_ERR_NOT_A_SOCKET, GC_ERR_ARGUMENT, GC_ERR_RESOURCES (the table is full
/// and says GC_FULL_REFUSE, or no memory), GC_ERR_STOPPED (being freed, or the
/// parent's in a child: of fork(), of _Fork(), of a bare clone, of vfork()).
#[no_mangle]
pub unsafe extern "C" fn gc_reaper_close(
    reaper: *mut gc_reaper,
    sock: gc_socket,
    options: *const gc_options,
    done: gc_done_fn,
    user: *mut c_void,
) -> c_int {
    call("gc_reaper_close", Some(sock), || {
        // SAFETY: NULL, or alive: the caller has not freed it.
        let reaper = unsafe { reaper.as_ref() }.ok_or(Wrong::Null("reaper"))?;
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let (options, raw) = unsafe { layout::options(options) }?;
        let handover = handover(sock, options, &raw, done, user)?;
        reaper.reaper.hand_over(handover).map_err(Refusal::of)?;
        Ok(0)
    })
}

/// How many it has taken over and not ended yet. 0 for NULL, and for the parent's
/// reaper in a forked child.
#[no_mangle]
pub unsafe extern "C" fn gc_reaper_pending(reaper: *const gc_reaper) -> usize {
    // SAFETY: NULL, or alive: the caller has not freed it.
    let reaper = unsafe { reaper.as_ref() };
    enter(|| {
        let pending = catch(|| reaper.map_or(0, |reaper| reaper.reaper.pending()));
        (pending.unwrap_or(0), None)
    })
}

/// Waits until no close is pending, for at most timeout_ms.
///
/// Returns 0, GC_TIMED_OUT, or an error. Inside a callback it does not wait.
#[no_mangle]
pub unsafe extern "C" fn gc_reaper_flush(reaper: *mut gc_reaper, timeout_ms: c_uint) -> c_int {
    call("gc_reaper_flush", None, || {
        // SAFETY: NULL, or alive: the caller has not freed it.
        let reaper = unsafe { reaper.as_ref() }.ok_or(Wrong::Null("reaper"))?;
        flush(&reaper.reaper, timeout_ms)
    })
}

/// Refuses new ones, waits for the pending ones for at most timeout_ms, ends the
/// rest by their fallback (GC_EVICTED), calls what callbacks are due, ends the
/// thread and frees the reaper. NULL is allowed.
///
/// Returns 0, GC_TIMED_OUT if some had to be ended, or an error: GC_ERR_ARGUMENT on
/// the reaper's own thread (nothing was done), GC_ERR_STOPPED for the parent's
/// reaper in a forked child (its memory is kept). No other call on it may be under
/// way or follow.
#[no_mangle]
pub unsafe extern "C" fn gc_reaper_free(reaper: *mut gc_reaper, timeout_ms: c_uint) -> c_int {
    call("gc_reaper_free", None, || {
        // SAFETY: NULL, or alive: the caller has not freed it.
        let Some(alive) = (unsafe { reaper.as_ref() }) else {
            return Ok(0);
        };
        if alive.reaper.is_own_thread() {
            return Err(Wrong::InsideReaper.into());
        }
        let flushed = alive.reaper.stop(timeout_ms).map_err(Refusal::of)?;
        // SAFETY: made by gc_reaper_new, and the last call on it.
        drop(unsafe { Box::from_raw(reaper) });
        Ok(timed_out_unless(flushed))
    })
}

/// Closes gracefully in the background, on a reaper of the process that is
/// started at the first call: instead of closesocket(sock) where the program
/// cannot wait. Everything said of gc_reaper_close() holds.
///
/// WHAT IS PENDING WHEN THE PROGRAM ENDS IS CUT OFF unless it calls gc_flush()
/// before, or has put GRACEFUL_CLOSE_FLUSH_AT_EXIT(ms) at the start of main().
///
/// Returns 0: it is taken over. Or an error, and the socket is untouched and yours.
#[no_mangle]
pub extern "C" fn gc_close_async(sock: gc_socket, timeout_ms: c_uint) -> c_int {
    let options = Options {
        timeout_ms,
        ..Options::default()
    };
    let handover = Handover {
        socket: Socket(sock),
        options,
        deferred: false,
        done: None,
        reader: None,
    };
    call("gc_close_async", Some(sock), || {
        hand_over_to_the_process(handover)
    })
}

/// gc_reaper_close() on the reaper of the process: gc_close_async() with options, and
/// with a callback when it has ended. options, done and user as there; gc_flush() waits for it.
///
/// Returns 0: it is taken over. Or an error, and the socket is untouched and yours.
#[no_mangle]
pub unsafe extern "C" fn gc_close_async_with(
    sock: gc_socket,
    options: *const gc_options,
    done: gc_done_fn,
    user: *mut c_void,
) -> c_int {
    call("gc_close_async_with", Some(sock), || {
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let (options, raw) = unsafe { layout::options(options) }?;
        hand_over_to_the_process(handover(sock, options, &raw, done, user)?)
    })
}

/// Waits until nothing of gc_close_async() is pending, for at most timeout_ms:
/// call it before the program exits.
///
/// Returns 0 or GC_TIMED_OUT.
#[no_mangle]
pub extern "C" fn gc_flush(timeout_ms: c_uint) -> c_int {
    call(
        "gc_flush",
        None,
        || match crate::reaper::of_the_process_if_any() {
            Some(reaper) => flush(reaper, timeout_ms),
            None => Ok(0),
        },
    )
}

/// What gc_flush_at_exit() waits.
static EXIT_TIMEOUT: AtomicU32 = AtomicU32::new(DEFAULT_TIMEOUT_MS);

/// For GRACEFUL_CLOSE_FLUSH_AT_EXIT: how long gc_flush_at_exit() waits at most.
#[no_mangle]
pub extern "C" fn gc_set_exit_timeout(timeout_ms: c_uint) {
    EXIT_TIMEOUT.store(timeout_ms, Ordering::Relaxed);
}

/// For GRACEFUL_CLOSE_FLUSH_AT_EXIT: gc_flush() in the shape that atexit() wants.
/// It must be registered by the program itself: handlers of a DLL run when its
/// threads are dead already.
#[no_mangle]
pub extern "C" fn gc_flush_at_exit() {
    gc_flush(EXIT_TIMEOUT.load(Ordering::Relaxed));
}

fn handover(
    sock: gc_socket,
    options: Options,
    raw: &gc_options,
    done: gc_done_fn,
    user: *mut c_void,
) -> Result<Handover, Refusal> {
    match options.fallback {
        Fallback::Keep => return Err(Wrong::KeptInBackground.into()),
        _ if options.keep_open => return Err(Wrong::KeptInBackground.into()),
        Fallback::Background => return Err(Wrong::BackgroundTwice.into()),
        Fallback::Close | Fallback::Abort => {}
    }
    let done = done.map(|done| callback(done, sock, user));
    let reader = raw.on_data.map(|on_data| reader((on_data, raw.user)));
    Ok(Handover {
        socket: Socket(sock),
        options,
        deferred: raw.flags & GC_DEFERRED != 0,
        done: done.transpose()?,
        reader: reader.transpose()?,
    })
}

fn hand_over_to_the_process(handover: Handover) -> Result<c_int, Refusal> {
    crate::reaper::hand_over_to_the_process(handover).map_err(Refusal::of)?;
    Ok(0)
}

fn flush(reaper: &Reaper, timeout_ms: u32) -> Result<c_int, Refusal> {
    let flushed = reaper.flush(timeout_ms).map_err(Refusal::of)?;
    Ok(timed_out_unless(flushed))
}

fn timed_out_unless(flushed: bool) -> c_int {
    match flushed {
        true => 0,
        false => GC_TIMED_OUT,
    }
}

/// The program's pointer, to be handed back to it on the reaper's thread.
struct User(*mut c_void);

// SAFETY: it is never looked into here; the header says on which thread the
// callbacks come.
unsafe impl Send for User {}

impl User {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

type DoneFn = unsafe extern "C" fn(*mut c_void, gc_socket, *const gc_report);

fn callback(done: DoneFn, sock: gc_socket, user: *mut c_void) -> Result<Done, Refusal> {
    let user = User(user);
    let told = boxed(move |fault: Option<Fault>, report: &Report| {
        let code = fault.map_or(report.outcome as c_int, error_code);
        let report = layout::raw_report(code, report);
        // SAFETY: the program gave the function and its argument for this.
        unsafe { done(user.get(), sock, ptr::addr_of!(report)) }
    });
    Ok(told.map_err(|_| Refusal::NO_MEMORY)?)
}

fn reader((on_data, user): OnData) -> Result<Reader, Refusal> {
    let user = User(user);
    let reader = boxed(move |data: &[u8]| {
        // SAFETY: the program gave the function and its argument for this.
        unsafe { on_data(user.get(), data.as_ptr().cast(), data.len()) == 0 }
    });
    Ok(reader.map_err(|_| Refusal::NO_MEMORY)?)
}
