//! One closing in the background, as it is worked on and as it is kept.

use crate::clock::Clock;
use crate::connection::{Fault, FaultKind, Indexed, Mark};
use crate::drive::job::{self, Sink};
use crate::log::{self, About};
use crate::machine::{Brief, End, Machine, Next};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::stats;
use crate::sys::boxed;
use std::ops::{Deref, DerefMut};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Called once, when it is over. With a fault there was no end of its own: the number was
/// closed behind our back, and what has it now is untouched.
pub(crate) type Done = Box<dyn FnOnce(Option<Fault>, &Report) + Send>;

/// Gets the drained data.
pub(crate) type Reader = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// One closing in the background.
pub(crate) struct Entry<C> {
    pub(crate) socket: C,
    pub(crate) machine: Machine,
    /// What few of them have.
    pub(crate) extras: Option<Box<Extras>>,
    pub(crate) keep: Keep,
}

/// What is known of the number of one that is kept, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep(u32);

impl Keep {
    const WATCHED: u32 = 1 << 31;

    /// Nobody has looked yet what tells it from a later one with the same number.
    pub(crate) const NEW: Keep = Keep(0);

    pub(crate) fn marked(mark: Mark) -> Keep {
        Keep(mark.get())
    }

    pub(crate) fn mark(self) -> Option<Mark> {
        Mark::from_bits(self.0 & !Self::WATCHED)
    }

    pub(crate) fn set_mark(&mut self, mark: Mark) {
        self.0 = self.0 & Self::WATCHED | mark.get();
    }

    /// The poller tells of its events; otherwise it is looked at now and then.
    pub(crate) fn is_watched(self) -> bool {
        self.0 & Self::WATCHED != 0
    }

    pub(crate) fn set_watched(&mut self, is_watched: bool) {
        let mark = self.0 & !Self::WATCHED;
        self.0 = if is_watched {
            mark | Self::WATCHED
        } else {
            mark
        };
    }
}

/// What few closings have, apart so that the others stay small.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) done: Option<Done>,
    pub(crate) reader: Option<Reader>,
    pub(crate) about: Option<About>,
}

impl<C: Indexed> Entry<C> {
    /// The number is still that of the same open connection, as far as can be told.
    pub(crate) fn is_still_there(&self) -> bool {
        self.keep
            .mark()
            .map_or(true, |mark| self.socket.is_still(mark))
    }

    /// Whether it may be worked on. What a program has closed behind our back is let go: its
    /// number is another one's by now, or will be.
    fn is_ours(&mut self) -> bool {
        if self.machine.has_ended() || self.is_still_there() {
            return true;
        }
        self.machine.abandon();
        false
    }

    /// Goes on, if it is still there; `None` once it has ended.
    #[inline(never)]
    pub(crate) fn step<K: Clock>(&mut self, clock: &K) -> Option<Next> {
        match self.is_ours() {
            true => self.step_seen(clock),
            false => None,
        }
    }

    /// As [`Entry::step_seen`], with an event to come if there is something to read: a call is saved.
    pub(crate) fn wait_or_step<K: Clock>(&mut self, clock: &K) -> Option<Next> {
        match self.machine.wait_unread(&mut self.socket, clock) {
            Some(next) => Some(next),
            None => self.step_seen(clock),
        }
    }

