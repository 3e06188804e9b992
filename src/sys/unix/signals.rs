//! Signals that were asked of a socket.

use super::fault::syscall;
use super::socket::Socket;
use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, Fault, FaultKind, Sharing};

/// Not if somebody else holds the connection, or nobody can tell.
pub(in crate::sys) fn end_signals(mut socket: Socket) -> Result<(), Fault> {
    match syscall!(libc::fcntl(socket.0, libc::F_GETOWN)) {
        Ok(0) | Err(_) => return Ok(()),
        Ok(_) => {}
    }
    match socket.sharing(SystemClock.now()) {
        Sharing::Alone => {}
        Sharing::Unknown(gone) if gone.kind == FaultKind::NotASocket => return Err(gone),
        Sharing::Shared | Sharing::Unknown(_) => return Ok(()),
    }
    if let Ok(flags) = syscall!(libc::fcntl(socket.0, libc::F_GETFL)) {
        let _ = syscall!(libc::fcntl(socket.0, libc::F_SETFL, flags & !libc::O_ASYNC));
    }
    let _ = syscall!(libc::fcntl(socket.0, libc::F_SETOWN, 0));
    Ok(())
}
