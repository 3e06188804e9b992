//! Has the program started Winsock?

use super::fault::fault;
use super::handle::{LastError, Socket};
use crate::connection::Fault;
use std::ptr::null;
use windows_sys::Win32::Networking::WinSock as ws;

/// Before WSAStartup no number is a socket. Windows says so (WSANOTINITIALISED,
/// "getsockopt"); Wine 8 says WSAENOTSOCK, which hides the cause.
pub(super) fn with_cause(refused: Fault) -> Fault {
    if refused.code != ws::WSAENOTSOCK {
        return refused;
    }
    let cause = match is_started() {
        true => refused.code,
        false => ws::WSANOTINITIALISED,
    };
    LastError::set(cause);
    fault(cause)
}

/// Whether WSAStartup has been called: the one question that every system
/// answers is a new socket. Asked after an error alone.
fn is_started() -> bool {
    match fresh_socket() {
        Some(socket) => {
            let _ = socket.close_once();
            true
        }
        None => LastError::get() != ws::WSANOTINITIALISED,
    }
}

/// A socket that is nobody else's.
pub(super) fn fresh_socket() -> Option<Socket> {
    // SAFETY: takes numbers and a null pointer.
    let socket = unsafe {
        let flags = ws::WSA_FLAG_NO_HANDLE_INHERIT | ws::WSA_FLAG_OVERLAPPED;
        ws::WSASocketW(ws::AF_INET.into(), ws::SOCK_DGRAM, 0, null(), 0, flags)
    };
    (socket != ws::INVALID_SOCKET).then_some(Socket(socket))
}
