//! What TCP_INFO has counted. It outlives the connection.

/// struct tcp_info (linux/tcp.h) as of Linux 4.19.
pub(super) const SIZE: usize = 224;

/// The counters that tell how a connection has lived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    bytes_acked: u64,
    bytes_received: u64,
    bytes_sent: u64,
    bytes_retransmitted: u64,
    data_segments_out: u64,
    retransmissions: u64,
    delivered: u64,
}

impl Counters {
    /// `None` if the kernel has filled less: Linux before 4.19, and others that stand in for
    /// it.
    pub(super) fn of(info: &[u8]) -> Option<Counters> {
        if info.len() < SIZE {
            return None;
        }
        let word = |at: usize| {
            let bytes = info.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u64::from(u32::from_ne_bytes(bytes.unwrap_or_default()))
        };
        let long = |at: usize| {
            let bytes = info.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        Some(Counters {
            retransmissions: word(100),
            bytes_acked: long(120),
            bytes_received: long(128),
            data_segments_out: word(156),
            delivered: word(192),
            bytes_sent: long(200),
            bytes_retransmitted: long(208),
        })
    }

    /// It was established once; one that was refused has counted nothing.
    pub(super) fn was_established(self) -> bool {
        self.bytes_acked > 0 || self.bytes_received > 0 || self.delivered > 0
    }

    /// With everything acknowledged, what exceeds the data is our SYN (counted on the
    /// connecting side only) and our FIN. Two: both. None: no FIN. One: either, and then
    /// segments tell, unless one was sent twice: the SYN and a FIN that went alone are
    /// delivered without being data. A FIN that travelled with data cannot be told from no
    /// FIN then.
    pub(super) fn prove_a_fin(self) -> bool {
        let data = self.bytes_sent.saturating_sub(self.bytes_retransmitted);
        match self.bytes_acked.saturating_sub(data) {
            1 => self.retransmissions == 0 && self.delivered == self.data_segments_out + 2,
            surplus => surplus == 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, SIZE};

    /// As a kernel counted them.
    fn counters(acked: u64, sent: u64, segments: u64, delivered: u64) -> Counters {
        Counters {
            bytes_acked: acked,
            bytes_sent: sent,
            data_segments_out: segments,
            delivered,
            ..Counters::of(&[0; SIZE]).unwrap()
        }
    }

    #[test]
    fn a_connection_that_never_was_has_counted_nothing() {
        assert!(!counters(0, 0, 0, 0).was_established());
        assert!(counters(0, 0, 0, 1).was_established());
        assert!(counters(1, 0, 0, 1).was_established());
    }

    #[test]
    fn a_fin_of_the_accepting_side() {
        assert!(!counters(0, 0, 0, 1).prove_a_fin());
        assert!(counters(1, 0, 0, 2).prove_a_fin());
        assert!(!counters(2, 2, 1, 2).prove_a_fin());
        assert!(counters(3, 2, 1, 3).prove_a_fin());
        assert!(!counters(3, 2, 1, 2).prove_a_fin(), "with the data, or not");
    }

    #[test]
    fn a_fin_of_the_connecting_side() {
        assert!(!counters(1, 0, 0, 1).prove_a_fin());
        assert!(counters(2, 0, 0, 2).prove_a_fin());
        assert!(!counters(9, 8, 1, 2).prove_a_fin(), "the SYN alone");
        assert!(counters(4, 2, 1, 3).prove_a_fin());
    }

    #[test]
    fn a_retransmitted_syn_is_no_fin() {
        let retransmitted = Counters {
            retransmissions: 1,
            ..counters(9, 8, 1, 2)
        };
        assert!(!retransmitted.prove_a_fin());
    }

    #[test]
    fn fewer_counters_than_there_are_tell_nothing() {
        assert!(Counters::of(&[255; SIZE - 8]).is_none());
        assert!(Counters::of(&[]).is_none());
    }
}
