//! What TCP_INFO has counted. It outlives the connection.

/// struct tcp_info (linux/tcp.h) as of Linux 4.19; older kernels fill less, and
/// what they leave out counts as zero.
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
    pub(super) fn of(info: &[u8; SIZE]) -> Counters {
        let word = |at: usize| {
            let bytes = info.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u64::from(u32::from_ne_bytes(bytes.unwrap_or_default()))
        };
        let long = |at: usize| {
            let bytes = info.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        Counters {
            retransmissions: word(100),
            bytes_acked: long(120),
            bytes_received: long(128),
            data_segments_out: word(156),
            delivered: word(192),
            bytes_sent: long(200),
            bytes_retransmitted: long(208),
        }
    }

    /// It was established once; one that was refused has counted nothing.
    pub(super) fn show_life(self) -> bool {
        self.bytes_acked > 0 || self.bytes_received > 0 || self.delivered > 0
    }

    /// With everything acknowledged, what exceeds the data is our SYN (counted on
    /// the connecting side only) and our FIN. Two: both. None: no FIN. One: either,
    /// and then segments tell: the SYN and a FIN that went alone are delivered
    /// without being data. A FIN that travelled with data stays a possibility.
    pub(super) fn leave_room_for_a_fin(self) -> bool {
        let data = self.bytes_sent.saturating_sub(self.bytes_retransmitted);
        let segments = self.data_segments_out.saturating_sub(self.retransmissions);
        match self.bytes_acked.saturating_sub(data) {
            // Linux before 4.19 does not count what was sent.
            _ if self.bytes_sent == 0 && self.delivered == 0 => true,
            0 => false,
            1 => self.delivered > segments + 1 || data > 0,
            _ => true,
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
            ..Counters::of(&[0; SIZE])
        }
    }

    #[test]
    fn a_connection_that_never_was_has_counted_nothing() {
        assert!(!counters(0, 0, 0, 0).show_life());
        assert!(counters(0, 0, 0, 1).show_life());
        assert!(counters(1, 0, 0, 1).show_life());
    }

    #[test]
    fn a_fin_of_the_accepting_side() {
        assert!(!counters(0, 0, 0, 1).leave_room_for_a_fin());
        assert!(counters(1, 0, 0, 2).leave_room_for_a_fin());
        assert!(!counters(2, 2, 1, 2).leave_room_for_a_fin());
        assert!(counters(3, 2, 1, 3).leave_room_for_a_fin());
        assert!(counters(3, 2, 1, 2).leave_room_for_a_fin(), "with the data");
    }

    #[test]
    fn a_fin_of_the_connecting_side() {
        assert!(!counters(1, 0, 0, 1).leave_room_for_a_fin());
        assert!(counters(2, 0, 0, 2).leave_room_for_a_fin());
        assert!(counters(4, 2, 1, 3).leave_room_for_a_fin());
    }
}
