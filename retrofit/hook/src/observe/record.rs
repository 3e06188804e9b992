//! What was seen, put into the table.

use super::facts::{self, Kind};
use super::mapping::table;
use super::{callers, sockets, unloads};
use graceful_close_retrofit::observe::{
    Cache, Call, Counter, Place, Seen, Site, Table, MOST_FRAMES,
};
use std::sync::atomic::{AtomicU64, Ordering};
use windows_sys::Win32::Networking::WinSock as ws;

type Addresses = [usize; MOST_FRAMES];

/// Of return addresses to sites.
static CACHE: Cache = Cache::new();

/// A close that has not been done yet.
pub(super) struct Close {
    socket: ws::SOCKET,
    kind: Kind,
    seen: Seen,
    addresses: Addresses,
}

/// Looks; nothing is counted yet.
pub(super) fn before_close(socket: ws::SOCKET) -> Close {
    let kind = facts::kind(socket);
    let seen = match kind {
        Kind::Connection => facts::of(socket),
        _ => Seen::default(),
    };
    Close {
        socket,
        kind,
        seen,
        addresses: callers::capture(),
    }
}

impl Close {
    /// SO_LINGER {1, n}.
    pub(super) fn may_block(&self) -> bool {
        self.seen.linger.is_some_and(|seconds| seconds > 0)
    }

    /// The system has done it, or refused; so long it took, if that was looked at.
    pub(super) fn done(self, is_closed: bool, nanoseconds: u64) {
        let Some(site) = site(Call::Closesocket, &self.addresses) else {
            return;
        };
        match self.kind {
            Kind::Nothing => site.add(Counter::BadNumber, 1),
            Kind::Stranger if WAS_CLOSED.is(self.socket) => site.add(Counter::ReusedNumber, 1),
            // WSAEWOULDBLOCK and its like: still open, and the program's
            _ if !is_closed => return,
            _ => count(self.kind, &self.seen, site),
        }
        if self.may_block() {
            site.add(Counter::LingerWaitNs, nanoseconds);
        }
        if is_closed {
            sockets::forget(self.socket);
            WAS_CLOSED.note(self.socket);
        }
    }
}

fn count(kind: Kind, seen: &Seen, site: &Site) {
    match kind {
        Kind::Connection => seen.count(site),
        Kind::Listener => site.add(Counter::Listeners, 1),
        Kind::Datagram => site.add(Counter::Datagrams, 1),
        _ => {}
    }
}

/// The connections that the program holds when one call closes all of them.
pub(super) struct Open {
    call: Call,
    seen: Vec<(ws::SOCKET, Seen)>,
    addresses: Addresses,
}

pub(super) fn all_that_are_open(call: Call) -> Open {
    let mut seen = Vec::new();
    sockets::for_each(|socket| {
        if facts::kind(socket) == Kind::Connection {
            seen.push((socket, facts::of(socket)));
        }
    });
    Open {
        call,
        seen,
        addresses: callers::capture(),
    }
}

impl Open {
    /// Whether the call has closed them.
    pub(super) fn are_gone(&self) -> bool {
        let is_there = |(socket, _): &(ws::SOCKET, Seen)| facts::kind(*socket) == Kind::Connection;
        !self.seen.first().is_some_and(is_there)
    }

    pub(super) fn count(self) {
        for (_, seen) in &self.seen {
            if let Some(site) = site(self.call, &self.addresses) {
                seen.count(site);
            }
        }
    }
}

/// At the first sight of a site the loader is asked, and the path takes memory.
fn site(call: Call, addresses: &Addresses) -> Option<&'static Site> {
    let table = table()?;
    let known = addresses.iter().position(|address| *address == 0);
    let known = &addresses[..known.unwrap_or(MOST_FRAMES)];
    CACHE.site(table, call, unloads::count(), known, |address| {
        place(table, address)
    })
}

fn place(table: &Table, address: usize) -> Place {
    match callers::place_of(address) {
        Some(found) => Place {
            module: table.module(String::from_utf16_lossy(&found.module).as_bytes()),
            offset: found.offset,
        },
        None => Place {
            module: None,
            offset: address as u64,
        },
    }
}

/// The numbers that the program has closed last, to tell a number that has been taken by something else
/// from one that never was a socket.
struct Closed([AtomicU64; 1024]);

static WAS_CLOSED: Closed = Closed([const { AtomicU64::new(0) }; 1024]);

impl Closed {
    fn place(&self, socket: ws::SOCKET) -> &AtomicU64 {
        &self.0[socket / 4 % self.0.len()]
    }

    fn note(&self, socket: ws::SOCKET) {
        self.place(socket).store(socket as u64, Ordering::Relaxed);
    }

    fn is(&self, socket: ws::SOCKET) -> bool {
        self.place(socket).load(Ordering::Relaxed) == socket as u64
    }
}
