//! Handing over: what is done in the caller's thread.

use super::inbox::NoPlace;
use super::pool::{Entry, Extras, Keep, Packed, Unpacked};
use super::shared::{Handover, Refusal, Shared, WhenFull};
use crate::clock::{SystemClock, Time};
use crate::connection::{Connection, Indexed, Kind, TcpState, Watcher};
use crate::log::{self, About};
use crate::machine::{after, Brief, Machine, Next};
use crate::stats;
use crate::sys::{HandOver, Poller, Probe, Room, Socket};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// When a thread that naps will have looked for certain.
const SOON: Duration = Duration::from_millis(3);

impl Shared {
    /// A place in the queue and in the count.
    pub(super) fn reserve(
        &self,
        now: Time,
        boxes: Option<Boxes>,
    ) -> Result<Reservation<'_>, Refusal> {
        let looks_soon = self
            .inbox
            .reserve(now.plus(SOON))
            .map_err(|shut| match shut {
                NoPlace::Closed => Refusal::Stopped,
                NoPlace::NoMemory => Refusal::NO_MEMORY,
            })?;
        // From here on the reservation gives back what it has.
        let mut reservation = Reservation {
            shared: self,
            looks_soon,
            is_counted: false,
            boxes,
        };
        let others = self.alive.fetch_add(1, Ordering::AcqRel);
        stats::count_pending(true);
        reservation.is_counted = true;
        let is_full = self.max_pending > 0 && others >= self.max_pending;
        match is_full && self.when_full == WhenFull::Refuse {
            true => Err(Refusal::Full),
            false => Ok(reservation),
        }
    }

    /// Only checks, marks and queues; the thread finds out the rest.
    pub(super) fn queue(
        &self,
        mut handover: Handover,
        mut reservation: Reservation<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        let mark = handover.socket.check().map_err(Refusal::System)?;
        handover.socket.keep_from_children();
        handover.socket.end_signals().map_err(Refusal::System)?;
        let due = self.soon(now);
        let Some(boxes) = reservation.boxes.take() else {
            let brief = Brief::new(handover.options.timeout_ms, now);
            reservation.push(
                Packed::Brief {
                    socket: handover.socket.out_of_the_way(),
                    brief,
                    keep: Keep::marked(mark),
                },
                due,
            );
            return Ok(());
        };
        // The log wants to know it by the number that the program knows.
        let mut entry = boxes.entry(&mut handover, now);
        entry.socket = entry.socket.out_of_the_way();
        entry.keep.set_mark(mark);
        reservation.leave(Unpacked::Boxed(entry), due);
        Ok(())
    }

    /// By when the thread has to look at one that needs nothing done at once.
    fn soon(&self, now: Time) -> Time {
        match self.is_crowded() {
            true => now,
            false => now.plus(SOON),
        }
    }

    /// Half-closes, so that the FIN leaves at once, and drains what is there; only what is not
    /// over then is brought to the thread.
    pub(super) fn take_over(
        &self,
        mut handover: Handover,
        mut reservation: Reservation<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        let boxes = reservation.boxes.take();
        let short = match boxes {
            None => half_closed(&mut handover, reservation.looks_soon)?,
            Some(_) => None,
        };
        if let Some(HalfClosed { keep, is_quiet }) = short {
            let packed = half_closed_now(&handover, keep, now);
            let waits = handover.options.timeout_ms > 0;
            if waits && is_quiet {
                // Nothing to drain. What is left is to wait, and the thread does that.
                let due = after(now, handover.options.timeout_ms);
                reservation.push(packed, due.min(self.soon(now)));
                return Ok(());
            }
            return self.step_once(packed.unpack(), true, reservation, now);
        }
        let (mut entry, kind) = classified(&mut handover, boxes, now)?;
        if is_slow_to_close(&mut entry, kind) {
            reservation.leave(entry, now);
            return Ok(());
        }
        self.step_once(entry, false, reservation, now)
    }

    /// The one pass in the caller's thread.
    fn step_once(
        &self,
        mut entry: Unpacked<Socket>,
        is_half_closed: bool,
        reservation: Reservation<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        match entry.step(&SystemClock) {
            None => match entry.refusal() {
                Some(fault) => return Err(Refusal::System(fault)),
                // Its callback comes on the thread.
                None if entry.has_done() => reservation.leave(entry, now),
                None => {
                    // First of all: the log may call back and wait until none is pending.
                    drop(reservation);
                    entry.into_entry().tell(&SystemClock);
                }
            },
            Some(next) => {
                if !is_half_closed {
                    entry.socket = entry.socket.out_of_the_way();
                }
                let may_wait = match next {
                    Next::Wait(wait) if !self.is_crowded() => wait.until,
                    _ => now,
                };
                let due = match reservation.looks_soon {
                    true => {
                        // What has no mark is marked by the thread.
                        if !is_half_closed {
                            mark(&mut entry);
                        }
                        may_wait.min(now.plus(SOON))
                    }
                    false => self.register(&mut entry, may_wait, now),
                };
                reservation.leave(entry, due);
            }
        }
        Ok(())
    }

    /// What another driver has begun: the thread steps it at once.
    pub(super) fn go_on(
        &self,
        socket: Socket,
        machine: Machine,
        about: Option<&About>,
        mut reservation: Reservation<'_>,
        now: Time,
    ) -> Result<(), Refusal> {
        socket.keep_from_children();
        socket.end_signals().map_err(Refusal::System)?;
        let entry = Entry {
            socket: socket.out_of_the_way(),
            machine,
            extras: None,
            keep: Keep::NEW,
        };
        let extras = || Extras {
            about: about.cloned(),
            ..Extras::default()
        };
        let mut entry = match reservation.boxes.take() {
            Some(boxes) => Unpacked::Boxed(boxes.fill(entry, extras)),
            None => Unpacked::Here(entry),
        };
        mark(&mut entry);
        reservation.leave(entry, now);
        Ok(())
    }

    /// By when the thread has to look at it, which sleeps: the poller wakes for it, the thread
    /// for its time alone.
    pub(super) fn register(&self, entry: &mut Entry<Socket>, may_wait: Time, now: Time) -> Time {
        mark(entry);
        entry
            .keep
            .set_watched(self.poller.add(entry.socket).is_ok());
        match entry.keep.is_watched() && <Poller as Watcher<Socket>>::TELLS_EDGES {
            true => may_wait,
            false => now,
        }
    }
}

