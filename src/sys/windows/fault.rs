//! What Winsock refuses.

use super::handle::LastError;
use crate::connection::{Fault, FaultKind};
use windows_sys::Win32::Networking::WinSock as ws;

/// Calls Winsock; SOCKET_ERROR becomes the [`Fault`] that the thread's last
/// error stands for.
macro_rules! syscall {
    ($call:expr) => {{
        // SAFETY: the arguments are plain numbers, or pointers to objects that
        // outlive the call together with their true size; no call is
        // overlapped, so none is written to later. A handle that is not a
        // socket, or not open, makes the call fail with WSAENOTSOCK.
        let result = unsafe { $call };
        if result == windows_sys::Win32::Networking::WinSock::SOCKET_ERROR {
            Err($crate::sys::windows::fault::last_fault())
        } else {
            Ok(result)
        }
    }};
}
pub(super) use syscall;

/// What a Winsock error means to a close ("Windows Sockets Error Codes").
pub(super) fn fault(code: i32) -> Fault {
    let kind = match code {
        ws::WSAENOTSOCK | ws::WSAEBADF | ws::WSANOTINITIALISED => FaultKind::NotASocket,
        // WSAEINVAL: never bound ("recv"). WSAECONNREFUSED: the connect failed.
        ws::WSAENOTCONN | ws::WSAEINVAL | ws::WSAECONNREFUSED => FaultKind::NotConnected,
        // WSAECONNABORTED is also what is seen of a reset that answers data of
        // ours; a time-out has a code of its own.
        ws::WSAECONNRESET | ws::WSAECONNABORTED | ws::WSAESHUTDOWN => FaultKind::Reset,
        // WSAENETRESET: a keep-alive was not answered.
        ws::WSAETIMEDOUT
        | ws::WSAENETRESET
        | ws::WSAENETDOWN
        | ws::WSAENETUNREACH
        | ws::WSAEHOSTDOWN
        | ws::WSAEHOSTUNREACH => FaultKind::Lost,
        _ => FaultKind::Other,
    };
    Fault { kind, code }
}

pub(super) fn last_fault() -> Fault {
    fault(LastError::get())
}
