//! What these systems tell of a TCP connection.

use crate::connection::{Fault, TcpState};
use crate::sys::unix::{fault, syscall, Socket};
#[cfg(target_vendor = "apple")]
use libc::{tcp_connection_info as Info, TCP_CONNECTION_INFO as INFO};
#[cfg(not(target_vendor = "apple"))]
use libc::{tcp_info as Info, TCP_INFO as INFO};
use std::mem::{size_of, zeroed};

/// A connection that is gone is refused with ECONNRESET, whatever its end was.
pub(super) fn state(socket: Socket) -> Result<TcpState, Fault> {
    let info = match info(socket) {
        Ok(info) => info,
        Err(refused) if refused.code == libc::ECONNRESET => return Ok(TcpState::Closed),
        Err(refused) => return Err(refused),
    };
    // netinet/tcp_fsm.h
    Ok(match info.tcpi_state {
        0 => TcpState::Closed,
        1 => TcpState::Listen,
        2 => TcpState::SynSent,
        3 => TcpState::SynReceived,
        4 => TcpState::Established,
        5 => TcpState::CloseWait,
        6 => TcpState::FinWait1,
        7 => TcpState::Closing,
        8 => TcpState::LastAck,
        9 => TcpState::FinWait2,
        10 => TcpState::TimeWait,
        _ => return Err(fault(libc::ENOPROTOOPT)),
    })
}

fn info(socket: Socket) -> Result<Info, Fault> {
    // SAFETY: all zeroes is a valid value, the fields are numbers.
    let mut info: Info = unsafe { zeroed() };
    let mut size = size_of::<Info>() as libc::socklen_t;
    syscall!(libc::getsockopt(
        socket.0,
        libc::IPPROTO_TCP,
        INFO,
        (&mut info as *mut Info).cast(),
        &mut size
    ))?;
    Ok(info)
}

/// Bytes in the send buffer: not sent, or sent and not acknowledged.
#[cfg(target_vendor = "apple")]
pub(super) fn unsent(socket: Socket) -> Option<usize> {
    let bytes = socket.option(libc::SOL_SOCKET, libc::SO_NWRITE).ok()?;
    usize::try_from(bytes).ok()
}

/// Bytes in the send buffer: not sent, or sent and not acknowledged.
#[cfg(any(target_os = "freebsd", target_os = "netbsd"))]
pub(super) fn unsent(socket: Socket) -> Option<usize> {
    let mut bytes: libc::c_int = 0;
    syscall!(libc::ioctl(socket.0, libc::FIONWRITE as _, &mut bytes)).ok()?;
    usize::try_from(bytes).ok()
}

/// Bytes in the send buffer: not sent, or sent and not acknowledged.
#[cfg(target_os = "openbsd")]
pub(super) fn unsent(socket: Socket) -> Option<usize> {
    Some(info(socket).ok()?.tcpi_so_snd_sb_cc as usize)
}

/// Counters may outlive the connection; zeroes prove nothing.
#[cfg(target_vendor = "apple")]
pub(super) fn was_alive(socket: Socket) -> Option<bool> {
    let info = info(socket).ok()?;
    (info.tcpi_rxbytes > 0).then_some(true)
}

/// Nothing outlives the connection.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn was_alive(_: Socket) -> Option<bool> {
    None
}
