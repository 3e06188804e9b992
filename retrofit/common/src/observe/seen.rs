//! One close, and what it counts as.

use super::counters::Counter;
use super::site::Site;

/// What was seen of a connected TCP socket just before it was closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// `of_address` of the peer; 0: not known.
    pub peer: u32,
    pub unread: u64,
    /// Bytes of ours; `None`: the system does not tell.
    pub unacked: Option<u64>,
    /// Its FIN is there.
    pub peer_closed: bool,
    pub is_reset: bool,
    /// Our FIN has been sent.
    pub shut_send: bool,
    /// The program has shut both directions.
    pub shut_both: bool,
    /// The state is TIME_WAIT.
    pub has_time_wait: bool,
    /// SO_LINGER's seconds, if it is on.
    pub linger: Option<u32>,
    /// Another holder has it, too.
    pub is_shared: bool,
    /// Overlapped calls of the program.
    pub pending: u64,
}

impl Seen {
    /// Counts it; each close is one of these kinds, but for SO_LINGER's time, what is pending and
    /// TIME_WAIT, which come besides.
    pub fn count(&self, site: &Site) {
        site.add(Counter::Closes, 1);
        site.add_peer(self.peer);
        if self.is_shared {
            return site.add(Counter::Shared, 1);
        }
        if self.pending > 0 {
            site.add(Counter::Pending, 1);
            site.add(Counter::PendingCalls, self.pending);
        }
        if self.is_reset {
            return site.add(Counter::AlreadyReset, 1);
        }
        match self.linger {
            Some(0) => return site.add(Counter::LingerReset, 1),
            Some(_) => site.add(Counter::LingerWait, 1),
            None => {}
        }
        if self.leaves_time_wait() {
            site.add(Counter::TimeWait, 1);
        }
        self.count_kind(site);
    }

    /// Whether a reset may follow that nobody asked for: with `--follow` it is looked at afterwards.
    pub fn is_at_risk(&self) -> bool {
        let is_over = self.is_shared || self.is_reset || self.linger == Some(0);
        !is_over && (self.unread > 0 || !self.peer_closed)
    }

    fn count_kind(&self, site: &Site) {
        let unacked = self.unacked.unwrap_or(0);
        if self.unread > 0 {
            site.add(Counter::Unread, 1);
            site.add(Counter::UnreadBytes, self.unread);
            site.add(Counter::UnreadUnackedBytes, unacked);
        } else if self.peer_closed && self.shut_send && unacked == 0 {
            site.add(Counter::Finished, 1);
        } else if self.peer_closed {
            // nothing of the peer's can come any more: no reset
        } else if self.shut_both {
            site.add(Counter::ShutBoth, 1);
        } else if unacked > 0 {
            site.add(Counter::Late, 1);
            site.add(Counter::LateBytes, unacked);
        } else if self.unacked.is_some() {
            site.add(Counter::Open, 1);
        } else {
            site.add(Counter::Untold, 1);
        }
    }

    /// Who closes first keeps it, unless a reset ends the connection.
    fn leaves_time_wait(&self) -> bool {
        self.has_time_wait || !self.peer_closed && self.unread == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::counters::COUNTERS;
    use super::super::table::table;
    use super::*;

    /// What it counts as, besides as a close, and the peer.
    fn counted(seen: Seen) -> Vec<(&'static str, u64)> {
        let table = table();
        let site = table.site(0).unwrap();
        seen.count(site);
        assert_eq!(site.count(Counter::Closes), 1);
        assert_eq!(site.peers().count, usize::from(seen.peer != 0));
        let all = COUNTERS
            .iter()
            .map(|(counter, name)| (*name, site.count(*counter)));
        all.filter(|(name, count)| *count > 0 && *name != "closes")
            .collect()
    }

    fn open() -> Seen {
        Seen {
            peer: 7,
            unacked: Some(0),
            ..Seen::default()
        }
    }

    #[test]
    fn what_a_reset_may_follow_is_at_risk() {
        let changed = |change: fn(&mut Seen)| {
            let mut seen = open();
            change(&mut seen);
            seen.is_at_risk()
        };
        assert!(changed(|_| {}));
        assert!(changed(|seen| seen.linger = Some(5)));
        assert!(!changed(|seen| seen.peer_closed = true));
        assert!(changed(|seen| (seen.peer_closed, seen.unread) = (true, 1)));
        assert!(!changed(|seen| (seen.linger, seen.unread) = (Some(0), 1)));
        assert!(!changed(|seen| seen.is_shared = true));
        assert!(!changed(|seen| seen.is_reset = true));
    }

    #[test]
    fn each_close_is_of_one_kind() {
        let first = ("time_wait", 1);
        let mut seen = open();
        assert_eq!(counted(seen), [("open", 1), first]);
        seen.unacked = None;
        assert_eq!(counted(seen), [("untold", 1), first]);
        seen.unacked = Some(9);
        let late = [("late", 1), ("late_bytes", 9), first];
        assert_eq!(counted(seen), late);
        seen.shut_both = true;
        assert_eq!(counted(seen), [("shut_both", 1), first]);
        seen.unread = 3;
        let unread = [
            ("unread", 1),
            ("unread_bytes", 3),
            ("unread_unacked_bytes", 9),
        ];
        assert_eq!(counted(seen), unread);
        seen.is_shared = true;
        seen.peer = 0;
        assert_eq!(counted(seen), [("shared", 1)]);
    }

    #[test]
    fn it_is_finished_when_both_have_closed_and_all_is_acknowledged() {
        let mut seen = open();
        seen.peer_closed = true;
        assert_eq!(counted(seen), []);
        seen.shut_send = true;
        assert_eq!(counted(seen), [("finished", 1)]);
        seen.unacked = Some(1);
        assert_eq!(counted(seen), []);
        seen.unacked = Some(0);
        seen.has_time_wait = true;
        assert_eq!(counted(seen), [("finished", 1), ("time_wait", 1)]);
        seen.peer_closed = false;
        seen.has_time_wait = false;
        assert_eq!(counted(seen), [("open", 1), ("time_wait", 1)]);
    }

    #[test]
    fn what_comes_besides() {
        let mut seen = open();
        seen.linger = Some(5);
        seen.pending = 2;
        let besides = [
            ("open", 1),
            ("linger_wait", 1),
            ("time_wait", 1),
            ("pending", 1),
            ("pending_calls", 2),
        ];
        assert_eq!(counted(seen), besides);
        seen.pending = 0;
        seen.linger = Some(0);
        assert_eq!(counted(seen), [("linger_reset", 1)]);
        seen.is_reset = true;
        assert_eq!(counted(seen), [("already_reset", 1)]);
    }
}
