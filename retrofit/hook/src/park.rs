//! Connections that the program has closed and that are still being finished.

use crate::eligible::{self, Ends, FULL};
use crate::{log, settings};
use graceful_close::{
    internals, IfShared, Options, Outcome, OwnedSocket, Reaper, ReaperOptions, Report,
};
use std::os::windows::io::{FromRawSocket, IntoRawSocket, RawSocket};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use windows_sys::Win32::Networking::WinSock::SOCKET;

/// One that is being finished.
struct Parked {
    socket: SOCKET,
    /// Tells it from a later one with the same number.
    id: u64,
    ends: Ends,
}

static PARKED: Mutex<Vec<Parked>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static TAKEN_OVER: AtomicU32 = AtomicU32::new(0);

/// Started with the first connection: before, the program need not have started Winsock.
static REAPER: OnceLock<Reaper> = OnceLock::new();

/// When the wait at the end of the process is over, counted from its beginning.
static EXIT_DEADLINE: OnceLock<Instant> = OnceLock::new();

fn parked() -> MutexGuard<'static, Vec<Parked>> {
    PARKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread starts it. Another that comes meanwhile does not wait: it may hold the loader's
/// lock, which the start needs.
fn reaper() -> Option<&'static Reaper> {
    static STARTING: Mutex<()> = Mutex::new(());
    if REAPER.get().is_none() {
        let _lock = STARTING.try_lock().ok()?;
        if REAPER.get().is_none() {
            let _ = REAPER.set(Reaper::new(&ReaperOptions::new()).ok()?);
        }
    }
    REAPER.get()
}

/// How many closes have been taken over so far.
#[cfg_attr(not(feature = "link"), allow(dead_code))]
pub(crate) fn taken_over() -> u32 {
    TAKEN_OVER.load(Ordering::Relaxed)
}

pub(crate) fn is_at_work() -> bool {
    REAPER.get().is_some()
}

/// Whether the program has closed this socket already. A number that has come free in the very
/// moment and is another socket's now has other addresses, or none.
pub(crate) fn holds(socket: SOCKET) -> bool {
    let before = parked()
        .iter()
        .find(|parked| parked.socket == socket)
        .map(|parked| parked.ends);
    before.is_some_and(|ends| ends == Ends::of(socket))
}

/// Whether it has been taken over. Otherwise it is untouched, but for what was pending on it:
/// that would not survive the real close either.
pub(crate) fn hand_over(socket: SOCKET) -> bool {
    let settings = settings::get();
    let ends = Ends::of(socket);
    // Not `holds`' business then: a second close could not be told from another's.
    if !ends.are_known() {
        return false;
    }
    if settings.blocking {
        return finish_here(socket, &ends);
    }
    let Some(reaper) = reaper() else {
        return false;
    };
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    {
        let mut parked = parked();
        if parked.len() >= settings.max_parked {
            drop(parked);
            eligible::tell(socket, FULL);
            return false;
        }
        parked.push(Parked { socket, id, ends });
    }
    internals::give_back_receives(socket as RawSocket);
    let (owned, options) = given_up(socket);
    match reaper.close_then(owned, &options, move |report| ended(id, &ends, report)) {
        Ok(()) => {
            TAKEN_OVER.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(refused) => {
            // Open, and for the real closesocket: nobody may drop it here.
            let _ = refused.into_socket().into_raw_socket();
            remove(id);
            false
        }
    }
}

/// The program gives the socket up.
fn given_up(socket: SOCKET) -> (OwnedSocket, Options) {
    let settings = settings::get();
    let options = Options::new()
        .timeout(settings.timeout)
        .idle_timeout(settings.idle)
        .max_drain_bytes(settings.max_bytes)
        .if_shared(IfShared::Release);
    // SAFETY: whoever calls this closes it, or hands it over.
    let owned = unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) };
    (owned, options)
}

/// The calling thread waits.
fn finish_here(socket: SOCKET, ends: &Ends) -> bool {
    internals::give_back_receives(socket as RawSocket);
    let (owned, options) = given_up(socket);
    match graceful_close::close_with(owned, &options) {
        Ok(closed) => {
            TAKEN_OVER.fetch_add(1, Ordering::Relaxed);
            note(ends, &closed.report);
            true
        }
        Err(refused) => {
            // Open, as above.
            let _ = refused.into_socket().into_raw_socket();
            false
        }
    }
}

/// On the reaper's thread, after the close.
fn ended(id: u64, ends: &Ends, report: &Report) {
    remove(id);
    note(ends, report);
}

fn note(ends: &Ends, report: &Report) {
    if report.outcome != Outcome::NotConnected && log::is_on() {
        log::line(&format!(
            "{}: {}, {} ms, {} bytes thrown away",
            ends.words(),
            report.outcome,
            report.elapsed.as_millis(),
            report.drained_bytes
        ));
    }
}

fn remove(id: u64) {
    let mut parked = parked();
    if let Some(place) = parked.iter().position(|parked| parked.id == id) {
        parked.swap_remove(place);
    }
}

/// Waits for what is being finished, bounded: the process ends. The bound is one for all calls.
pub(crate) fn flush_at_exit() {
    let Some(reaper) = REAPER.get() else {
        return;
    };
    let limit = settings::get().exit_wait;
    let deadline = *EXIT_DEADLINE.get_or_init(|| Instant::now() + limit);
    let left = deadline.saturating_duration_since(Instant::now());
    if !reaper.flush(left) && left > Duration::ZERO {
        let waiting = reaper.pending();
        log::line(&format!(
            "exit: {waiting} still open after {} ms",
            limit.as_millis()
        ));
    }
}
