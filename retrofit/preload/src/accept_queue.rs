//! Clients that wait to be accepted, as the kernel's sock_diag tells (man 7 sock_diag).

use crate::sys;
use libc::c_int;

/// struct nlmsghdr and struct inet_diag_req_v2 (include/uapi/linux/inet_diag.h).
struct Request {
    bytes: [u8; 16 + 56],
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const LISTEN: u8 = 10;
/// Where the answer has them: behind struct nlmsghdr, in struct inet_diag_msg.
const KIND_AT: usize = 4;
const STATE_AT: usize = 16 + 1;
const QUEUE_AT: usize = 16 + 56;

impl Request {
    fn put(&mut self, at: usize, value: &[u8]) {
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// For the socket that listens for connections to this address. An address of IPv4 is mapped,
    /// and the kernel then looks for listeners of both kinds.
    fn listener_at(address: [u8; 16], port: u16) -> Request {
        let mut request = Request { bytes: [0; 72] };
        let is_mapped = address[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        let size = request.bytes.len() as u32;
        request.put(0, &size.to_ne_bytes());
        request.put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.put(6, &NLM_F_REQUEST.to_ne_bytes());
        request.put(20, &u32::MAX.to_ne_bytes()); // any state
        request.put(24, &port.to_be_bytes());
        if is_mapped {
            request.put(16, &[libc::AF_INET as u8, libc::IPPROTO_TCP as u8]);
            request.put(28, &address[12..]);
        } else {
            request.put(16, &[libc::AF_INET6 as u8, libc::IPPROTO_TCP as u8]);
            request.put(28, &address);
        }
        request.put(64, &[0xff; 8]); // whatever its cookie
        request
    }
}

/// Whether a client waits to be accepted where this connection has been; `false` if that is not
/// to be found out here.
pub fn has_clients(connection: c_int) -> bool {
    let Some((address, port)) = sys::own_address(connection) else {
        return false;
    };
    let Ok(netlink) = sys::diagnosis_socket() else {
        return false;
    };
    let mut answer = [0u8; 512];
    let request = Request::listener_at(address, port);
    let size = sys::write(netlink, &request.bytes).and_then(|_| sys::read(netlink, &mut answer));
    let _ = sys::close(netlink);
    size.is_ok_and(|size| waiting_in(&answer[..size.min(answer.len())]) > 0)
}

fn waiting_in(answer: &[u8]) -> u32 {
    let kind = answer.get(KIND_AT..KIND_AT + 2);
    let is_listener =
        kind == Some(&SOCK_DIAG_BY_FAMILY.to_ne_bytes()) && answer.get(STATE_AT) == Some(&LISTEN);
    match answer.get(QUEUE_AT..QUEUE_AT + 4) {
        Some(&[a, b, c, d]) if is_listener => u32::from_ne_bytes([a, b, c, d]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{has_clients, waiting_in};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    fn queue_of(listener: &TcpListener) {
        let address = listener.local_addr().unwrap();
        let _first = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(!has_clients(accepted.as_raw_fd()));
        let _second = TcpStream::connect(address).unwrap();
        assert!(has_clients(accepted.as_raw_fd()));
        let (_other, _) = listener.accept().unwrap();
        assert!(!has_clients(accepted.as_raw_fd()));
    }

    #[test]
    fn clients_that_wait_to_be_accepted() {
        queue_of(&TcpListener::bind("127.0.0.1:0").unwrap());
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        queue_of(&everywhere);
    }

    #[test]
    fn with_ipv6() {
        if let Ok(listener) = TcpListener::bind("[::1]:0") {
            queue_of(&listener);
        }
        // one that takes clients of IPv4, too
        let Ok(listener) = TcpListener::bind("[::]:0") else {
            return;
        };
        let port = listener.local_addr().unwrap().port();
        let Ok(_first) = TcpStream::connect(("127.0.0.1", port)) else {
            return;
        };
        let (accepted, _) = listener.accept().unwrap();
        let _second = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(has_clients(accepted.as_raw_fd()));
    }

    #[test]
    fn what_is_no_answer() {
        assert_eq!(waiting_in(&[]), 0);
        assert_eq!(waiting_in(&[0xff; 100]), 0);
        assert!(!has_clients(-1));
    }
}
