//! The number of a descriptor: out of the program's way, and not for its children.

use super::close::close_raw;
use super::fault::syscall;
use super::socket::Socket;
use libc::c_int;

/// So many numbers select() can take.
pub(in crate::sys) const FD_SETSIZE: c_int = 1024;

impl Socket {
    /// Children that the program starts from now on do not get it.
    pub(crate) fn keep_from_children(self) {
        let _ = syscall!(libc::fcntl(self.0, libc::F_SETFD, libc::FD_CLOEXEC));
    }

    /// Moves it above what select() can take, if there is room, so that the
    /// program gets its low number back.
    pub(crate) fn out_of_the_way(self) -> Socket {
        match self.higher_number() {
            Some(high) => {
                let _ = close_raw(self.0);
                high
            }
            None => self,
        }
    }

    /// A second number for it above what select() can take, which no child gets.
    pub(crate) fn higher_number(self) -> Option<Socket> {
        if self.0 >= FD_SETSIZE {
            return None;
        }
        let high = syscall!(libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, FD_SETSIZE));
        high.ok().map(Socket)
    }

    /// Gives one of two numbers of ours back.
    pub(crate) fn give_up_number(self) {
        let _ = close_raw(self.0);
    }
}
