//! Counts of the whole process: atomics only, so that counting costs a close
//! nothing worth mentioning.

use crate::outcome::Outcome;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Room for outcomes: those there are, and more to come without a new layout.
const OUTCOMES: usize = 16;

static BY_OUTCOME: [AtomicUsize; OUTCOMES] = [const { AtomicUsize::new(0) }; OUTCOMES];
static ABORTED: AtomicUsize = AtomicUsize::new(0);
static DRAINED: AtomicUsize = AtomicUsize::new(0);
static PENDING: AtomicUsize = AtomicUsize::new(0);

/// What the library has done in this process since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Closes that ended with an outcome.
    pub closed: usize,
    /// The same by [`Outcome`], in the order of its numbers.
    pub by_outcome: [usize; OUTCOMES],
    /// Connections that were reset on purpose: by [`abort`](crate::abort) or by
    /// [`Fallback::Abort`](crate::Fallback::Abort).
    pub aborted: usize,
    /// Bytes that came in while closing.
    pub drained_bytes: usize,
    /// In the background, not finished yet.
    pub pending: usize,
}

/// What the library has done in this process so far.
///
/// ```
/// let before = graceful_close::stats();
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// graceful_close::close(socket, std::time::Duration::ZERO)?;
/// assert!(graceful_close::stats().closed > before.closed);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stats() -> Stats {
    // What is pending is not that of a forked child's parent.
    crate::sys::process_generation();
    let by_outcome = std::array::from_fn(|outcome| BY_OUTCOME[outcome].load(Relaxed));
    Stats {
        closed: by_outcome.iter().sum(),
        by_outcome,
        aborted: ABORTED.load(Relaxed),
        drained_bytes: DRAINED.load(Relaxed),
        pending: PENDING.load(Relaxed),
    }
}

/// One close has ended.
pub(crate) fn count(outcome: Outcome, drained: usize, aborted: bool) {
    if let Some(count) = BY_OUTCOME.get(outcome as usize) {
        count.fetch_add(1, Relaxed);
    }
    if drained > 0 {
        DRAINED.fetch_add(drained, Relaxed);
    }
    if aborted {
        count_abort();
    }
}

/// One connection has been reset on purpose.
pub(crate) fn count_abort() {
    ABORTED.fetch_add(1, Relaxed);
}

/// One more, or one less, in the background.
pub(crate) fn count_pending(more: bool) {
    match more {
        true => PENDING.fetch_add(1, Relaxed),
        false => PENDING.fetch_sub(1, Relaxed),
    };
}

/// In a forked child: what is pending is the parent's.
#[cfg_attr(windows, allow(dead_code))]
pub(crate) fn nothing_is_pending() {
    PENDING.store(0, Relaxed);
}
