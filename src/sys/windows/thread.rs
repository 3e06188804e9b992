//! A thread of ours in somebody else's process.

use super::fault::fault;
use super::system_dll::pin_this_module;
use crate::connection::Fault;
use crate::sys::room::Room;
use std::ffi::c_void;
use std::ptr::null;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::Threading::{
    CreateThread, GetCurrentThreadId, WaitForSingleObject, INFINITE,
    STACK_SIZE_PARAM_IS_A_RESERVATION,
};

/// A thread of ours in somebody else's process. It keeps the DLL loaded, for
/// FreeLibrary must not take the code away under it, and holds a reference of its
/// own to Winsock, for the program may call WSACleanup meanwhile. (A thread of
/// `std` would make the library a tenth larger.)
pub(crate) struct Thread {
    handle: HANDLE,
    id: u32,
}

// SAFETY: a handle may be used from any thread.
unsafe impl Send for Thread {}
// SAFETY: as above; nothing is changed through it.
unsafe impl Sync for Thread {}

/// What a thread runs.
type Body = Box<dyn FnOnce() + Send>;

unsafe extern "system" fn run_body(body: *mut c_void) -> u32 {
    // SAFETY: the pointer that `Thread::start` made, and handed to this thread.
    let body = unsafe { Box::from_raw(body.cast::<Body>()) };
    body();
    stop_winsock();
    0
}

/// A reference of our own; should there be none to be had, the next call says so.
pub(super) fn start_winsock() {
    let mut data = ws::WSADATA::default();
    // SAFETY: `data` is what the function fills; version 2.2.
    unsafe { ws::WSAStartup(0x0202, &mut data) };
}

/// Gives it back: once for each [`start_winsock`].
pub(super) fn stop_winsock() {
    // SAFETY: takes nothing.
    unsafe { ws::WSACleanup() };
}

impl Thread {
    /// Starts it with so much stack.
    pub(crate) fn start(stack: usize, body: Body) -> Result<Thread, Fault> {
        let room = Room::ask().ok_or(fault(ws::WSAENOBUFS))?;
        pin_this_module();
        start_winsock();
        let body = Box::into_raw(room.fill(body)).cast::<c_void>();
        let mut id = 0;
        // SAFETY: `run_body` takes the body over; `id` lives on this stack.
        let handle = unsafe {
            let reserve = STACK_SIZE_PARAM_IS_A_RESERVATION;
            CreateThread(null(), stack, Some(run_body), body, reserve, &mut id)
        };
        if handle.is_null() {
            // SAFETY: no thread has taken the body over.
            unsafe { drop(Box::from_raw(body.cast::<Body>())) };
            stop_winsock();
            return Err(fault(ws::WSAENOBUFS));
        }
        Ok(Thread { handle, id })
    }

    /// The caller is this thread.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: takes nothing.
        unsafe { GetCurrentThreadId() == self.id }
    }

    /// Nobody will join it; nothing is kept for that here.
    pub(crate) fn detach(&self) {}

    /// Waits until it has ended. Never by itself.
    pub(crate) fn join(&self) {
        // SAFETY: the handle is open until `self` is dropped.
        unsafe { WaitForSingleObject(self.handle, INFINITE) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: ours, and closed once; the thread itself goes on.
        unsafe { CloseHandle(self.handle) };
    }
}
