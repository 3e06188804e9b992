//! How a close ended: numbers that never change once released.

use std::fmt;

/// How a close ended.
///
/// The numbers are those of the C constants `GC_GRACEFUL` and following; they
/// are part of the ABI and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Outcome {
    /// The peer's FIN arrived, and its TCP acknowledged every byte we sent and our FIN.
    Graceful = 0,
    /// The total or the idle time ran out first.
    TimedOut = 1,
    /// The peer reset the connection, or it was already dead on entry.
    Reset = 2,
    /// The network gave up: unreachable, keep-alive or retransmission time-out.
    Lost = 3,
    /// The peer sent more than [`max_drain_bytes`](crate::Options::max_drain_bytes).
    DrainLimit = 4,
    /// The reader of the drained data asked to stop.
    Stopped = 5,
    /// Nothing to negotiate: datagram, listening or never connected; closed at once.
    NotConnected = 6,
    /// End of stream without proof of a FIN, waited out.
    Uncertain = 7,
    /// A full or stopping reaper could not wait any longer for this one.
    Evicted = 8,
    /// Somebody else holds the same connection: only our own reference was given up.
    Released = 9,
    /// The peer's TCP acknowledged every byte we sent and our FIN; its own FIN was not
    /// waited for ([`until_acked`](crate::Options::until_acked)).
    Delivered = 10,
    /// The caller's time ran out; the reaper of the process goes on with it
    /// ([`Fallback::Background`](crate::Fallback::Background)).
    Continued = 11,
}

impl Outcome {
    /// The outcome in words, as in a log line.
    ///
    /// ```
    /// assert_eq!(graceful_close::Outcome::TimedOut.name(), "timed out");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Graceful => "graceful",
            Outcome::TimedOut => "timed out",
            Outcome::Reset => "reset",
            Outcome::Lost => "lost",
            Outcome::DrainLimit => "drain limit",
            Outcome::Stopped => "stopped",
            Outcome::NotConnected => "not connected",
            Outcome::Uncertain => "uncertain",
            Outcome::Evicted => "evicted",
            Outcome::Released => "released",
            Outcome::Delivered => "delivered",
            Outcome::Continued => "continued",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
