//! `graceful-close observe`: each close is looked at, counted in the table that the command has made,
//! and then done by the system, as if nobody had looked. Who holds a socket is counted as ever
//! (`holders`); nothing is parked, so that neither the thread nor a descriptor of ours comes to be.
//!
//! A number that was closed twice is known by EBADF alone. Where another thread has opened something
//! under it meanwhile, the second close looks like that thread's own, and is not counted.

mod callers;
mod facts;
#[allow(unsafe_code)]
mod mapping;
#[allow(unsafe_code)]
mod objects;

use crate::fd_table::{self, Taken, CONNECTED};
use crate::holders::{self, Birth, Standing};
use crate::tcp;
use callers::Addresses;
use facts::Kind;
use graceful_close_retrofit::observe::{Cache, Call, Counter, Seen, Site};
use libc::c_int;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use mapping::open;

/// Of return addresses to sites.
static CACHE: Cache = Cache::new();

pub fn is_on() -> bool {
    mapping::table().is_some()
}

pub fn after_fork_in_child() {
    if let Some(table) = mapping::table() {
        table.add_process();
    }
}

/// A close that has not been done yet.
pub struct Look {
    fd: c_int,
    call: Call,
    kind: Kind,
    seen: Seen,
    addresses: Addresses,
    begin_ns: u64,
}

/// Looks, and gives up a holder; `None`: nothing to be counted.
pub fn look(fd: c_int, call: Call, taken: &Taken, since: Birth) -> Option<Look> {
    let is_held = match taken.word.kind() {
        fd_table::Kind::Counted => true,
        fd_table::Kind::Unknown => tcp::is_one(fd),
        _ => false,
    };
    let standing = is_held.then(|| holders::release(fd, taken, since));
    before(fd, call, taken, standing)
}

fn before(fd: c_int, call: Call, taken: &Taken, standing: Option<Standing>) -> Option<Look> {
    mapping::table()?;
    let is_client = taken.word.has(CONNECTED);
    let (kind, mut seen) = facts::of(fd, is_client);
    let is_again = kind == Kind::Nothing && call == Call::Close && WAS_CLOSED.is(fd);
    if matches!(kind, Kind::Other | Kind::Nothing) && !is_again {
        WAS_CLOSED.note(fd, false);
        return None;
    }
    seen.is_shared = matches!(standing, Some(Standing::Held | Standing::Shared));
    let may_block = seen.linger.is_some_and(|seconds| seconds > 0);
    Some(Look {
        fd,
        call,
        kind,
        seen,
        addresses: callers::capture(),
        begin_ns: if may_block { facts::now_ns() } else { 0 },
    })
}

impl Look {
    /// The system has done it.
    pub fn done(self) {
        WAS_CLOSED.note(
            self.fd,
            matches!(self.kind, Kind::Connection | Kind::Nothing),
        );
        let Some(site) = site(self.call, &self.addresses) else {
            return;
        };
        match self.kind {
            Kind::Connection => self.seen.count(site),
            Kind::Listener => site.add(Counter::Listeners, 1),
            Kind::Datagram => site.add(Counter::Datagrams, 1),
            Kind::Nothing => site.add(Counter::BadNumber, 1),
            Kind::Other => {}
        }
        if self.begin_ns > 0 && !self.seen.is_shared {
            let time = facts::now_ns().saturating_sub(self.begin_ns);
            site.add(Counter::LingerWaitNs, time);
        }
    }
}

/// One call that closes many numbers, which the system does at once.
pub fn all_from(first: c_int, last: u32, call: Call) {
    for (fd, entry) in fd_table::numbers_from(first).take_while(|(fd, _)| *fd as u32 <= last) {
        if entry.word() != fd_table::Word::default() {
            let since = holders::before_birth();
            if let Some(look) = look(fd, call, &entry.take(), since) {
                look.done();
            }
        }
    }
}

fn site(call: Call, addresses: &Addresses) -> Option<&'static Site> {
    let table = mapping::table()?;
    CACHE.site(table, call, addresses.known(), |address| {
        objects::place(table, address)
    })
}

/// The numbers whose last close was that of a connection: who closes any number that there might
/// be, as daemons do, closes none of them twice.
struct Closed([AtomicU64; 1024]);

static WAS_CLOSED: Closed = Closed([const { AtomicU64::new(0) }; 1024]);

impl Closed {
    fn is(&self, fd: c_int) -> bool {
        let word = self.0.get(fd as usize / 64);
        word.is_some_and(|word| word.load(Relaxed) & 1 << (fd % 64) != 0)
    }

    fn note(&self, fd: c_int, was: bool) {
        let Some(word) = self.0.get(fd as usize / 64) else {
            return;
        };
        let bit = 1 << (fd % 64);
        match was {
            true => word.fetch_or(bit, Relaxed),
            false => word.fetch_and(!bit, Relaxed),
        };
    }
}
