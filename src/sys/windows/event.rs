//! Waiting in the program's threads, by an event: WSAPoll, select and recv wait alertably
//! ("WSAPoll"), and the program's completion routines must not run inside a close.

use super::waiter::{millis_until, nap};
use super::{last_fault, poll_many, syscall, ws, PollEntry, Socket};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Fault;
use std::ptr::null;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForSingleObject};

/// So often it is looked without an event: a handle that another thread closes sets none.
const LOOK_MS: u32 = 200;

/// How long to pause where no event is to be had.
const PAUSE_MS: u32 = 5;

/// An event that resets itself, and belongs to one wait or one waiter.
pub(super) struct Event(HANDLE);

impl Event {
    pub(super) fn new() -> Option<Event> {
        // SAFETY: no attributes, no name.
        let handle = unsafe { CreateEventW(null(), 0, 0, null()) };
        (!handle.is_null()).then_some(Event(handle))
    }

    /// Until it is set or the time is up, or a little while; not alertably.
    fn wait(&self, until: Time) {
        let limit = until.min(SystemClock.now().plus_millis(LOOK_MS));
        // SAFETY: the handle is open until `self` is dropped.
        unsafe { WaitForSingleObject(self.0, millis_until(limit) as u32) };
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

impl Socket {
    /// Sets the event when there is something to read or an end, also what is there already.
    fn select(self, event: &Event) -> Result<(), Fault> {
        let events = (ws::FD_READ | ws::FD_CLOSE) as i32;
        syscall!(ws::WSAEventSelect(self.0, event.0 as isize, events)).map(drop)
    }

    /// Waits for something to read, an end or an error; what there is then. The socket is
    /// left without a selection.
    pub(super) fn wait_by(self, event: Option<&Event>, until: Time) -> Result<i16, Fault> {
        let Some(event) = event else {
            nap(until.min(SystemClock.now().plus_millis(PAUSE_MS)));
            return self.poll(ws::POLLRDNORM, 0);
        };
        self.select(event)?;
        let mut events = self.poll(ws::POLLRDNORM, 0);
        if events == Ok(0) {
            event.wait(until);
            events = self.poll(ws::POLLRDNORM, 0);
        }
        self.end_selection();
        events
    }
}

/// As [`poll_many`], in a thread of the program.
pub(crate) fn wait_for_any(entries: &mut [PollEntry], until: Time) -> bool {
    let now = SystemClock.now();
    let can_poll = poll_many(entries, now);
    if !can_poll || until <= now || entries.iter().any(PollEntry::has_event) {
        return can_poll;
    }
    match Event::new() {
        Some(event) => {
            let is_selected = |entry: &PollEntry| entry.socket().select(&event).is_ok();
            if entries.iter().all(is_selected) {
                event.wait(until);
            } else {
                nap(until.min(now.plus_millis(PAUSE_MS)));
            }
            for entry in entries.iter() {
                entry.socket().end_selection();
            }
        }
        None => nap(until.min(now.plus_millis(PAUSE_MS))),
    }
    poll_many(entries, now)
}
