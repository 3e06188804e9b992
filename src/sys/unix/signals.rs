//! Signals that were asked of a socket.

use super::fault::syscall;
use super::socket::Socket;
use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, Fault, FaultKind, Sharing};

impl Socket {
    /// Ends what the program was to be told of by signals: SIGIO, also under another number
    /// (F_SETSIG), and SIGURG. They belong to the open connection, not to the number: another
    /// holder may want them. Fails only if looking for that one took so long that the number
    /// has become another one's.
    pub(crate) fn end_signals(mut self) -> Result<(), Fault> {
        match syscall!(libc::fcntl(self.0, libc::F_GETOWN)) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        match self.sharing(SystemClock.now()) {
            Sharing::Alone => {}
            Sharing::Unknown(gone) if gone.kind == FaultKind::NotASocket => return Err(gone),
            Sharing::Shared | Sharing::Unknown(_) => return Ok(()),
        }
        if let Ok(flags) = syscall!(libc::fcntl(self.0, libc::F_GETFL)) {
            let _ = syscall!(libc::fcntl(self.0, libc::F_SETFL, flags & !libc::O_ASYNC));
        }
        let _ = syscall!(libc::fcntl(self.0, libc::F_SETOWN, 0));
        Ok(())
    }
}
