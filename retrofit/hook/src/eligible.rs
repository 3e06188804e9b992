//! Whether a socket that the program closes is one to be finished gracefully. What is doubtful
//! is not.

use crate::{log, settings};
use graceful_close::internals;
use graceful_close_retrofit::qualify::{left_for, Answer, Question, Route};
use std::mem::{size_of, zeroed};
use std::os::windows::io::RawSocket;
use std::ptr::{addr_of, addr_of_mut, null_mut};
use windows_sys::Win32::Networking::WinSock as ws;

/// SO_CONNECT_TIME of a socket without a connection.
pub(crate) const NEVER_CONNECTED: i32 = -1;

const ROUTE: Route = match cfg!(feature = "link") {
    true => Route::Archive,
    false => Route::Hook,
};

/// As many as allowed are waiting.
pub(crate) const FULL: &str = "too many waiting";

/// `None`: it is to be finished. Otherwise in words why not, for the log; none for what is not
/// worth a line.
pub(crate) fn left_for_what(socket: ws::SOCKET, is_client: bool) -> Option<&'static str> {
    let row = left_for(ROUTE, |question| answer(socket, is_client, question))?;
    Some(row.words)
}

fn answer(socket: ws::SOCKET, is_client: bool, question: Question) -> Answer {
    match question {
        Question::IsConnection => is_connection(socket).into(),
        Question::IsClient => (is_client && !settings::get().any_role).into(),
        Question::HasSent => tcp_info(socket)
            .map(|info| info.bytes_out)
            .map(|bytes| bytes > 0)
            .into(),
        Question::WantsReset => wants_reset(socket).into(),
        Question::IsShared => internals::handle_count(socket as RawSocket)
            .map(|count| count != 1)
            .into(),
        // not asked here, as the rule says
        Question::IsBeingSent
        | Question::IsForeign
        | Question::IsInRepair
        | Question::IsMultipath
        | Question::IsShutForReading => Answer::Unknown,
    }
}

fn is_connection(socket: ws::SOCKET) -> bool {
    is_tcp(socket) && option::<i32>(socket, ws::SO_CONNECT_TIME) != Some(NEVER_CONNECTED)
}

fn wants_reset(socket: ws::SOCKET) -> Option<bool> {
    let linger = option::<ws::LINGER>(socket, ws::SO_LINGER)?;
    Some(linger.l_onoff != 0 && linger.l_linger == 0)
}

/// Says in the log why a connection was left alone.
pub(crate) fn tell(socket: ws::SOCKET, why: &str) {
    if !why.is_empty() && log::is_on() {
        let ends = Ends::of(socket);
        log::line(&format!("{}: left alone: {why}", ends.words()));
    }
}

/// Internet and TCP. Others have streams, too (AF_UNIX, Bluetooth, Hyper-V).
pub(crate) fn is_tcp(socket: ws::SOCKET) -> bool {
    option::<ws::WSAPROTOCOL_INFOW>(socket, ws::SO_PROTOCOL_INFOW).is_some_and(|info| {
        let family = info.iAddressFamily;
        (family == i32::from(ws::AF_INET) || family == i32::from(ws::AF_INET6))
            && info.iSocketType == ws::SOCK_STREAM
            && info.iProtocol == ws::IPPROTO_TCP
    })
}

/// A plain struct of numbers that an option of SOL_SOCKET fills.
pub(crate) trait Plain: Copy {}
impl Plain for i32 {}
impl Plain for ws::LINGER {}
impl Plain for ws::WSAPROTOCOL_INFOW {}

pub(crate) fn option<T: Plain>(socket: ws::SOCKET, name: i32) -> Option<T> {
    // SAFETY: all zero is a value of a plain struct of numbers.
    let mut value: T = unsafe { zeroed() };
    let mut size = size_of::<T>() as i32;
    // SAFETY: `value` is as large as said; what is no socket makes it fail.
    let result = unsafe {
        ws::getsockopt(
            socket,
            ws::SOL_SOCKET,
            name,
            addr_of_mut!(value).cast(),
            &mut size,
        )
    };
    (result == 0).then_some(value)
}

