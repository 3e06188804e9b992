//! Monotonic time, as a count of nanoseconds that also a simulation can make up.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A point on the monotonic clock; [`Time::NEVER`] lies behind all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

impl Time {
    /// A deadline that never comes.
    pub(crate) const NEVER: Time = Time(u64::MAX);

    /// The point `nanos` after the clock's origin.
    pub(crate) const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// `ms` later; stays [`Time::NEVER`] once there.
    pub(crate) const fn plus_millis(self, ms: u32) -> Time {
        Time(self.0.saturating_add(ms as u64 * 1_000_000))
    }

    /// Later by `duration`.
    pub(crate) const fn plus(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration.as_nanos() as u64))
    }

    /// Nanoseconds since the clock's origin.
    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds from `now` to here, rounded up; `None` if that is never.
    pub(crate) const fn millis_from(self, now: Time) -> Option<u64> {
        match self {
            Time::NEVER => None,
            Time(then) => Some(then.saturating_sub(now.0).div_ceil(1_000_000)),
        }
    }

    /// How long from `earlier` to here; zero if `earlier` is the later one.
    pub(crate) const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where the state machine takes the time from.
pub(crate) trait Clock {
    /// The time now; never less than what it said before.
    fn now(&self) -> Time;
}

/// The system's monotonic clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let origin = *ORIGIN.get_or_init(Instant::now);
        let passed = origin.elapsed();
        // 2^64 ns are 584 years of uptime: nothing overflows.
        Time(passed.as_secs() * 1_000_000_000 + u64::from(passed.subsec_nanos()))
    }
}
