//! Handles, and the thread's last error.

use std::os::windows::io::{AsRawSocket, IntoRawSocket};
use windows_sys::Win32::Networking::WinSock as ws;

pub(crate) use std::os::windows::io::OwnedSocket;

/// A SOCKET as C has it: as wide as a pointer. (That of `std` is as wide, but
/// another type.)
pub(crate) type RawSocket = usize;

/// A socket, by its number alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(pub(crate) RawSocket);

impl Socket {
    /// The number of an owned socket; it stays the owner's.
    pub(crate) fn of(owner: &OwnedSocket) -> Socket {
        Socket(owner.as_raw_socket() as RawSocket)
    }
}

/// Lets an owner forget a socket that has been closed.
pub(crate) fn disown(socket: OwnedSocket) {
    let _ = socket.into_raw_socket();
}

/// The calling thread's Winsock error.
pub(crate) struct LastError;

impl LastError {
    /// The number for a wrong argument.
    pub(crate) const ARGUMENT: i32 = ws::WSAEINVAL;
    /// For want of memory, a handle or a thread.
    pub(crate) const RESOURCES: i32 = ws::WSAENOBUFS;
    /// For a reaper that is not at work any more.
    pub(crate) const STOPPED: i32 = ws::WSAECANCELLED;
    /// For a program that has not started the system's sockets.
    pub(crate) const NOT_STARTED: Option<i32> = Some(ws::WSANOTINITIALISED);

    pub(crate) fn get() -> i32 {
        // SAFETY: takes nothing; also before WSAStartup.
        unsafe { ws::WSAGetLastError() }
    }

    pub(crate) fn set(code: i32) {
        // SAFETY: takes a number; also before WSAStartup.
        unsafe { ws::WSASetLastError(code) }
    }
}

/// Windows has no thread cancellation.
pub(crate) struct CancelGuard;

impl CancelGuard {
    pub(crate) fn hold() -> CancelGuard {
        CancelGuard
    }
}

/// Dropped explicitly by those who hold it, as on the other systems.
impl Drop for CancelGuard {
    fn drop(&mut self) {}
}