/// What is of interest in TCP_INFO_v0.
pub(crate) struct TcpInfo {
    pub(crate) state: ws::TCPSTATE,
    /// Sent, in the whole connection.
    pub(crate) bytes_out: u64,
    pub(crate) in_flight: u64,
}

/// Windows 10 1703 and later ("SIO_TCP_INFO"). Where it is not known, a socket is taken for one that
/// has sent.
pub(crate) fn tcp_info(socket: ws::SOCKET) -> Option<TcpInfo> {
    let version = 0u32;
    // SAFETY: plain numbers and a BOOLEAN, zero is a value of each.
    let mut info: ws::TCP_INFO_v0 = unsafe { zeroed() };
    let mut filled = 0u32;
    // SAFETY: both buffers are as large as said; not overlapped.
    let result = unsafe {
        ws::WSAIoctl(
            socket,
            ws::SIO_TCP_INFO,
            addr_of!(version).cast(),
            size_of::<u32>() as u32,
            addr_of_mut!(info).cast(),
            size_of::<ws::TCP_INFO_v0>() as u32,
            &mut filled,
            null_mut(),
            None,
        )
    };
    let is_whole = result == 0 && filled as usize >= size_of::<ws::TCP_INFO_v0>();
    // SAFETY: within `info`; the BOOLEAN is not looked at.
    is_whole.then(|| unsafe {
        TcpInfo {
            state: addr_of!(info.State).read(),
            bytes_out: addr_of!(info.BytesOut).read(),
            in_flight: addr_of!(info.BytesInFlight).read().into(),
        }
    })
}

/// Both addresses of a connection, in the system's own form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    local: Address,
    peer: Address,
}

type Address = Option<std::net::SocketAddr>;

impl Ends {
    pub(crate) fn of(socket: ws::SOCKET) -> Ends {
        Ends {
            local: address(socket, ws::getsockname),
            peer: address(socket, ws::getpeername),
        }
    }

    pub(crate) fn are_known(&self) -> bool {
        self.local.is_some() && self.peer.is_some()
    }

    pub(crate) fn peer_ip(&self) -> Option<std::net::IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    pub(crate) fn words(&self) -> String {
        let words = |address: Address| match address {
            Some(address) => address.to_string(),
            None => "-".to_string(),
        };
        format!("{} -> {}", words(self.local), words(self.peer))
    }
}

type AddressOf = unsafe extern "system" fn(ws::SOCKET, *mut ws::SOCKADDR, *mut i32) -> i32;

fn address(socket: ws::SOCKET, of: AddressOf) -> Address {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    // SAFETY: plain numbers, zero is a value.
    let mut storage: ws::SOCKADDR_STORAGE = unsafe { zeroed() };
    let mut size = size_of::<ws::SOCKADDR_STORAGE>() as i32;
    // SAFETY: as large as said; what is no socket makes it fail.
    if unsafe { of(socket, addr_of_mut!(storage).cast(), &mut size) } != 0 {
        return None;
    }
    let place = addr_of!(storage);
    match storage.ss_family {
        ws::AF_INET => {
            // SAFETY: the family says so, and the storage is large enough and aligned for it.
            let (ip, port) = unsafe {
                let v4 = place.cast::<ws::SOCKADDR_IN>();
                ((*v4).sin_addr.S_un.S_addr, (*v4).sin_port)
            };
            let ip = Ipv4Addr::from(ip.to_ne_bytes());
            Some(SocketAddr::from((ip, u16::from_be(port))))
        }
        ws::AF_INET6 => {
            // SAFETY: likewise.
            let (ip, port) = unsafe {
                let v6 = place.cast::<ws::SOCKADDR_IN6>();
                ((*v6).sin6_addr.u.Byte, (*v6).sin6_port)
            };
            Some(SocketAddr::from((Ipv6Addr::from(ip), u16::from_be(port))))
        }
        _ => None,
    }
}