fn mark(entry: &mut Entry<Socket>) {
    if let Some(mark) = entry.socket.mark() {
        entry.keep.set_mark(mark);
    }
}

/// One that went the short way.
struct HalfClosed {
    keep: Keep,
    /// There was nothing to drain, and the thread is going to look soon.
    is_quiet: bool,
}

/// The short way, for TCP where it is recognised cheaply: SO_LINGER off, the half-close, and a
/// number out of the program's way. `None`: nothing of that could be done, and the long way
/// finds out why. Otherwise what is known of the number: nothing yet if the program has never seen
/// it. One that it has seen it may close once more, and get again for another socket, before the
/// thread has looked.
fn half_closed(handover: &mut Handover, looks_soon: bool) -> Result<Option<HalfClosed>, Refusal> {
    let given = handover.socket;
    if !given.is_tcp_connection() {
        return Ok(None);
    }
    let is_quiet = looks_soon && given.is_quiet();
    if !is_quiet && !given.tells_its_end() {
        // It has to be asked before the half-close.
        return Ok(None);
    }
    given.end_signals().map_err(Refusal::System)?;
    // No child gets the second number, and the first one is gone in a moment.
    let higher = given.higher_number();
    if higher.is_none() {
        given.keep_from_children();
    }
    let keep = match higher {
        Some(_) => Keep::NEW,
        None => match given.mark() {
            Some(mark) => Keep::marked(mark),
            None => return Ok(None),
        },
    };
    let mut socket = higher.unwrap_or(given);
    socket.linger_off();
    let result = socket.half_close();
    match higher {
        Some(higher) if result.is_err() => higher.give_up_number(),
        Some(_) => given.give_up_number(),
        None => {}
    }
    if result.is_err() {
        return Ok(None);
    }
    handover.socket = socket;
    Ok(Some(HalfClosed { keep, is_quiet }))
}

