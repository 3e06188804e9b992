//! One line per close that was not graceful, and per call that was refused, for whoever wants
//! to know.

mod about;
mod line;

use crate::connection::{Ends, Fault};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sys::{boxed, ErrorText, Socket, ThreadFlag};
pub use about::set_log_caller;
pub(crate) use about::{set_entries, About, Caller};
pub(crate) use line::Line;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A close that was not graceful.
    Outcome(Outcome),
    /// A close in the background that was given up: the program has closed the descriptor.
    Gone(Fault),
    /// A call of the C interface that was refused, with this number.
    #[cfg_attr(not(feature = "capi"), allow(dead_code))]
    Refused(i32),
}

/// Gets each line, and what it is about.
type Logger = Box<dyn Fn(Told, &Line) + Send + Sync>;

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
/// not acknowledged, and the system's error in words. A line longer than 500 bytes
/// is cut, and ends with "...". What the logger itself closes has no line, and a panic of it
/// is caught. It is called on the thread that closes (a reaper's, if in the background) with
/// no lock of the library held; a close that is under way may still call the former one. Every
/// logger stays in memory: set it at the start, not for each connection; without memory
/// for it nothing changes.
///
/// Calls that are refused have no line here: they are told by [`Refused`](crate::Refused). (The
/// callback of C's `gc_set_log` hears of refused calls of the C interface, too.)
///
/// ```
/// graceful_close::set_log(|outcome, line| eprintln!("{outcome}: {line}"));
/// graceful_close::clear_log();
/// ```
pub fn set_log(logger: impl Fn(Outcome, &str) + Send + Sync + 'static) {
    install(move |told, line| {
        if let Told::Outcome(outcome) = told {
            logger(outcome, line.text());
        }
    });
}

/// Ends [`set_log`].
pub fn clear_log() {
    CURRENT.store(0, Ordering::Release);
}

/// Without memory for it nothing changes.
pub(crate) fn install(logger: impl Fn(Told, &Line) + Send + Sync + 'static) {
    let Ok(logger) = boxed(logger) else {
        return;
    };
    let node = boxed(Node {
        logger,
        next: Place::new(),
    });
    let Ok(mut node) = node else {
        return;
    };
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

impl fmt::Display for Ends {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_end(self.local, to)?;
        to.write_str(" -> ")?;
        write_end(self.peer, to)
    }
}

fn write_end(end: Option<SocketAddr>, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    match end {
        Some(address) => write!(to, "{address}"),
        None => to.write_str("-"),
    }
}

/// What a line about this socket will need, if anybody listens. To be asked where the program has
/// called.
pub(crate) fn about(socket: Socket) -> Option<About> {
    is_on().then(|| About::new(socket, Caller::now()))
}

/// Who is to get a line from this thread. What the logger itself does has none: it would never come
/// to an end.
fn listening() -> Option<&'static Logger> {
    current().filter(|_| !ThreadFlag::InLogger.is_set())
}

/// Writes the line for a close that was not graceful.
pub(crate) fn not_graceful(about: &About, report: &Report) {
    if let Some(logger) = listening().filter(|_| !about.is_of_logger) {
        tell(logger, Told::Outcome(report.outcome), &line(about, report));
    }
}

/// Writes the line for a close in the background whose descriptor is gone.
pub(crate) fn gone(about: &About, fault: Fault) {
    if let Some(logger) = listening().filter(|_| !about.is_of_logger) {
        let line = about.line(format_args!(
            "given up: the program has closed the descriptor after the hand-over ({}); \
             what has its number now was left alone",
            ErrorText(fault.code)
        ));
        tell(logger, Told::Gone(fault), &line);
    }
}

/// Writes the line for a call of the C interface that was refused.
#[cfg_attr(not(feature = "capi"), allow(dead_code))]
pub(crate) fn refused(number: i32, what: fmt::Arguments<'_>) {
    if let Some(logger) = listening() {
        tell(logger, Told::Refused(number), &about::line_of_call(what));
    }
}

/// A panic of the logger costs its line, and no more: it may be on a thread of ours, and what was
/// closed is not to be closed again.
fn tell(logger: &Logger, told: Told, line: &Line) {
    let outer = ThreadFlag::InLogger.replace(true);
    let _ = catch_unwind(AssertUnwindSafe(|| logger(told, line)));
    ThreadFlag::InLogger.replace(outer);
}

fn line(about: &About, report: &Report) -> Line {
    about.line(format_args!(
        "{} after {} ms, {} bytes drained, {}{}",
        report.outcome,
        report.elapsed.as_millis() as u64,
        report.drained_bytes,
        Unacked(report.unacked_bytes),
        Cause(report.system_error),
    ))
}

struct Unacked(Option<usize>);

impl fmt::Display for Unacked {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(to, "{bytes} unacked"),
            None => to.write_str("unacked unknown"),
        }
    }
}

/// The system's error, if there was one.
struct Cause(i32);

impl fmt::Display for Cause {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            code => write!(to, ", {}", ErrorText(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{line, About};
    use crate::connection::Ends;
    use crate::outcome::Outcome;
    use crate::report::Report;
    use std::time::Duration;

    fn ends() -> Ends {
        Ends {
            local: Some("10.0.0.1:80".parse().unwrap()),
            peer: Some("[::1]:4711".parse().unwrap()),
        }
    }

    fn report() -> Report {
        Report {
            outcome: Outcome::TimedOut,
            drained_bytes: 12,
            unacked_bytes: Some(7),
            elapsed: Duration::from_micros(5_000_900),
            ..Report::nothing_done()
        }
    }

    #[test]
    fn the_line_tells_it_all() {
        assert_eq!(
            line(&About::ends(ends()), &report()).text(),
            "10.0.0.1:80 -> [::1]:4711: timed out after 5000 ms, 12 bytes drained, 7 unacked"
        );
    }

    #[test]
    fn the_line_tells_what_is_unknown_and_the_error() {
        let code = if cfg!(windows) { 10054 } else { 104 };
        let report = Report {
            outcome: Outcome::Reset,
            unacked_bytes: None,
            system_error: code,
            ..report()
        };
        let error = std::io::Error::from_raw_os_error(code);
        assert_eq!(
            line(&About::default(), &report).text(),
            format!("- -> -: reset after 5000 ms, 12 bytes drained, unacked unknown, {error}")
        );
    }

    /// The largest of all that may stand in it.
    #[test]
    fn no_line_of_ours_is_cut() {
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535";
        let end = Some(longest.parse().unwrap());
        let ends = Ends {
            local: end,
            peer: end,
        };
        let report = Report {
            outcome: Outcome::NotConnected,
            system_error: i32::MIN,
            drained_bytes: usize::MAX,
            unacked_bytes: Some(usize::MAX),
            elapsed: Duration::MAX,
            ..report()
        };
        let line = line(&About::ends(ends), &report);
        assert!(!line.text().ends_with("..."), "{}", line.text());
        assert!(line.text().len() < 512 - 128, "{}", line.text());
    }
}