    /// The same of one that was looked at a moment ago.
    pub(crate) fn step_seen<K: Clock>(&mut self, clock: &K) -> Option<Next> {
        let reader = self.extras.as_mut();
        let mut sink: Sink<'_> = match reader.and_then(|extras| extras.reader.as_mut()) {
            Some(reader) => Some(&mut **reader),
            None => None,
        };
        let mark = match self.keep.mark() {
            // It is handed over in this call.
            None if sink.is_some() => self.socket.mark(),
            mark => mark,
        };
        match job::step(&mut self.machine, &mut self.socket, mark, clock, &mut sink) {
            Next::Ended => None,
            next => Some(next),
        }
    }

    /// Ends it by its fallback.
    #[inline(never)]
    pub(crate) fn give_up(&mut self) {
        if self.is_ours() {
            job::give_up(&mut self.machine, &mut self.socket, Outcome::Evicted);
        }
    }

    /// The system's refusal to begin, if that is how it ended.
    pub(crate) fn refusal(&self) -> Option<Fault> {
        match self.machine.end() {
            Some(End::Refused(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Somebody is to be told of its end.
    pub(crate) fn has_done(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.done.is_some())
    }

    /// After the end: counts, logs and tells; no lock of ours is held. A socket
    /// that was closed behind our back counts as one whose end nobody saw.
    #[inline(never)]
    pub(crate) fn tell<K: Clock>(mut self, clock: &K) {
        // Refused by the system, but left to the background: nobody else is there
        // to close it.
        let is_left = |fault: Fault| fault.kind != FaultKind::NotASocket;
        let is_left = self.refusal().is_some_and(is_left) && self.is_still_there();
        if is_left {
            let _ = self.socket.close(false);
        }
        let is_refused = self.refusal().is_some();
        let extras = self.extras.map_or_else(Extras::default, |extras| *extras);
        job::record(&self.machine, extras.about.as_ref(), clock);
        if is_left {
            stats::count(Outcome::Uncertain, self.machine.drained(), false);
        }
        if extras.done.is_none() && !is_refused {
            return;
        }
        let (outcome, fault) = match self.machine.end() {
            Some(End::Outcome(outcome)) => (outcome, None),
            Some(End::Refused(fault)) if !is_left => (Outcome::Uncertain, Some(fault)),
            Some(End::Refused(_)) | None => (Outcome::Uncertain, None),
        };
        let mut report = self.machine.report(outcome, clock.now());
        report.closed |= is_left;
        let about = extras.about.unwrap_or_default();
        match fault {
            Some(fault) => log::gone(&about, fault),
            None if is_left => log::not_graceful(&about, &report),
            None => {}
        }
        if let Some(done) = extras.done {
            // A panic of a Rust program's own must not end the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| done(fault, &report)));
        }
    }
}

/// An entry while nobody works on it: what asks for nothing special takes few
/// bytes, the others have a box.
pub(crate) enum Packed<C> {
    Brief { socket: C, brief: Brief, keep: Keep },
    Whole(Box<Entry<C>>),
}

/// An entry that is worked on.
pub(crate) enum Unpacked<C> {
    Here(Entry<C>),
    Boxed(Box<Entry<C>>),
}

impl<C> Packed<C> {
    /// What asks for something special.
    pub(crate) fn whole(&self) -> Option<&Entry<C>> {
        match self {
            Packed::Brief { .. } => None,
            Packed::Whole(entry) => Some(entry),
        }
    }

    #[inline(never)]
    pub(crate) fn unpack(self) -> Unpacked<C> {
        match self {
            Packed::Brief {
                socket,
                brief,
                keep,
            } => Unpacked::Here(Entry {
                socket,
                machine: brief.machine(),
                extras: None,
                keep,
            }),
            Packed::Whole(entry) => Unpacked::Boxed(entry),
        }
    }
}

impl<C: Copy> Unpacked<C> {
    /// Without memory for what has become special it comes back as it is.
    #[inline(never)]
    #[allow(clippy::result_large_err)] // there is no memory for a box then
    pub(crate) fn pack(self) -> Result<Packed<C>, Entry<C>> {
        let entry = match self {
            Unpacked::Here(entry) => entry,
            Unpacked::Boxed(entry) => return Ok(Packed::Whole(entry)),
        };
        match entry.machine.brief() {
            Some(brief) if entry.extras.is_none() => Ok(Packed::Brief {
                socket: entry.socket,
                brief,
                keep: entry.keep,
            }),
            _ => boxed(entry).map(Packed::Whole),
        }
    }
}

impl<C> Unpacked<C> {
    pub(crate) fn into_entry(self) -> Entry<C> {
        match self {
            Unpacked::Here(entry) => entry,
            Unpacked::Boxed(entry) => *entry,
        }
    }
}

impl<C> Deref for Unpacked<C> {
    type Target = Entry<C>;

    fn deref(&self) -> &Entry<C> {
        match self {
            Unpacked::Here(entry) => entry,
            Unpacked::Boxed(entry) => entry,
        }
    }
}

impl<C> DerefMut for Unpacked<C> {
    fn deref_mut(&mut self) -> &mut Entry<C> {
        match self {
            Unpacked::Here(entry) => entry,
            Unpacked::Boxed(entry) => entry,
        }
    }
}
