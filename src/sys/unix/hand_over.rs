//! Handing over.

use super::close::close_raw;
use super::fault::syscall;
use super::socket::Socket;
use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, Ends, Fault, FaultKind, Sharing};
use crate::sys::hand_over::HandOver;
use libc::c_int;
use socket2::SockAddr;

/// So many numbers select() can take.
pub(in crate::sys) const FD_SETSIZE: c_int = 1024;

impl HandOver for Socket {
    fn ends(self) -> Ends {
        let internet = |address: Result<SockAddr, Fault>| address.ok()?.as_socket();
        Ends {
            local: internet(self.by_socket2(|socket| socket.local_addr())),
            peer: internet(self.by_socket2(|socket| socket.peer_addr())),
        }
    }

    fn keep_from_children(self) {
        let _ = syscall!(libc::fcntl(self.0, libc::F_SETFD, libc::FD_CLOEXEC));
    }

    fn end_signals(mut self) -> Result<(), Fault> {
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

    fn out_of_the_way(self) -> Socket {
        match self.higher_number() {
            Some(high) => {
                self.give_up_number();
                high
            }
            None => self,
        }
    }

    fn higher_number(self) -> Option<Socket> {
        if self.0 >= FD_SETSIZE {
            return None;
        }
        let high = syscall!(libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, FD_SETSIZE));
        high.ok().map(Socket)
    }

    fn give_up_number(self) {
        let _ = close_raw(self.0);
    }
}
