//! Drives what is parked, with the state machine of `graceful_close`: on the background thread,
//! or at the end of a process that has none on the thread that ends it. Asks for no memory.

use crate::accept_queue;
use crate::ancestry::Arrival;
use crate::log::{self, Peer};
use crate::looks::{looks_again, waits_for_us, LOOK_AGAIN_MS};
use crate::memory::Guarded;
use crate::own_fds::{self, Mark};
use crate::pace::{self, Pace};
use crate::park::{self, Parked, PLACES};
use crate::process;
use crate::scan::{self, Found};
use crate::settings;
use crate::sys;
use crate::tcp;
use crate::thread;
use crate::watched::Watched;
use graceful_close::{Closing, Fallback, Options, Outcome};
use libc::c_int;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// One socket in its place.
// there is room for the large one in every place, and nowhere else to put it
#[allow(clippy::large_enum_variant)]
enum Work {
    /// Whether others hold it is looked up again then.
    Doubt {
        fd: c_int,
        arrival: Arrival,
        looks: usize,
        at_ms: u64,
        /// Who held it at the last look; 0: there was none yet.
        holder: c_int,
    },
    Closing(Closing, Ticket),
}

/// What is to be known of a socket when it is closed.
#[derive(Clone, Copy)]
struct Ticket {
    mark: Mark,
    peer: Option<Peer>,
}

/// Room for one. Nothing is all zero bytes, so that the table takes no room in the library's file:
/// the tag of an `Option` would not be.
#[repr(u8)]
#[allow(clippy::large_enum_variant)]
enum Room {
    Nothing = 0,
    Taken(Work) = 1,
}

impl Room {
    fn get(&self) -> Option<&Work> {
        match self {
            Room::Nothing => None,
            Room::Taken(work) => Some(work),
        }
    }

    fn take(&mut self) -> Option<Work> {
        match std::mem::replace(self, Room::Nothing) {
            Room::Nothing => None,
            Room::Taken(work) => Some(work),
        }
    }

    fn put(&mut self, work: Work) {
        *self = Room::Taken(work);
    }
}

/// All of them.
pub struct Driver {
    work: [Room; PLACES],
    since_ms: [u64; PLACES],
    seen: [Seen; PLACES],
    pace: [Pace; PLACES],
    /// What is in doubt has been hurried since the program waits for us.
    has_hurried: bool,
}

/// How far a connection was when we last looked.
#[derive(Clone, Copy)]
struct Seen {
    fd: c_int,
    progress: u64,
    at_ms: u64,
}

/// No parked one has the number 0. All zero bytes, too.
const NOTHING_SEEN: Seen = Seen {
    fd: 0,
    progress: 0,
    at_ms: 0,
};

static DRIVER: Guarded<Driver> = Guarded::new(Driver {
    work: [const { Room::Nothing }; PLACES],
    since_ms: [0; PLACES],
    seen: [NOTHING_SEEN; PLACES],
    pace: [pace::UNKNOWN; PLACES],
    has_hurried: false,
});

/// The driver, for the thread that has been made sure to be the only one that drives.
#[allow(unsafe_code)]
pub fn with<R>(work: impl FnOnce(&mut Driver) -> R) -> R {
    // SAFETY: `reaper` lets one thread in at a time, and no signal handler.
    unsafe { DRIVER.with(work) }
}

impl Driver {
    /// In a forked child: these were the parent's, and their descriptors are closed already.
    pub fn forget_all(&mut self) {
        for place in &mut self.work {
            std::mem::forget(place.take());
        }
    }

    /// Takes over what has been handed in.
    pub fn adopt(&mut self) {
        for at in 0..PLACES {
            let Some(parked) = park::adopt(at) else {
                continue;
            };
            self.since_ms[at] = sys::now_ms();
            self.seen[at] = NOTHING_SEEN;
            self.pace[at] = pace::UNKNOWN;
            let work = begin(parked);
            match work {
                Some(work) => self.work[at].put(work),
                None => park::finished(at),
            }
        }
    }

