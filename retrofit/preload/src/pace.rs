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
/// A client that is seen waiting once may be accepted in the next moment.
const CROWDED_LOOKS: u32 = 2;

#[derive(Clone, Copy)]
pub struct Pace {
    fd: c_int,
    slow_steps: u32,
    received: u64,
    since_ms: u64,
    crowded_looks: u32,
    crowd_seen_ms: u64,
}

/// No parked connection has the number 0. All zero bytes, so that a table of them takes no room in
/// the library's file.
pub const UNKNOWN: Pace = Pace {
    fd: 0,
    slow_steps: 0,
    received: 0,
    since_ms: 0,
    crowded_looks: 0,
    crowd_seen_ms: 0,
};

impl Pace {
    /// Whether the peer of this connection has been slow lately.
    pub fn is_slow(&mut self, fd: c_int, now_ms: u64) -> bool {
        let Some((received, round_trip_ms)) = tcp::received(fd) else {
            return false;
        };
        self.look(fd, received, round_trip_ms, now_ms)
    }

    /// Whether other clients have been waiting at several looks in a row, a step apart.
    pub fn is_crowded(&mut self, now_ms: u64, has_clients: impl FnOnce() -> bool) -> bool {
        if now_ms.saturating_sub(self.crowd_seen_ms) >= STEP_MS {
            self.crowd_seen_ms = now_ms;
            self.crowded_looks = match has_clients() {
                true => self.crowded_looks + 1,
                false => 0,
            };
        }
        self.crowded_looks >= CROWDED_LOOKS
    }

    fn look(&mut self, fd: c_int, received: u64, round_trip_ms: u64, now_ms: u64) -> bool {
        let took = now_ms.saturating_sub(self.since_ms);
        let is_same = self.fd == fd;
        if is_same && took < (2 * round_trip_ms).clamp(STEP_MS, LONGEST_STEP_MS) {
            return self.slow_steps >= SLOW_STEPS;
        }
        let came = received.saturating_sub(self.received);
        let is_slow = is_same && came < BYTES_PER_MS * took;
        if !is_same {
            *self = UNKNOWN;
        }
        self.fd = fd;
        self.slow_steps = if is_slow { self.slow_steps + 1 } else { 0 };
        self.received = received;
        self.since_ms = now_ms;
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
    fn crowded_at_two_looks_in_a_row_a_step_apart() {
        let mut pace = UNKNOWN;
        assert!(!pace.is_crowded(50, || true));
        assert!(!pace.is_crowded(55, || panic!("too soon to look again")));
        assert!(!pace.is_crowded(60, || false));
        assert!(!pace.is_crowded(70, || true));
        assert!(pace.is_crowded(80, || true));
        assert!(pace.is_crowded(81, || panic!("too soon to look again")));
        assert!(!pace.is_crowded(90, || false));
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
