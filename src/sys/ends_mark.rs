//! What tells a socket from another one where there is nothing but its ends.

use super::system::Socket;
use crate::connection::{Mark, OneEnd};
use socket2::SockAddr;
use std::net::{IpAddr, SocketAddr};

impl Socket {
    /// What its two ends tell of it.
    pub(super) fn ends_mark(self) -> Mark {
        let peer = self.by_socket2(|socket| socket.peer_addr());
        let peer = match peer.map(|address| end_of(&address)) {
            Ok(OneEnd::Unsettled) | Err(_) => OneEnd::Untold,
            Ok(end) => end,
        };
        if peer == OneEnd::Untold && self.is_listening() {
            return Mark::of_ends(OneEnd::Unsettled, peer);
        }
        let local = match self.by_socket2(|socket| socket.local_addr()) {
            Ok(address) => end_of(&address),
            Err(refused) if Socket::NOT_BOUND == Some(refused.code) => OneEnd::Unsettled,
            Err(_) => OneEnd::Untold,
        };
        Mark::of_ends(local, peer)
    }
}

/// Without a port there is no end yet, and with one of any address (bound for ConnectEx) not the
/// one that it will be.
fn end_of(address: &SockAddr) -> OneEnd {
    match address.as_socket() {
        Some(end) if end.port() == 0 || end.ip().is_unspecified() => OneEnd::Unsettled,
        Some(end) => OneEnd::At(digest(end)),
        // of another family, which stays what it is
        None => OneEnd::At(0),
    }
}

/// FNV-1a over address and port.
fn digest(end: SocketAddr) -> u64 {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let start = match end.ip() {
        IpAddr::V4(ip) => ip.octets().iter().copied().fold(0xcbf2_9ce4_8422_2325, mix),
        IpAddr::V6(ip) => ip.octets().iter().copied().fold(0xcbf2_9ce4_8422_2325, mix),
    };
    let port = end.port().to_be_bytes();
    port.iter().copied().fold(start, mix)
}