    /// Goes on with all whose time has come, or that can be read. `watched` is what
    /// [`watch`](Self::watch) filled. Whether none of them is at work: those that are left only wait.
    pub fn step(&mut self, watched: &Watched) -> bool {
        let now = sys::now_ms();
        let mut are_quiet = true;
        for at in 0..PLACES {
            if self.work[at].get().is_none() || !watched.is_due(at, now) {
                continue;
            }
            let work = self.work[at].take().and_then(|work| go_on(work, now));
            match work {
                Some(work) => {
                    are_quiet = false;
                    self.work[at].put(work);
                }
                None => park::finished(at),
            }
        }
        are_quiet
    }

    /// The program waits for us since a moment: what an ancestor held at the last look is not looked at
    /// for long any more.
    pub fn hurry(&mut self) {
        let has_hurried = std::mem::replace(&mut self.has_hurried, process::is_waiting());
        if has_hurried || !self.has_hurried {
            return;
        }
        for work in &mut self.work {
            match work {
                Room::Taken(Work::Doubt { at_ms, holder, .. }) if waits_for_us(*holder) => {
                    *at_ms = 0
                }
                _ => {}
            }
        }
    }

    /// What to wait for.
    pub fn watch(&self, watched: &mut Watched) {
        watched.clear();
        let now = sys::now_ms();
        for (at, work) in self.work.iter().map(Room::get).enumerate() {
            match work {
                None => {}
                Some(Work::Doubt { at_ms, .. }) => watched.add(at, None, Some(*at_ms)),
                Some(Work::Closing(closing, _)) => {
                    let until = closing.timeout().map(|left| now + left.as_millis() as u64);
                    let readable = closing.wants_read().then(|| closing.socket()).flatten();
                    watched.add(at, readable.map(|socket| socket.as_raw_fd()), until);
                }
            }
        }
    }

    /// Closes so many as the system does, those that have waited longest; how many there were.
    pub fn give_up_oldest(&mut self, most: u32) -> u32 {
        for given_up in 0..most {
            let oldest = (0..PLACES)
                .filter(|at| self.work[*at].get().is_some())
                .min_by_key(|at| self.since_ms[*at]);
            let Some(at) = oldest else {
                return given_up;
            };
            self.give_up(at, "given up for the program's files");
        }
        most
    }

    /// The program waits for us: not for peers that have been silent for so long.
    pub fn give_up_silent(&mut self, limit_ms: u64) {
        let now = sys::now_ms();
        for at in 0..PLACES {
            let Some(fd) = self.work[at].get().and_then(Work::half_closed) else {
                continue;
            };
            let seen = &mut self.seen[at];
            let progress = tcp::progress(fd);
            if seen.fd != fd || seen.progress != progress {
                *seen = Seen {
                    fd,
                    progress,
                    at_ms: now,
                };
            } else if now >= seen.at_ms + limit_ms {
                self.give_up(at, "silent, not waited for");
            }
        }
    }

    /// The end of the process waits for us: not for slow peers while clients wait to be accepted.
    /// A superserver that counts its processes may have as many as it allows.
    pub fn give_way(&mut self) {
        let now = sys::now_ms();
        for at in 0..PLACES {
            let Some(fd) = self.work[at].get().and_then(Work::half_closed) else {
                continue;
            };
            let pace = &mut self.pace[at];
            if pace.is_slow(fd, now) && pace.is_crowded(now, || accept_queue::has_clients(fd)) {
                self.give_up(at, "slow, and other clients wait to be accepted");
            }
        }
    }

    fn give_up(&mut self, at: usize, why: &str) {
        match self.work[at].take() {
            None => return,
            Some(Work::Doubt { fd, .. }) => own_fds::close(fd),
            Some(Work::Closing(closing, ticket)) => end(closing, ticket, why),
        }
        self.seen[at] = NOTHING_SEEN;
        park::finished(at);
    }

