//! One line per close that was not graceful, for whoever wants to know.

use crate::memory;
use crate::outcome::Outcome;
use crate::report::Report;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// Gets the outcome and the line, without a line end.
type Logger = Box<dyn Fn(Outcome, &str) + Send + Sync>;

/// All loggers there ever were, in a row that only grows: no lock is needed to read
/// it, and none can be found locked by a forked child.
static FIRST: Place = Place::new();
/// The place of the one in force, counted from one; 0: nobody listens.
static CURRENT: AtomicUsize = AtomicUsize::new(0);

type Place = OnceLock<Box<Node>>;

struct Node {
    logger: Logger,
    next: Place,
}

/// Has `logger` called with one line per close that was not graceful.
///
/// The line tells both addresses, the outcome, milliseconds, bytes drained and
/// not acknowledged, and the system's error in words. It is called on the
/// thread that closes (a reaper's, if in the background) with no lock of the
/// library held; a close that is under way may still call the former one. Every
/// logger stays in memory: set it at the start, not for each connection.
///
/// ```
/// graceful_close::set_log(|outcome, line| eprintln!("{outcome}: {line}"));
/// graceful_close::clear_log();
/// ```
pub fn set_log(logger: impl Fn(Outcome, &str) + Send + Sync + 'static) {
    install(Box::new(logger));
}

/// Ends [`set_log`].
pub fn clear_log() {
    CURRENT.store(0, Ordering::Release);
}

fn install(logger: Logger) {
    let mut node = Box::new(Node {
        logger,
        next: Place::new(),
    });
    let (mut place, mut number) = (&FIRST, 1);
    while let Err(back) = place.set(node) {
        node = back;
        match place.get() {
            Some(taken) => (place, number) = (&taken.next, number + 1),
            None => return,
        }
    }
    CURRENT.store(number, Ordering::Release);
}

/// The logger in force.
fn current() -> Option<&'static Logger> {
    let mut left = CURRENT.load(Ordering::Acquire).checked_sub(1)?;
    let mut node = FIRST.get()?;
    while left > 0 {
        node = node.next.get()?;
        left -= 1;
    }
    Some(&node.logger)
}

/// Whether anybody listens.
pub(crate) fn is_on() -> bool {
    CURRENT.load(Ordering::Acquire) != 0
}

/// Both ends of a connection, looked up while they can be: a reset one has
/// forgotten its peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
}

/// Writes the line for a close that was not graceful.
pub(crate) fn not_graceful(ends: &Ends, report: &Report) {
    // Without memory for the line there is none.
    if let Some(logger) = current().filter(|_| memory::can_have(memory::HANDOVER)) {
        logger(report.outcome, &line(ends, report));
    }
}

fn line(ends: &Ends, report: &Report) -> String {
    let end = |address: Option<SocketAddr>| match address {
        Some(address) => address.to_string(),
        None => "-".to_string(),
    };
    let mut line = format!(
        "{} -> {}: {} after {} ms, {} bytes drained, ",
        end(ends.local),
        end(ends.peer),
        report.outcome,
        report.elapsed.as_millis() as u64,
        report.drained_bytes,
    );
    // Writing to a String cannot fail.
    let _ = match report.unacked_bytes {
        Some(bytes) => write!(line, "{bytes} unacked"),
        None => write!(line, "unacked unknown"),
    };
    if report.system_error != 0 {
        let error = std::io::Error::from_raw_os_error(report.system_error);
        let _ = write!(line, ", {error}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{line, Ends};
    use crate::outcome::Outcome;
    use crate::report::Report;
    use std::time::Duration;

    #[test]
    fn the_line_tells_it_all() {
        let ends = Ends {
            local: Some("10.0.0.1:80".parse().unwrap()),
            peer: Some("[::1]:4711".parse().unwrap()),
        };
        let report = Report {
            outcome: Outcome::TimedOut,
            drained_bytes: 12,
            unacked_bytes: Some(7),
            elapsed: Duration::from_micros(5_000_900),
            ..Report::nothing_done()
        };
        assert_eq!(
            line(&ends, &report),
            "10.0.0.1:80 -> [::1]:4711: timed out after 5000 ms, 12 bytes drained, 7 unacked"
        );
    }
}
