//! Handing over: what is done in the caller's thread.

use super::{Handover, Refusal, Shared, WhenFull};
use crate::clock::{SystemClock, Time};
use crate::closing::{Brief, Machine, Next};
use crate::connection::{Connection, Kind, TcpState};
use crate::door::Shut;
use crate::log;
use crate::memory;
use crate::set::{Entry, Extras, Packed, Unpacked, Watcher};
use crate::stats;
use crate::sys::{Poller, Socket};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// When a thread that naps will have looked for certain.
const SOON: Duration = Duration::from_millis(3);

/// Nothing has come from the peer that could be over at once.
const QUIET: Kind = Kind::Tcp(TcpState::Established);

impl Shared {
    /// A place in the queue and in the count.
    pub(super) fn let_knock(&self, now: Time, is_brief: bool) -> Result<Guest<'_>, Refusal> {
        let is_awake = self
            .door
            .reserve(now.plus(SOON))
            .map_err(|shut| match shut {
                Shut::Closed => Refusal::Stopped,
                Shut::NoMemory => Refusal::NO_MEMORY,
            })?;
        // From here on the guest gives back what it has.
        let mut guest = Guest {
            shared: self,
            is_awake,
            is_counted: false,
        };
        if !is_brief && !memory::can_have(memory::HANDOVER) {
            return Err(Refusal::NO_MEMORY);
        }
        let others = self.alive.fetch_add(1, Ordering::AcqRel);
        stats::count_pending(true);
        guest.is_counted = true;
        let is_full = self.max_pending > 0 && others >= self.max_pending;
        match is_full && self.when_full == WhenFull::Refuse {
            true => Err(Refusal::NO_MEMORY),
            false => Ok(guest),
        }
    }

    /// Only checks, marks and queues; the thread finds out the rest.
    pub(super) fn queue(
        &self,
        mut handover: Handover,
        is_brief: bool,
        guest: Guest<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        handover.socket.check().map_err(Refusal::System)?;
        handover.socket.keep_from_children();
        let due = match self.is_crowded() {
            true => now,
            false => now.plus(SOON),
        };
        if is_brief {
            let brief = Brief::new(handover.options.timeout_ms, now);
            guest.bring(packed(handover.socket.out_of_the_way(), brief), due);
        } else {
            // The log wants to know it by the number that the program knows.
            let mut entry = entry(&mut handover, false, now);
            entry.socket = entry.socket.out_of_the_way();
            guest.leave(entry, due);
        }
        Ok(())
    }

    /// Half-closes, so that the FIN leaves at once. With the thread awake that is
    /// all; otherwise drains what is there, too, and only what is not over then is
    /// brought to the thread.
    pub(super) fn take_over(
        &self,
        mut handover: Handover,
        is_brief: bool,
        guest: Guest<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        let kind = handover.socket.classify().map_err(Refusal::System)?;
        // Children started meanwhile must not hold the connection.
        handover.socket.keep_from_children();
        let hurries =
            guest.is_awake && Socket::TAKES_LINGER_LATE && kind == QUIET && !self.is_crowded();
        // Refused, it goes the long way: there it is found out why.
        if hurries && is_brief && handover.socket.half_close().is_ok() {
            let brief = Brief::half_closed(handover.options.timeout_ms, now);
            let socket = handover.socket.out_of_the_way();
            guest.bring(packed(socket, brief), now.plus(SOON));
            return Ok(());
        }
        let mut entry = entry(&mut handover, is_brief, now);
        entry.machine.classified(kind);
        if hurries {
            entry.machine.hurry();
        }
        match entry.step(&SystemClock) {
            None => match entry.refusal() {
                Some(fault) => return Err(Refusal::System(fault)),
                // Its callback comes on the thread.
                None if entry.has_done() => guest.leave(entry, now),
                None => {
                    // First of all: the log may call back and wait until none is pending.
                    drop(guest);
                    entry.into_entry().tell(&SystemClock);
                }
            },
            Some(next) => {
                entry.socket = entry.socket.out_of_the_way();
                let due = self.see_to(&mut entry, next, now);
                guest.leave(entry, due);
            }
        }
        Ok(())
    }

    /// By when the thread has to look at it.
    fn see_to(&self, entry: &mut Entry<Socket>, next: Next, now: Time) -> Time {
        if entry.machine.was_hurried() {
            return now.plus(SOON);
        }
        let is_crowded = self.is_crowded();
        entry.is_watched = self.poller.add(entry.socket).is_ok();
        match next {
            // The poller wakes for it; the thread for its time alone.
            Next::Wait(wait)
                if entry.is_watched && !is_crowded && <Poller as Watcher<Socket>>::TELLS_EDGES =>
            {
                wait.until
            }
            _ => now,
        }
    }
}

/// One that has a place in the queue, and in the count; both are given back if
/// it goes, even by a panic.
pub(super) struct Guest<'a> {
    shared: &'a Shared,
    /// The thread is going to look soon, without being woken.
    is_awake: bool,
    is_counted: bool,
}

impl Guest<'_> {
    /// Leaves the entry to the thread.
    fn leave(self, entry: Unpacked<Socket>, due: Time) {
        match entry.pack() {
            Ok(packed) => self.bring(packed, due),
            // It has become special, and there is no memory for that.
            Err(mut entry) => {
                entry.give_up();
                drop(self);
                entry.tell(&SystemClock);
            }
        }
    }

    fn bring(self, packed: Packed<Socket>, due: Time) {
        let shared = self.shared;
        std::mem::forget(self);
        if shared.door.bring(packed, due) {
            shared.poller.ring();
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.shared.door.turn_back();
        if self.is_counted {
            self.shared.one_less();
        }
    }
}

fn packed(socket: Socket, brief: Brief) -> Packed<Socket> {
    Packed::Brief {
        socket,
        brief,
        is_watched: false,
    }
}

/// With its box, if it is to have one: the memory has been asked for.
fn entry(handover: &mut Handover, is_brief: bool, now: Time) -> Unpacked<Socket> {
    let mut entry = Entry {
        socket: handover.socket,
        machine: Machine::new(&handover.options, now),
        extras: None,
        is_watched: false,
    };
    if is_brief {
        return Unpacked::Here(entry);
    }
    let extras = Extras {
        done: handover.done.take(),
        reader: handover.reader.take(),
        ends: log::is_on().then(|| handover.socket.ends()),
    };
    entry.extras = extras.boxed();
    Unpacked::Boxed(Box::new(entry))
}
impl Extras {
    fn boxed(self) -> Option<Box<Extras>> {
        let any = self.done.is_some() || self.reader.is_some() || self.ends.is_some();
        any.then(|| Box::new(self))
    }
}
