//! Winsock's functions that look a name up and connect: a client's sockets, too. Inside they call
//! connect where no slot is patched.

use crate::clients;
use windows_sys::core::{BOOL, PCSTR, PCWSTR};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::IO::OVERLAPPED;

/// A function with the arguments of Winsock's of this name: the socket, what is connected to, and
/// what all of them have.
macro_rules! connects {
    ($name:ident = $real:ident($($argument:ident: $type:ty),*)) => {
        #[allow(clippy::too_many_arguments)] // they are Winsock's
        pub(crate) unsafe extern "system" fn $name(
            socket: ws::SOCKET,
            $($argument: $type,)*
            local_length: *mut u32,
            local: *mut ws::SOCKADDR,
            remote_length: *mut u32,
            remote: *mut ws::SOCKADDR,
            time: *const ws::TIMEVAL,
            reserved: *const OVERLAPPED,
        ) -> BOOL {
            clients::note_connect(socket);
            // SAFETY: the caller's arguments.
            unsafe {
                ws::$real(
                    socket,
                    $($argument,)*
                    local_length,
                    local,
                    remote_length,
                    remote,
                    time,
                    reserved,
                )
            }
        }
    };
}

connects!(ansi = WSAConnectByNameA(node: PCSTR, service: PCSTR));
connects!(wide = WSAConnectByNameW(node: PCWSTR, service: PCWSTR));
connects!(list = WSAConnectByList(addresses: *const ws::SOCKET_ADDRESS_LIST));
