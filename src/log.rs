//! One line per close that was not graceful, for whoever wants to know.

use crate::outcome::Outcome;
use crate::report::Report;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Gets the outcome and the line, without a line end.
type Logger = Arc<dyn Fn(Outcome, &str) + Send + Sync>;

/// Asked on every close; the lock only if somebody listens.
static IS_ON: AtomicBool = AtomicBool::new(false);
static LOGGER: RwLock<Option<Logger>> = RwLock::new(None);

/// Has `logger` called with one line per close that was not graceful.
///
/// The line tells both addresses, the outcome, milliseconds, bytes drained and
/// not acknowledged, and the system's error in words. It is called on the
/// thread that closes (a reaper's, if in the background) with no lock of the
/// library held; a close that is under way may still call the former one.
///
/// ```
/// graceful_close::set_log(|outcome, line| eprintln!("{outcome}: {line}"));
/// graceful_close::clear_log();
/// ```
pub fn set_log(logger: impl Fn(Outcome, &str) + Send + Sync + 'static) {
    install(Some(Arc::new(logger)));
}

/// Ends [`set_log`].
pub fn clear_log() {
    install(None);
}

fn install(logger: Option<Logger>) {
    IS_ON.store(logger.is_some(), Ordering::Release);
    *LOGGER.write().unwrap_or_else(PoisonError::into_inner) = logger;
}

/// Whether anybody listens.
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Acquire)
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
    let logger = LOGGER
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let Some(logger) = logger else { return };
    logger(report.outcome, &line(ends, report));
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
