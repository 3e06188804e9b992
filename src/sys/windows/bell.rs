//! What wakes a thread that waits in WSAPoll.

use super::fault::{last_fault, syscall};
use super::handle::Socket;
use super::thread::{start_winsock, stop_winsock};
use crate::connection::Fault;
use crate::sys::hand_over::HandOver;
use std::mem::size_of;
use std::net::Ipv4Addr;
use windows_sys::Win32::Networking::WinSock as ws;

/// A datagram socket connected to itself: WSAPoll waits for sockets alone.
pub(crate) struct Bell {
    socket: Socket,
    /// Its port, at both ends: no other socket has that.
    port: u16,
}

impl Bell {
    /// Made by hand: socket2 starts Winsock with a socket of `std`, and drops that,
    /// by a closesocket that the program may have put in the place of the system's.
    pub(crate) fn new() -> Result<Bell, Fault> {
        start_winsock();
        // SAFETY: takes numbers only.
        let number = unsafe { ws::socket(i32::from(ws::AF_INET), ws::SOCK_DGRAM, 0) };
        if number == ws::INVALID_SOCKET {
            let fault = last_fault();
            stop_winsock();
            return Err(fault);
        }
        // From here on closed again if something fails.
        let mut bell = Bell {
            socket: Socket(number),
            port: 0,
        };
        bell.socket.keep_from_children();
        bell.connect_to_itself()?;
        bell.socket.set_nonblocking(true);
        bell.port = bell.own_port().unwrap_or(0);
        Ok(bell)
    }

    /// The port that it has at both ends, if it is connected to itself.
    fn own_port(&self) -> Option<u16> {
        let ends = self.socket.ends();
        let port = ends.local?.port();
        (ends.local == ends.peer).then_some(port)
    }

    /// The program has not closed it.
    pub(crate) fn is_ours(&self) -> bool {
        self.own_port() == Some(self.port)
    }

    fn connect_to_itself(&self) -> Result<(), Fault> {
        let mut address = ws::SOCKADDR_IN {
            sin_family: ws::AF_INET,
            ..Default::default()
        };
        address.sin_addr.S_un.S_addr = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
        let place = (&mut address as *mut ws::SOCKADDR_IN).cast::<ws::SOCKADDR>();
        let mut size = size_of::<ws::SOCKADDR_IN>() as i32;
        syscall!(ws::bind(self.socket.0, place, size))?;
        // the port that the system has chosen
        syscall!(ws::getsockname(self.socket.0, place, &mut size))?;
        syscall!(ws::connect(self.socket.0, place, size)).map(drop)
    }

    pub(crate) fn socket(&self) -> Socket {
        self.socket
    }

    pub(crate) fn ring(&self) {
        if self.is_ours() {
            // SAFETY: one byte from a static.
            unsafe { ws::send(self.socket.0, b"!".as_ptr(), 1, 0) };
        }
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0u8; 16];
        while self.is_ours() {
            // SAFETY: `bytes` is as large as said; non-blocking.
            let got = unsafe { ws::recv(self.socket.0, bytes.as_mut_ptr(), 16, 0) };
            if got <= 0 {
                return;
            }
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.is_ours() || self.port == 0 {
            let _ = self.socket.close_once();
        }
        stop_winsock();
    }
}
