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

/// For systems that tell nothing but the two ends of a connection, either of which may be
/// unknown: what AcceptEx has connected learns of them late, what was reset forgets its peer.
#[cfg(any(test, not(linux_calls)))]
impl Mark {
    const PEER_BITS: u32 = 19;
    const LOCAL_BITS: u32 = 11;
    const ENDS: u32 = 1 << (Mark::PEER_BITS + Mark::LOCAL_BITS);

    pub(crate) fn of_ends(local: Option<u64>, peer: Option<u64>) -> Mark {
        // 0 is left for what is not known.
        let part =
            |end: Option<u64>, bits: u32| end.map_or(0, |end| (end % ((1 << bits) - 1)) as u32 + 1);
        let local = part(local, Mark::LOCAL_BITS) << Mark::PEER_BITS;
        let bits = Mark::ENDS | local | part(peer, Mark::PEER_BITS);
        Mark(NonZeroU32::new(bits).unwrap_or(NonZeroU32::MIN))
    }

    /// No end is another than it was, as far as both are known.
    pub(crate) fn may_be(self, before: Mark) -> bool {
        let peer = |mark: Mark| mark.get() & ((1 << Mark::PEER_BITS) - 1);
        let local = |mark: Mark| (mark.get() & (Mark::ENDS - 1)) >> Mark::PEER_BITS;
        let same = |now: u32, then: u32| now == then || now == 0 || then == 0;
        same(local(self), local(before)) && same(peer(self), peer(before))
    }
}
