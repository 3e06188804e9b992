//! The number of a descriptor: out of the program's way, and not for its children.

use super::close::close_raw;
use super::fault::syscall;
use super::socket::Socket;
use libc::c_int;

/// So many numbers select() can take.
pub(in crate::sys) const FD_SETSIZE: c_int = 1024;

pub(in crate::sys) fn keep_from_children(socket: Socket) {
    let _ = syscall!(libc::fcntl(socket.0, libc::F_SETFD, libc::FD_CLOEXEC));
}

/// Above what select() can take, if there is room.
pub(in crate::sys) fn out_of_the_way(socket: Socket) -> Socket {
    match higher_number(socket) {
        Some(high) => {
            give_up_number(socket);
            high
        }
        None => socket,
    }
}

pub(in crate::sys) fn higher_number(socket: Socket) -> Option<Socket> {
    if socket.0 >= FD_SETSIZE {
        return None;
    }
    let high = syscall!(libc::fcntl(socket.0, libc::F_DUPFD_CLOEXEC, FD_SETSIZE));
    high.ok().map(Socket)
}

pub(in crate::sys) fn give_up_number(socket: Socket) {
    let _ = close_raw(socket.0);
}
