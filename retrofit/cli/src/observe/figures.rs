//! The numbers of a call site, and what each of them means. Text, JSON and HTML take them from here.

use graceful_close_retrofit::observe::{Site, COUNTERS};
use serde::Serialize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub closes: u64,
    pub unread: u64,
    pub unread_bytes: u64,
    pub unread_unacked_bytes: u64,
    pub late: u64,
    pub late_bytes: u64,
    pub open: u64,
    pub untold: u64,
    pub shut_both: u64,
    pub linger_reset: u64,
    pub linger_wait: u64,
    pub linger_wait_ns: u64,
    pub finished: u64,
    pub already_reset: u64,
    pub shared: u64,
    pub time_wait: u64,
    pub pending: u64,
    pub pending_calls: u64,
    pub bad_number: u64,
    pub reused_number: u64,
    pub listeners: u64,
    pub datagrams: u64,
    pub shutdowns: u64,
    pub shutdowns_unread: u64,
    pub handed_on: u64,
    pub followed: u64,
    pub reset_after: u64,
    pub lost: u64,
    pub lost_bytes: u64,
    pub arrived: u64,
    pub still_open: u64,
    pub follow_untold: u64,
}

/// How a number is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Closes,
    Calls,
    Bytes,
    Nanoseconds,
}

pub struct Kind {
    /// The member's name, as JSON has it.
    pub key: &'static str,
    /// A column's head.
    pub title: &'static str,
    pub meaning: &'static str,
    pub unit: Unit,
    pub of: fn(&Figures) -> u64,
    of_mut: fn(&mut Figures) -> &mut u64,
}

macro_rules! kinds {
    ($($key:ident, $unit:ident, $title:literal, $meaning:literal;)*) => {
        pub const KINDS: &[Kind] = &[$(Kind {
            key: stringify!($key),
            title: $title,
            meaning: $meaning,
            unit: Unit::$unit,
            of: |figures| figures.$key,
            of_mut: |figures| &mut figures.$key,
        },)*];
    };
}

kinds! {
    closes, Closes, "closes", "closes of connected TCP sockets, also those that only gave up a reference";
    unread, Closes, "unread", "with unread bytes in the receive buffer: the kernel resets the connection, for certain";
    unread_bytes, Bytes, "unread bytes", "the unread bytes of these closes";
    unread_unacked_bytes, Bytes, "ours unacked", "bytes of ours that the peer had not acknowledged at the closes with unread bytes";
    late, Closes, "late", "bytes of ours not acknowledged, and the peer had not closed: one late byte of the peer resets";
    late_bytes, Bytes, "late bytes", "the bytes of ours of these closes";
    open, Closes, "peer open", "all acknowledged, and the peer had not closed: a late byte is answered by a reset";
    untold, Closes, "untold", "the peer had not closed, and the system does not tell what it had acknowledged";
    shut_both, Closes, "shut both", "shut for both directions before the close: as a close, with the same risk";
    linger_reset, Closes, "linger 0", "SO_LINGER {1, 0}: the program asked for a reset";
    linger_wait, Closes, "linger n", "SO_LINGER {1, n}: the close blocks, and does not wait for what the peer still sends";
    linger_wait_ns, Nanoseconds, "blocked", "time spent in these closes";
    finished, Closes, "finished", "both sides had closed, and all was acknowledged: nothing can be lost";
    already_reset, Closes, "was reset", "the connection was gone before the close";
    shared, Closes, "shared", "another process or descriptor held the connection: the close gave up a reference";
    time_wait, Closes, "TIME_WAIT", "this side closed first, and keeps TIME_WAIT";
    pending, Closes, "pending", "overlapped calls of the program were not complete: the close cancels them";
    pending_calls, Calls, "calls", "these calls";
    bad_number, Closes, "EBADF", "the number was not open: closed twice";
    reused_number, Closes, "reused", "the number was something else meanwhile: a double close hit a stranger";
    listeners, Closes, "listeners", "listening sockets";
    datagrams, Closes, "datagrams", "datagram sockets";
    shutdowns, Calls, "SHUT_RDWR", "shutdown for both directions, while the peer had not closed: from then on a late byte resets";
    shutdowns_unread, Calls, "unread then", "of these, with unread bytes: if nobody reads them, the close resets, for certain";
    handed_on, Calls, "handed on", "connections that a program that was started got too: not close-on-exec, and not 0, 1 or 2";
    followed, Closes, "followed", "closes whose connection was looked at afterwards, as --follow asks: those with unread bytes, and those whose peer had not closed";
    reset_after, Closes, "reset after", "of these, the connection was reset afterwards, by this system or by the peer";
    lost, Closes, "lost", "of these resets, bytes of ours had not been acknowledged by then: they are lost";
    lost_bytes, Bytes, "bytes lost", "these bytes";
    arrived, Closes, "arrived", "of those followed, both sides ended the connection, and all was acknowledged";
    still_open, Closes, "still open", "of those followed, the peer had not ended its side when the looking ended";
    follow_untold, Closes, "not told", "of those followed, it is not known: in another network namespace, another connection with the same addresses, or too many at a time";
}

impl Figures {
    /// Those of a site in the table.
    pub fn of(site: &Site) -> Figures {
        let mut figures = Figures::default();
        for (counter, key) in COUNTERS {
            if let Some(kind) = KINDS.iter().find(|kind| kind.key == *key) {
                *(kind.of_mut)(&mut figures) = site.count(*counter);
            }
        }
        figures
    }

    pub fn add(&mut self, other: &Figures) {
        for kind in KINDS {
            let sum = (kind.of)(self).saturating_add((kind.of)(other));
            *(kind.of_mut)(self) = sum;
        }
    }

    /// Resets that follow for certain, and that nobody asked for.
    pub fn resets(&self) -> u64 {
        self.unread
    }

    /// Bytes of ours that a reset takes away.
    pub fn bytes_at_stake(&self) -> u64 {
        self.unread_unacked_bytes.saturating_add(self.late_bytes)
    }

    pub fn may_lose(&self) -> bool {
        self.resets() > 0 || self.at_risk() > 0 || self.pending > 0 || self.lost > 0
    }

    /// Closes after which a reset takes something away if the peer goes on sending.
    pub fn at_risk(&self) -> u64 {
        let seen = self.late.saturating_add(self.shut_both);
        seen.saturating_add(self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTERS, KINDS};

    #[test]
    fn every_counter_of_the_table_has_its_words() {
        let of_table: Vec<&str> = COUNTERS.iter().map(|(_, key)| *key).collect();
        let with_words: Vec<&str> = KINDS.iter().map(|kind| kind.key).collect();
        assert_eq!(with_words, of_table);
    }
}
