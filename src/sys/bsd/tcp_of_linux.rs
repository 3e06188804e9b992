//! For tests alone (scripts/generic-tests): Linux's kernel tells what FreeBSD's and macOS's do, and
//! no more.

use crate::connection::{Fault, TcpState};
use crate::sys::unix::{fault, syscall, Socket};
use std::mem::size_of;

/// Of struct tcp_info its first byte, as long as a BSD asks for no more.
pub(super) fn state(socket: Socket) -> Result<TcpState, Fault> {
    let mut state = 0u8;
    let mut size = size_of::<u8>() as libc::socklen_t;
    syscall!(libc::getsockopt(
        socket.0,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        (&raw mut state).cast(),
        &mut size
    ))?;
    // linux/tcp_states.h
    Ok(match state {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => return Err(fault(libc::ENOPROTOOPT)),
    })
}

/// Bytes in the send buffer. Linux counts the FIN, which no BSD keeps there.
pub(super) fn unsent(socket: Socket) -> Option<usize> {
    let mut bytes: libc::c_int = 0;
    syscall!(libc::ioctl(socket.0, libc::TIOCOUTQ as _, &mut bytes)).ok()?;
    let fin = match state(socket).ok()? {
        TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck => 1,
        _ => 0,
    };
    usize::try_from(bytes - fin).ok()
}

pub(super) fn was_alive(_: Socket) -> Option<bool> {
    None
}
