//! What tells a connection from another one that has its number later.

use super::primitives::Connection;
use std::num::NonZeroU32;

/// A connection that can be told from others by a small number.
pub(crate) trait Indexed: Connection + Copy {
    /// No other open one has it.
    fn index(&self) -> usize;

    /// What tells it from a later one with the same number; `None` if it is not open.
    fn mark(&self) -> Option<Mark>;

    /// The number is still that of the open connection with this mark. Where the system
    /// cannot tell: yes.
    fn is_still(&self, mark: Mark) -> bool;
}

/// What tells a connection from another one that has its number later: 31 bits, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(NonZeroU32);

impl Mark {
    const BITS: u32 = u32::MAX >> 1;

    /// Of what the system refuses to tell from others.
    #[cfg(linux_calls)]
    pub(crate) const UNTOLD: Mark = Mark(NonZeroU32::MIN);

    /// Of whatever the system has to tell them apart.
    #[cfg(any(test, linux_calls))]
    pub(crate) fn of(identity: u64) -> Mark {
        let folded = (identity ^ identity >> 32) as u32 & Mark::BITS;
        Mark(NonZeroU32::new(folded.max(2)).unwrap_or(NonZeroU32::MAX)) // 1 is UNTOLD
    }

    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    pub(crate) fn from_bits(bits: u32) -> Option<Mark> {
        NonZeroU32::new(bits & Mark::BITS).map(Mark)
    }
}

/// What a system tells of one end of a connection.
#[cfg(any(test, not(linux_calls)))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OneEnd {
    /// Nothing: what AcceptEx has connected learns of its ends late, what was reset forgets its
    /// peer, and on some systems its own end too.
    Untold,
    /// There is none yet: the socket is new, or it listens. No connection comes back to that.
    Unsettled,
    /// A digest of the address.
    At(u64),
}

/// For systems that tell nothing but the two ends of a connection.
#[cfg(any(test, not(linux_calls)))]
impl Mark {
    const PEER_BITS: u32 = 19;
    const LOCAL_BITS: u32 = 11;
    const ENDS: u32 = 1 << (Mark::PEER_BITS + Mark::LOCAL_BITS);
    const UNTOLD_END: u32 = 0;
    const UNSETTLED_END: u32 = 1;

    pub(crate) fn of_ends(local: OneEnd, peer: OneEnd) -> Mark {
        let part = |end: OneEnd, bits: u32| match end {
            OneEnd::Untold => Mark::UNTOLD_END,
            OneEnd::Unsettled => Mark::UNSETTLED_END,
            OneEnd::At(digest) => (digest % ((1 << bits) - 2)) as u32 + 2,
        };
        let local = part(local, Mark::LOCAL_BITS) << Mark::PEER_BITS;
        let bits = Mark::ENDS | local | part(peer, Mark::PEER_BITS);
        Mark(NonZeroU32::new(bits).unwrap_or(NonZeroU32::MIN))
    }

    /// No end is another than it was, as far as both are told.
    pub(crate) fn may_be(self, before: Mark) -> bool {
        let peer = |mark: Mark| mark.get() & ((1 << Mark::PEER_BITS) - 1);
        let local = |mark: Mark| (mark.get() & (Mark::ENDS - 1)) >> Mark::PEER_BITS;
        let may_become = |now: u32, then: u32| {
            let is_open = matches!(then, Mark::UNTOLD_END | Mark::UNSETTLED_END);
            now == then || now == Mark::UNTOLD_END || is_open
        };
        may_become(local(self), local(before)) && may_become(peer(self), peer(before))
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, OneEnd};

    #[test]
    fn ends_that_are_not_told_tell_nothing_apart() {
        use OneEnd::{At, Untold};
        let mark = Mark::of_ends;
        let known = mark(At(1), At(2));
        assert!(known.may_be(mark(Untold, Untold)) && mark(Untold, Untold).may_be(known));
        assert!(mark(At(1), Untold).may_be(known));
        assert!(!mark(At(1), At(3)).may_be(known));
        assert!(!mark(At(4), At(2)).may_be(known));
        assert!(!mark(At(4), Untold).may_be(known));
    }

    #[test]
    fn a_socket_without_ends_becomes_a_connection_and_no_connection_becomes_one() {
        use OneEnd::{At, Unsettled, Untold};
        let known = Mark::of_ends(At(1), At(2));
        let fresh = Mark::of_ends(Unsettled, Untold);
        assert!(known.may_be(fresh) && fresh.may_be(fresh));
        assert!(!fresh.may_be(known));
        assert!(!fresh.may_be(Mark::of_ends(At(1), Untold)));
        assert!(
            fresh.may_be(Mark::of_ends(Untold, At(2))),
            "its own end was not told"
        );
    }
}
