//! `graceful-close observe`: each close is looked at, counted in the table that the command has made,
//! and then done by the system, as if nobody had looked. Who holds a socket is counted as ever
//! (`holders`); nothing is parked, so that neither the thread nor a descriptor of ours comes to be.
//!
//! A number that was closed twice is known by EBADF alone, and told with the site that had closed it
//! before. Where another thread has opened something under it meanwhile, the second close looks like
//! that thread's own, and is not counted; that thread's close is then the one that fails.

mod addresses;
mod callers;
mod facts;
mod follow;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod frame_rule;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod frame_tables;
mod handed_on;
mod last_closes;
#[allow(unsafe_code)]
mod mapping;
#[allow(unsafe_code)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod objects;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod rules;
mod sites;
#[allow(unsafe_code)]
mod stack;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod walks;

use crate::fd_table::{self, Taken, CONNECTED};
use crate::holders::{self, Birth, Standing};
use crate::process;
use crate::tcp;
use facts::Kind;
use follow::Follow;
use graceful_close_retrofit::observe::{Call, Counter, Seen, Site, Table};
use last_closes::LastCloses;
use libc::c_int;
use sites::site;

pub use handed_on::hands_on;
pub use mapping::open;

static LAST_CLOSES: LastCloses = LastCloses::new();

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
    kind: Kind,
    seen: Seen,
    /// `None`: there is no room for it.
    site: Option<(&'static Table, &'static Site)>,
    follow: Follow,
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
    let is_again = kind == Kind::Nothing && call == Call::Close && LAST_CLOSES.site(fd).is_some();
    if matches!(kind, Kind::Other | Kind::Nothing) && !is_again {
        LAST_CLOSES.note(fd, None);
        return None;
    }
    seen.is_shared = matches!(standing, Some(Standing::Held | Standing::Shared));
    let site = site(call, &callers::capture());
    let mut follow = Follow::No;
    if let Some((table, site)) = site.filter(|_| kind == Kind::Connection) {
        if site.wants_peer() {
            seen.peer = facts::peer(fd);
        }
        follow = Follow::of(fd, &seen, table.trails());
    }
    let may_block = seen.linger.is_some_and(|seconds| seconds > 0);
    Some(Look {
        fd,
        kind,
        seen,
        site,
        follow,
        begin_ns: if may_block { facts::now_ns() } else { 0 },
    })
}

impl Look {
    /// The system has done it.
    pub fn done(self) {
        let Some((table, site)) = self.site else {
            LAST_CLOSES.note(self.fd, None);
            return;
        };
        match self.kind {
            Kind::Connection | Kind::Ended => self.seen.count(site),
            Kind::Listener => site.add(Counter::Listeners, 1),
            Kind::Datagram => site.add(Counter::Datagrams, 1),
            Kind::Nothing => {
                site.add(Counter::BadNumber, 1);
                site.was_closed_before(LAST_CLOSES.site(self.fd));
                return;
            }
            Kind::Other => {}
        }
        let is_connection = matches!(self.kind, Kind::Connection | Kind::Ended);
        let closed = table.index_of(site).filter(|_| is_connection);
        LAST_CLOSES.note(self.fd, closed);
        if self.begin_ns > 0 && !self.seen.is_shared {
            let time = facts::now_ns().saturating_sub(self.begin_ns);
            site.add(Counter::LingerWaitNs, time);
        }
        // the system has closed it: what is found by these addresses from now on is what is left of it
        self.follow.begin(table, site);
    }
}

/// A shutdown() that has not been done yet.
pub fn shuts(fd: c_int, how: c_int) {
    if how != libc::SHUT_RDWR || !process::is_own() {
        return;
    }
    let (kind, seen) = facts::of(fd, fd_table::word_of(fd).has(CONNECTED));
    if kind != Kind::Connection || seen.is_reset || seen.peer_closed {
        return;
    }
    if let Some((_, site)) = site(Call::Shutdown, &callers::capture()) {
        site.add_peer(facts::peer(fd));
        site.add(Counter::Shutdowns, 1);
        site.add(Counter::ShutdownsUnread, u64::from(seen.unread > 0));
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
