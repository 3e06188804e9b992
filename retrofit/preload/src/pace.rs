//! How fast a peer sends while the end of a process waits for it.

use crate::tcp;
use libc::c_int;

/// A peer that sends less than this in each millisecond is slow: a refused upload of 5 MB would
/// not come to its end in the time for which a process waits.
const BYTES_PER_MS: u64 = 2500;
/// Looked at in steps of so many milliseconds; of two round trips where these take longer.
const STEP_MS: u64 = 10;
const LONGEST_STEP_MS: u64 = 100;
/// A pause of one step may be the scheduler's.
const SLOW_STEPS: u32 = 2;

#[derive(Clone, Copy)]
pub struct Pace {
    fd: c_int,
    slow_steps: u32,
    received: u64,
    since_ms: u64,
}

/// No parked connection has the number 0. All zero bytes, so that a table of them takes no room in
/// the library's file.
pub const UNKNOWN: Pace = Pace {
    fd: 0,
    slow_steps: 0,
    received: 0,
    since_ms: 0,
};

impl Pace {
    /// Whether the peer of this connection has been slow lately.
    pub fn is_slow(&mut self, fd: c_int, now_ms: u64) -> bool {
        let Some((received, round_trip_ms)) = tcp::received(fd) else {
            return false;
        };
        self.look(fd, received, round_trip_ms, now_ms)
    }

    fn look(&mut self, fd: c_int, received: u64, round_trip_ms: u64, now_ms: u64) -> bool {
        let took = now_ms.saturating_sub(self.since_ms);
        let is_same = self.fd == fd;
        if is_same && took < (2 * round_trip_ms).clamp(STEP_MS, LONGEST_STEP_MS) {
            return self.slow_steps >= SLOW_STEPS;
        }
        let came = received.saturating_sub(self.received);
        let is_slow = is_same && came < BYTES_PER_MS * took;
        *self = Pace {
            fd,
            slow_steps: if is_slow { self.slow_steps + 1 } else { 0 },
            received,
            since_ms: now_ms,
        };
        self.slow_steps >= SLOW_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::UNKNOWN;

    #[test]
    fn slow_after_two_slow_steps() {
        let mut pace = UNKNOWN;
        assert!(!pace.look(9, 1000, 0, 50));
        assert!(!pace.look(9, 1000, 0, 59));
        assert!(!pace.look(9, 2000, 0, 60));
        assert!(pace.look(9, 3000, 0, 70));
        assert!(pace.look(9, 3000, 0, 71));
        // it has become fast
        assert!(!pace.look(9, 3_000_000, 0, 80));
        // another connection
        assert!(!pace.look(8, 0, 0, 90));
    }

    #[test]
    fn a_long_round_trip_makes_long_steps() {
        let mut pace = UNKNOWN;
        let mut first_slow = 0;
        for now in 1..1000 {
            if pace.look(9, 0, 20, now) && first_slow == 0 {
                first_slow = now;
            }
        }
        assert_eq!(first_slow, 1 + 2 * 40);
    }
}
