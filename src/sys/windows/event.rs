//! Waiting in the program's threads: WSAPoll, select and recv wait alertably ("WSAPoll"), and the
//! program's completion routines must not run inside a close.

use super::fault::syscall;
use super::handle::Socket;
use super::poll_entry::{poll_many, PollEntry};
use super::wait::{millis_until, nap};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Fault;
use std::ptr::null;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForSingleObject};

/// So often it is looked without an event: a handle that another thread closes sets none.
const LOOK_MS: u32 = 200;

/// How far apart the looks at several are.
const PAUSE_MS: u32 = 1;
const PAUSE_MOST_MS: u32 = 8;

/// An event that resets itself.
pub(super) struct Event(HANDLE);

impl Event {
    fn new() -> Option<Event> {
        // SAFETY: no attributes, no name.
        let handle = unsafe { CreateEventW(null(), 0, 0, null()) };
        (!handle.is_null()).then_some(Event(handle))
    }

    /// One that is set when there is something to read on the socket, or an end; also by what
    /// is there already.
    pub(super) fn of(socket: Socket) -> Option<Event> {
        let event = Event::new()?;
        let events = (ws::FD_READ | ws::FD_CLOSE) as i32;
        let selected = syscall!(ws::WSAEventSelect(socket.0, event.0 as isize, events));
        selected.is_ok().then_some(event)
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
    /// Waits for something to read, an end or an error; what there is then. Without an event it
    /// looks now and then.
    pub(super) fn wait_by(self, event: Option<&Event>, until: Time) -> Result<i16, Fault> {
        let events = self.poll(ws::POLLRDNORM, 0);
        if events != Ok(0) {
            return events;
        }
        match event {
            Some(event) => event.wait(until),
            None => nap(until.min(SystemClock.now().plus_millis(PAUSE_MS))),
        }
        self.poll(ws::POLLRDNORM, 0)
    }
}

/// As [`poll_many`], in a thread of the program. By looks, and not by one event for all: the
/// selection would have to be taken back from each, and any of them may have been closed
/// meanwhile, and its handle be another one's.
pub(crate) fn wait_for_any(entries: &mut [PollEntry], until: Time) -> bool {
    let mut pause = PAUSE_MS;
    loop {
        let now = SystemClock.now();
        // WSAPoll refuses an empty list.
        if !entries.is_empty() {
            let could_poll = poll_many(entries, now);
            if !could_poll || entries.iter().any(PollEntry::has_event) {
                return could_poll;
            }
        }
        if until <= now {
            return true;
        }
        nap(until.min(now.plus_millis(pause)));
        pause = (pause * 2).min(PAUSE_MOST_MS);
    }
}
