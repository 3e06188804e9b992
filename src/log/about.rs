//! What a line is about: the connection, and who has closed it.

use super::line::Line;
use crate::connection::Ends;
use crate::sys::{Callers, CodePlace, Counted, HandOver, IsEntry, Socket, ThreadFlag};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

static NAMES_CALLERS: AtomicBool = AtomicBool::new(false);

/// Which functions are called by the program, if the interface that is in use has told.
static IS_ENTRY: OnceLock<IsEntry> = OnceLock::new();

/// Has each line of the log end with who called, at first it does not.
///
/// That is the place in the program from which the connection was closed, or handed over, and its callers,
/// the innermost first, as `graceful-close observe` tells them: `; caller: server+0x1234 < server+0x2210`.
/// Each is the name of a file and the offset of the return address in it, 6 at most. In a Rust program the
/// first ones may be functions of this crate. A line has room for 500 bytes: callers for which there is no
/// room are left out.
///
/// Each close then looks at the stack, which takes some microseconds, and a closing that waits in
/// the background takes about 80 bytes more.
pub fn set_log_caller(is_on: bool) {
    NAMES_CALLERS.store(is_on, Ordering::Release);
}

/// Of an interface whose functions can be told by where they begin.
#[cfg_attr(not(feature = "capi"), allow(dead_code))]
pub(crate) fn set_entries(is_entry: IsEntry) {
    let _ = IS_ENTRY.set(is_entry);
}

/// Who called, if that is asked for.
fn callers() -> Option<Callers> {
    let is_entry = || IS_ENTRY.get().copied().unwrap_or(|_| false);
    let is_on = NAMES_CALLERS.load(Ordering::Acquire);
    is_on.then(|| Callers::capture(is_entry()))
}

/// Kept until the line is written, which may be much later.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Counted<Callers>>);

impl Caller {
    /// The one of this call. Without memory for it the line goes without.
    pub(crate) fn now() -> Caller {
        Caller(callers().and_then(|callers| Counted::new(callers).ok()))
    }
}

/// A connection.
#[derive(Clone, Default)]
pub(crate) struct About {
    ends: Ends,
    caller: Caller,
    /// The logger has closed it: nothing is told of it.
    pub(super) is_of_logger: bool,
}

impl About {
    /// Looked up while it can be.
    pub(crate) fn new(socket: Socket, caller: Caller) -> About {
        About {
            ends: socket.ends(),
            caller,
            is_of_logger: ThreadFlag::InLogger.is_set(),
        }
    }

    #[cfg(test)]
    pub(super) fn ends(ends: Ends) -> About {
        About {
            ends,
            ..About::default()
        }
    }

    /// `words` behind its ends.
    pub(super) fn line(&self, words: fmt::Arguments<'_>) -> Line {
        let mut line = Line::of(format_args!("{}: {words}", self.ends));
        if let Some(callers) = &self.caller.0 {
            add(&mut line, callers);
        }
        line
    }
}

/// A call that was refused is told at once.
#[cfg_attr(not(feature = "capi"), allow(dead_code))]
pub(super) fn line_of_call(words: fmt::Arguments<'_>) -> Line {
    let mut line = Line::of(words);
    if let Some(callers) = callers() {
        add(&mut line, &callers);
    }
    line
}

/// Those for which there is room.
fn add(line: &mut Line, callers: &Callers) {
    let mut before = "; caller: ";
    for address in callers.addresses() {
        let place = CodePlace(*address);
        if !line.add_whole(format_args!("{before}{place}")) {
            return;
        }
        before = " < ";
    }
}

#[cfg(test)]
mod tests {
    use super::{add, Caller};
    use crate::log::Line;
    use crate::sys::Callers;

    #[test]
    fn nobody_is_looked_for_unless_asked_for() {
        assert!(Caller::now().0.is_none());
    }

    /// Cut between two callers, and never within one.
    #[test]
    fn what_has_no_room_is_left_out() {
        let callers = Callers::capture(|_| false);
        let whole = {
            let mut line = Line::of(format_args!(""));
            add(&mut line, &callers);
            line.text().to_owned()
        };
        let chain: Vec<&str> = whole
            .strip_prefix("; caller: ")
            .unwrap()
            .split(" < ")
            .collect();
        assert_eq!(chain.len(), callers.addresses().len());
        assert!((1..=6).contains(&chain.len()), "{whole}");
        for length in 0..520 {
            let words = "x".repeat(length);
            let mut line = Line::of(format_args!("{words}"));
            let before = line.text().to_owned();
            add(&mut line, &callers);
            let added = line.text().strip_prefix(&*before).unwrap();
            assert!(line.text().len() < 512);
            assert_eq!(line.c_text().to_str(), Ok(line.text()));
            if !added.is_empty() {
                let kept: Vec<&str> = added
                    .strip_prefix("; caller: ")
                    .unwrap()
                    .split(" < ")
                    .collect();
                assert_eq!(kept, chain[..kept.len()]);
            }
        }
    }
}
