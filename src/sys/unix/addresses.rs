//! The addresses of a connection.

use super::socket::Socket;
use crate::connection::Ends;
use socket2::SockRef;
use std::os::fd::BorrowedFd;

pub(in crate::sys) fn ends(socket: Socket) -> Ends {
    if socket.0 < 0 {
        return Ends::default();
    }
    // SAFETY: borrowed for these calls only; a number that is not open makes
    // them fail.
    let fd = unsafe { BorrowedFd::borrow_raw(socket.0) };
    let both = SockRef::from(&fd);
    let internet = |address: std::io::Result<socket2::SockAddr>| address.ok()?.as_socket();
    Ends {
        local: internet(both.local_addr()),
        peer: internet(both.peer_addr()),
    }
}
