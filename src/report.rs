//! What a close tells about its end.

use crate::outcome::Outcome;
use std::time::Duration;

/// How a close ended, and what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The first `errno` or Winsock error met on the way; 0 if none.
    pub system_error: i32,
    /// The descriptor is closed; otherwise it is still open, and the caller's.
    pub closed: bool,
    /// The peer's FIN was seen.
    pub peer_closed: bool,
    /// Received and delivered or thrown away; saturates.
    pub drained_bytes: usize,
    /// Bytes of ours not acknowledged at the end, our FIN not counted; `None`
    /// if the system cannot tell.
    pub unacked_bytes: Option<usize>,
    /// From the call to the end.
    pub elapsed: Duration,
}

impl Report {
    /// Of a close that was refused before it began.
    pub(crate) fn nothing_done() -> Report {
        Report {
            outcome: Outcome::Uncertain,
            system_error: 0,
            closed: false,
            peer_closed: false,
            drained_bytes: 0,
            unacked_bytes: None,
            elapsed: Duration::ZERO,
        }
    }
}