fn half_closed_now(handover: &Handover, keep: Keep, now: Time) -> Packed<Socket> {
    Packed::Brief {
        socket: handover.socket,
        brief: Brief::half_closed(handover.options.timeout_ms, now),
        keep,
    }
}

/// The long way: what is it?
fn classified(
    handover: &mut Handover,
    boxes: Option<Boxes>,
    now: Time,
) -> Result<(Unpacked<Socket>, Kind), Refusal> {
    let kind = handover.socket.classify().map_err(Refusal::System)?;
    // Children started meanwhile must not hold the connection.
    handover.socket.keep_from_children();
    handover.socket.end_signals().map_err(Refusal::System)?;
    let mut entry = match boxes {
        Some(boxes) => Unpacked::Boxed(boxes.entry(handover, now)),
        None => Unpacked::Here(entry(handover, now)),
    };
    entry.machine.classified(kind);
    Ok((entry, kind))
}

/// Before threads that are blocked on it may be woken, all who may hold it have to be looked for:
/// nothing for the caller's thread. Under its own number, which those threads know.
fn is_slow_to_close(entry: &mut Entry<Socket>, kind: Kind) -> bool {
    if !matches!(kind, Kind::Other | Kind::Tcp(TcpState::Listen)) {
        return false;
    }
    // Finding out takes its time, too.
    mark(entry);
    entry.socket.may_be_blocked_on()
}

/// One that has a place in the queue, and in the count; both are given back if
/// it goes, even by a panic.
pub(super) struct Reservation<'a> {
    shared: &'a Shared,
    /// The thread is going to look soon, without being woken.
    looks_soon: bool,
    is_counted: bool,
    /// Of one that asks for more than a place in the queue.
    boxes: Option<Boxes>,
}

impl Reservation<'_> {
    /// Leaves the entry to the thread.
    fn leave(self, entry: Unpacked<Socket>, due: Time) {
        match entry.pack() {
            Ok(packed) => self.push(packed, due),
            // It has become special, and there is no memory for that.
            Err(mut entry) => {
                entry.give_up();
                drop(self);
                entry.tell(&SystemClock);
            }
        }
    }

    fn push(self, packed: Packed<Socket>, due: Time) {
        let shared = self.shared;
        std::mem::forget(self);
        shared.wake(shared.inbox.push(packed, due));
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shared.inbox.cancel();
        if self.is_counted {
            self.shared.one_less();
        }
    }
}

/// Memory for one that asks for more than a place in the queue: with it, nothing more can be
/// lacking.
pub(super) struct Boxes {
    entry: Room<Entry<Socket>>,
    extras: Option<Room<Extras>>,
}

impl Boxes {
    pub(super) fn ask(with_extras: bool) -> Result<Boxes, Refusal> {
        let extras = with_extras.then(|| Room::ask().ok_or(Refusal::NO_MEMORY));
        Ok(Boxes {
            entry: Room::ask().ok_or(Refusal::NO_MEMORY)?,
            extras: extras.transpose()?,
        })
    }

    fn fill(self, mut entry: Entry<Socket>, extras: impl FnOnce() -> Extras) -> Box<Entry<Socket>> {
        entry.extras = self.extras.map(|room| room.fill(extras()));
        self.entry.fill(entry)
    }

    fn entry(self, handover: &mut Handover, now: Time) -> Box<Entry<Socket>> {
        let entry = entry(handover, now);
        self.fill(entry, || Extras {
            done: handover.done.take(),
            reader: handover.reader.take(),
            about: log::about(handover.socket),
        })
    }
}

fn entry(handover: &Handover, now: Time) -> Entry<Socket> {
    Entry {
        socket: handover.socket,
        machine: Machine::new(&handover.options, now),
        extras: None,
        keep: Keep::NEW,
    }
}
