//! Why a call is refused: the number that it returns, the error that the program finds
//! afterwards, and the words for the log. The words stand here and nowhere else.

use super::types::*;
use crate::connection::{Fault, FaultKind};
use crate::reaper;
use crate::sys::{ErrorText, LastError};
use std::ffi::{c_int, c_uint};
use std::fmt;

/// Why: nothing was done, but for what `Internal` may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// GC_ERR_ARGUMENT.
    Argument(Wrong),
    /// GC_ERR_NOT_A_SOCKET or GC_ERR_SYSTEM, as the system says.
    System(Fault),
    /// GC_ERR_RESOURCES, and what the system says.
    Resources(i32),
    /// GC_ERR_RESOURCES: so many are pending as may be.
    Full,
    /// GC_ERR_STOPPED.
    Stopped,
    /// GC_ERR_INTERNAL: a panic was caught, a bug of ours.
    Internal,
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The argument of this name.
    Null(&'static str),
    /// The struct_size of this struct.
    Size(&'static Layout, usize),
    /// More than this library knows of the struct, and not all of that is zero.
    NewerFields(&'static Layout),
    /// The struct_size of this one of many reports is not that of the first.
    UnlikeTheFirst(usize),
    /// The field of this name, and what it may be.
    Value(&'static str, c_uint, &'static str),
    /// These flags of gc_options.
    Flags(c_uint),
    /// More sockets than there can be.
    Count(usize),
    /// This socket stands twice in the list.
    Twice(gc_socket),
    /// What hands the socket back, in the background.
    KeptInBackground,
    /// GC_THEN_BACKGROUND, in the background.
    BackgroundTwice,
    /// GC_KEEP_OPEN with GC_THEN_BACKGROUND.
    KeptAndContinued,
    /// gc_closing_step() in its own on_data.
    InsideStep,
    /// gc_reaper_free() on the reaper's own thread.
    InsideReaper,
}

/// A struct that grows: its size may be that of any version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// What sets the size.
    pub(super) init: &'static str,
    pub(super) size: usize,
    /// Where its fields end: sizes that older headers may have had.
    pub(super) ends: &'static [usize],
}

impl Refusal {
    pub(super) const NO_MEMORY: Refusal = Refusal::Resources(LastError::RESOURCES);

    pub(super) fn of(refusal: reaper::Refusal) -> Refusal {
        match refusal {
            reaper::Refusal::Stopped => Refusal::Stopped,
            reaper::Refusal::NoResources(code) => Refusal::Resources(code),
            reaper::Refusal::Full => Refusal::Full,
            reaper::Refusal::System(fault) => Refusal::System(fault),
        }
    }

    /// What the call returns.
    pub(super) fn number(self) -> c_int {
        match self {
            Refusal::Argument(_) => GC_ERR_ARGUMENT,
            Refusal::System(fault) => error_code(fault),
            Refusal::Resources(_) | Refusal::Full => GC_ERR_RESOURCES,
            Refusal::Stopped => GC_ERR_STOPPED,
            Refusal::Internal => GC_ERR_INTERNAL,
        }
    }

    /// The errno or Winsock error to be left for the program; `None`: that which it had.
    pub(super) fn last_error(self) -> Option<i32> {
        match self {
            Refusal::Argument(_) => Some(LastError::ARGUMENT),
            Refusal::System(fault) => Some(fault.code),
            Refusal::Resources(code) => Some(code),
            Refusal::Full => Some(LastError::RESOURCES),
            Refusal::Stopped => Some(LastError::STOPPED),
            Refusal::Internal => None,
        }
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Refusal {
        Refusal::Argument(wrong)
    }
}

/// The system's refusal as a number of the C interface.
pub(super) fn error_code(fault: Fault) -> c_int {
    match fault.kind {
        FaultKind::NotASocket => GC_ERR_NOT_A_SOCKET,
        _ => GC_ERR_SYSTEM,
    }
}

/// A refusal in words: what was wrong, what was left untouched, what to do.
pub(super) struct Words {
    pub(super) refusal: Refusal,
    /// The one that the call is about, if it is about one.
    pub(super) socket: Option<gc_socket>,
}

impl fmt::Display for Words {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal {
            Refusal::Argument(wrong) => write!(to, "{wrong}; nothing was done"),
            Refusal::System(fault) if fault.kind == FaultKind::NotASocket => {
                self.not_a_socket(fault, to)
            }
            Refusal::System(fault) => {
                write!(to, "the system refused: {}", ErrorText(fault.code))?;
                self.still_yours("", to)
            }
            Refusal::Resources(code) => {
                write!(
                    to,
                    "no memory, thread or descriptor for it: {}",
                    ErrorText(code)
                )?;
                self.still_yours(": try again later, or use gc_close()", to)
            }
            Refusal::Full => {
                to.write_str("as many are pending as max_pending allows (GC_FULL_REFUSE)")?;
                self.still_yours(": try again later, or use gc_close()", to)
            }
            Refusal::Stopped => {
                to.write_str(
                    "this reaper is being freed, or it is the parent's in a child process",
                )?;
                self.still_yours(": use another reaper, or gc_close()", to)
            }
            Refusal::Internal => to.write_str(
                "a bug in graceful_close, please report it; report.closed says whether the socket \
                 is still open",
            ),
        }
    }
}

impl Words {
    fn not_a_socket(&self, fault: Fault, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket {
            // Signed: the usual bad one is -1, on Windows too.
            Some(socket) => write!(to, "{} is not an open socket", socket as isize)?,
            None => to.write_str("not an open socket")?,
        }
        write!(to, ": {}; it was left alone: ", ErrorText(fault.code))?;
        to.write_str(match Some(fault.code) == LastError::NOT_STARTED {
            true => "call WSAStartup() first",
            false => "look for a second close of the same number",
        })
    }

    fn still_yours(&self, what_to_do: &str, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket {
            Some(socket) => write!(
                to,
                "; socket {} is still open and yours{what_to_do}",
                socket as isize
            ),
            None => to.write_str("; nothing was done"),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Wrong::Null(name) => write!(to, "{name} is NULL"),
            Wrong::Size(layout, size) => write!(
                to,
                "struct_size of {} is {size}: start from {}",
                layout.name, layout.init
            ),
            Wrong::NewerFields(layout) => write!(
                to,
                "{} has fields set that version {} of the library does not know: leave them 0, \
                 or install a newer one",
                layout.name,
                env!("CARGO_PKG_VERSION")
            ),
            Wrong::UnlikeTheFirst(at) => write!(
                to,
                "struct_size of reports[{at}] is not that of reports[0]: start all from \
                 GC_REPORT_INIT"
            ),
            Wrong::Value(field, value, allowed) => {
                write!(to, "{field} is {value}: it may be {allowed}")
            }
            Wrong::Flags(flags) => write!(
                to,
                "flags has {flags:#x}: it may have GC_DEFERRED, GC_UNTIL_ACKED, GC_KEEP_OPEN"
            ),
            Wrong::Count(count) => write!(to, "count is {count}: so many sockets cannot be"),
            Wrong::Twice(socket) => {
                write!(to, "socket {} stands twice in socks", socket as isize)
            }
            Wrong::KeptInBackground => to.write_str(
                "GC_THEN_KEEP and GC_KEEP_OPEN are not for the background: nobody would get the \
                 socket back",
            ),
            Wrong::BackgroundTwice => to.write_str(
                "GC_THEN_BACKGROUND is not for the background, which has all of timeout_ms: raise \
                 that",
            ),
            Wrong::KeptAndContinued => to.write_str(
                "GC_KEEP_OPEN and GC_THEN_BACKGROUND exclude each other: only one can have the \
                 descriptor",
            ),
            Wrong::InsideStep => {
                to.write_str("it was called inside a step of the same gc_closing: return first")
            }
            Wrong::InsideReaper => {
                to.write_str("it was called on the reaper's own thread: call it on another one")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Words, Wrong};
    use crate::connection::{Fault, FaultKind};
    use crate::sys::{ErrorText, LastError};

    fn words(refusal: Refusal, is_about_one: bool) -> String {
        let socket = is_about_one.then_some(7);
        Words { refusal, socket }.to_string()
    }

    /// Those that tests/c/log_refusals.c cannot bring about on every system, or not at all.
    #[test]
    fn every_refusal_says_what_was_left_and_what_to_do() {
        let code = LastError::RESOURCES;
        let error = ErrorText(code);
        assert_eq!(
            words(Refusal::Resources(code), true),
            format!(
                "no memory, thread or descriptor for it: {error}; socket 7 is still open and \
                 yours: try again later, or use gc_close()"
            )
        );
        assert_eq!(
            words(Refusal::Resources(code), false),
            format!("no memory, thread or descriptor for it: {error}; nothing was done")
        );
        let fault = Fault {
            kind: FaultKind::Other,
            code,
        };
        assert_eq!(
            words(Refusal::System(fault), true),
            format!("the system refused: {error}; socket 7 is still open and yours")
        );
        assert_eq!(
            words(Refusal::Stopped, false),
            "this reaper is being freed, or it is the parent's in a child process; nothing was \
             done"
        );
        assert_eq!(
            words(Refusal::Internal, true),
            "a bug in graceful_close, please report it; report.closed says whether the socket is \
             still open"
        );
    }

    #[test]
    fn a_number_that_is_no_socket_is_told_with_what_to_look_for() {
        let error = ErrorText(Fault::GONE.code);
        assert_eq!(
            words(Refusal::System(Fault::GONE), true),
            format!(
                "7 is not an open socket: {error}; it was left alone: look for a second close of \
                 the same number"
            )
        );
        if let Some(code) = LastError::NOT_STARTED {
            let kind = FaultKind::NotASocket;
            let told = words(Refusal::System(Fault { kind, code }), true);
            assert!(told.ends_with("; it was left alone: call WSAStartup() first"));
        }
    }

    #[test]
    fn a_call_that_panics_is_refused() {
        use super::super::call::call;
        assert_eq!(call("gc_nothing", None, || panic!("a bug")), -6);
        assert_eq!(
            call("gc_nothing", None, || Err(Wrong::Null("out").into())),
            -2
        );
        assert_eq!(call("gc_nothing", None, || Ok(3)), 3);
    }
}
