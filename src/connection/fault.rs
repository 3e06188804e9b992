//! What a system refuses.

/// The system's numbers for what no system call has said.
#[cfg(unix)]
mod numbers {
    pub(super) const NOT_A_SOCKET: i32 = libc::EBADF;
    pub(super) const TIMED_OUT: i32 = libc::ETIMEDOUT;
}

#[cfg(windows)]
mod numbers {
    use windows_sys::Win32::Networking::WinSock::{WSAENOTSOCK, WSAETIMEDOUT};
    pub(super) const NOT_A_SOCKET: i32 = WSAENOTSOCK;
    pub(super) const TIMED_OUT: i32 = WSAETIMEDOUT;
}

/// A system's refusal: what it means, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// `errno`, or what `WSAGetLastError()` said.
    pub(crate) code: i32,
}

impl Fault {
    /// The descriptor has been closed behind our back.
    pub(crate) const GONE: Fault = Fault {
        kind: FaultKind::NotASocket,
        code: numbers::NOT_A_SOCKET,
    };

    /// The peer has stopped answering.
    pub(crate) const VANISHED: Fault = Fault {
        kind: FaultKind::Lost,
        code: numbers::TIMED_OUT,
    };

    /// No answer to a question that was answered before.
    pub(crate) const UNTOLD: Fault = Fault {
        kind: FaultKind::Other,
        code: 0,
    };
}

/// What a refusal means to a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A bad descriptor, or not a socket.
    NotASocket,
    /// There is no connection (any more).
    NotConnected,
    /// The peer reset the connection.
    Reset,
    /// The network gave the connection up.
    Lost,
    /// Anything else.
    Other,
}

/// What came of a question. `Ok(None)`: this system does not have the question, or not for
/// this kind of socket. `Err`: it has, and refused to answer this time. That is never taken
/// for an answer.
pub(crate) type Answer<T> = Result<Option<T>, Fault>;

/// Somebody else has closed it: the number is no longer ours.
pub(crate) fn not_ours<T>(answer: &Answer<T>) -> Option<Fault> {
    match answer {
        Err(fault) if fault.kind == FaultKind::NotASocket => Some(*fault),
        _ => None,
    }
}