    /// Gives a number back to the program; the socket goes on under another, if there is one.
    pub fn vacate(&mut self, fd: c_int) {
        for at in 0..PLACES {
            let is_it = self.work[at].get().is_some_and(|work| work.number() == fd);
            if !is_it {
                continue;
            }
            let Some(work) = self.work[at].take() else {
                continue;
            };
            let moved = own_fds::duplicate(fd);
            let doubt = match work {
                Work::Doubt { arrival, .. } => Some(arrival),
                Work::Closing(closing, _) => {
                    forget_socket(closing);
                    None
                }
            };
            own_fds::close(fd);
            let again = moved.and_then(|fd| begin(Parked { fd, doubt }));
            match again {
                Some(again) => self.work[at].put(again),
                None => park::finished(at),
            }
        }
    }
}

impl Work {
    fn half_closed(&self) -> Option<c_int> {
        matches!(self, Work::Closing(..)).then(|| self.number())
    }

    fn number(&self) -> c_int {
        match self {
            Work::Doubt { fd, .. } => *fd,
            Work::Closing(closing, _) => closing.socket().map_or(-1, |socket| socket.as_raw_fd()),
        }
    }
}

fn options() -> Options {
    let ms = |ms: u32| Duration::from_millis(ms.into());
    // what could not be finished is closed by us, as the thread knows its numbers
    Options::new()
        .timeout(ms(settings::TIMEOUT_MS.load(Relaxed)))
        .idle_timeout(ms(settings::IDLE_MS.load(Relaxed)))
        .max_drain_bytes(settings::MAX_BYTES.load(Relaxed) as usize)
        .fallback(Fallback::Keep)
}

fn begin(parked: Parked) -> Option<Work> {
    if let Some(arrival) = parked.doubt {
        let work = Work::Doubt {
            fd: parked.fd,
            arrival,
            looks: 0,
            at_ms: 0,
            holder: 0,
        };
        return go_on(work, sys::now_ms());
    }
    // as a rule the peer was faster than this thread; only the log asks how it ended
    if !log::is_on() && tcp::has_ended(parked.fd) {
        own_fds::close(parked.fd);
        return None;
    }
    // while it can be asked
    let ticket = Ticket {
        mark: own_fds::mark_of(parked.fd),
        peer: log::peer(parked.fd),
    };
    match Closing::new(thread::own(parked.fd), &options()) {
        Ok(closing) => go_on(Work::Closing(closing, ticket), 0),
        Err(refused) => {
            own_fds::close(refused.into_socket().into_raw_fd());
            None
        }
    }
}

/// What is left to do of it.
fn go_on(work: Work, now: u64) -> Option<Work> {
    match work {
        Work::Doubt {
            fd, arrival, looks, ..
        } => look_up(fd, arrival, looks, now),
        // the program has put something of its own there
        Work::Closing(closing, ticket) if !ticket.mark.is_there() => {
            forget_socket(closing);
            None
        }
        Work::Closing(mut closing, ticket) => match closing.step() {
            Ok(None) => Some(Work::Closing(closing, ticket)),
            ended => {
                let outcome = ended.ok().flatten();
                end(closing, ticket, outcome.map_or("broken off", Outcome::name));
                None
            }
        },
    }
}

fn look_up(fd: c_int, arrival: Arrival, looks: usize, now: u64) -> Option<Work> {
    match scan::others_hold(fd, arrival) {
        Found::Nobody => begin(Parked { fd, doubt: None }),
        Found::OtherProcess(holder) if looks < looks_again(holder) => Some(Work::Doubt {
            fd,
            arrival,
            looks: looks + 1,
            at_ms: now + LOOK_AGAIN_MS[looks],
            holder,
        }),
        found => {
            match found {
                Found::Unknown => log::refused(fd, "others may hold it who cannot be read"),
                _ => log::left_to_others(fd),
            }
            own_fds::close(fd);
            None
        }
    }
}

/// Its end: told, and closed if it is not yet.
fn end(closing: Closing, ticket: Ticket, outcome: &str) {
    log::ended(ticket.peer, outcome, closing.report());
    match closing.into_socket() {
        Some(socket) => own_fds::close(socket.into_raw_fd()),
        None => own_fds::disown(ticket.mark),
    }
}

/// Keeps the number from being closed with it.
fn forget_socket(closing: Closing) {
    if let Some(socket) = closing.into_socket() {
        let _ = socket.into_raw_fd();
    }
}
