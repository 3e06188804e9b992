//! `--follow`: by its addresses the command finds afterwards what is left of a connection that was closed.
//! Nothing of it is kept open here: a duplicate would hold back the FIN or the reset until it is closed
//! too (the system ends a connection with its last descriptor).

use crate::sys;
use graceful_close_retrofit::observe::{Counter, Seen, Site, Table, Trail, Trails};
use libc::c_int;

/// What is to be done after a close.
pub enum Follow {
    No,
    /// It is to be followed, and cannot be.
    Untold,
    Yes(Trail),
}

impl Follow {
    /// Before the close.
    pub fn of(fd: c_int, seen: &Seen, trails: &Trails) -> Follow {
        let Some(namespace) = trails.namespace().filter(|_| seen.is_at_risk()) else {
            return Follow::No;
        };
        match trail(fd, seen, namespace) {
            Some(trail) => Follow::Yes(trail),
            None => Follow::Untold,
        }
    }

    /// After it.
    pub fn begin(self, table: &Table, site: &Site) {
        let trail = match self {
            Follow::No => return,
            Follow::Untold => None,
            Follow::Yes(trail) => table.index_of(site).map(|index| Trail {
                site: index as u32,
                ..trail
            }),
        };
        site.add(Counter::Followed, 1);
        if !trail.is_some_and(|trail| table.trails().put(&trail)) {
            site.add(Counter::FollowUntold, 1);
        }
    }
}

/// `None`: the command does not see this one, in another network namespace.
fn trail(fd: c_int, seen: &Seen, namespace: u64) -> Option<Trail> {
    let (mut cookie, mut interface) = (0u64, 0u32);
    sys::option(fd, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, &mut cookie).ok()?;
    sys::option(fd, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, &mut interface).ok()?;
    (cookie == namespace).then_some(Trail {
        own: sys::own_address(fd)?,
        peer: sys::peer(fd)?,
        interface,
        site: 0,
        unread: seen.unread > 0,
        shut_send: seen.shut_send,
        unacked: seen.unacked.unwrap_or(0),
    })
}
