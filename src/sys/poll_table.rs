//! Waiting for many where the system has no edges to offer: one table of
//! sockets, handed to poll or WSAPoll as a whole.
//!
//! That costs time in proportion to the table, so the waits are spaced by what
//! the last one took ([`Poller::pace`]).

use super::counted::Counted;
use super::system::{poll_many, Bell, PollEntry};
use super::system::{LastError, Socket};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Fault, FaultKind, Indexed, Watcher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No place in the table.
const NONE: u32 = u32::MAX;

/// Any thread may add sockets and ring; one waits.
pub(crate) struct Poller {
    bell: Mutex<Counted<Bell>>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// Where the socket with this index stands.
    places: Vec<u32>,
    /// What is handed to the system, kept for its memory.
    entries: Vec<PollEntry>,
    took: Duration,
}

#[derive(Clone, Copy)]
struct Row {
    socket: Socket,
    is_watched: bool,
    /// Its number belonged to another one, which is closed and will be removed
    /// once more.
    is_renewed: bool,
}

const NO_MEMORY: Fault = Fault {
    kind: FaultKind::Other,
    code: LastError::RESOURCES,
};

impl Poller {
    pub(crate) fn new() -> Result<Poller, Fault> {
        let mut table = Table::default();
        // For the bell.
        table.entries.try_reserve(1).map_err(|_| NO_MEMORY)?;
        let bell = Counted::new(Bell::new()?).map_err(|_| NO_MEMORY)?;
        Ok(Poller {
            bell: Mutex::new(bell),
            table: Mutex::new(table),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the socket's events reported by its number from the next wait on. `false`: what is there already need
    /// not be among them.
    pub(crate) fn add(&self, socket: Socket) -> Result<bool, ()> {
        let mut table = self.lock();
        let index = socket.index();
        table.rows.try_reserve(1).map_err(drop)?;
        // The bell takes the first entry.
        let wanted = table.rows.len() + 2;
        table.entries.try_reserve(wanted).map_err(drop)?;
        if table.places.len() <= index {
            let more = index + 1 - table.places.len();
            table.places.try_reserve(more).map_err(drop)?;
            table.places.resize(index + 1, NONE);
        }
        if let Some(place) = table.place(socket) {
            table.rows[place] = Row {
                socket,
                is_watched: true,
                is_renewed: true,
            };
            return Ok(false);
        }
        table.places[index] = table.rows.len() as u32;
        table.rows.push(Row {
            socket,
            is_watched: true,
            is_renewed: false,
        });
        Ok(false)
    }

    /// Ends the other thread's wait or nap.
    pub(crate) fn ring(&self) {
        self.bell().ring();
    }

    /// Waits for events, at most until then, and gives the numbers of their
    /// sockets. `false`: the program has closed what is ours.
    pub(crate) fn wait(&self, until: Time, mut each: impl FnMut(usize)) -> bool {
        if !self.bell().is_ours() {
            return false;
        }
        let bell = self.bell();
        let mut entries = {
            let mut table = self.lock();
            let mut entries = std::mem::take(&mut table.entries);
            entries.clear();
            entries.push(PollEntry::readable(bell.socket()));
            let watched = table.rows.iter().filter(|row| row.is_watched);
            entries.extend(watched.map(|row| PollEntry::readable(row.socket)));
            entries
        };
        let began = SystemClock.now();
        // A failed wait must not spin.
        if !poll_many(&mut entries, until) {
            self.nap(until.min(began.plus_millis(10)));
        }
        let is_scan = until <= began;
        let took = SystemClock.now().since(began);
        if entries[0].has_event() {
            bell.silence();
        }
        for entry in entries[1..].iter().filter(|entry| entry.has_event()) {
            each(entry.socket().index());
        }
        let mut table = self.lock();
        // What came in meanwhile has room in the other one.
        if entries.capacity() >= table.entries.capacity() {
            table.entries = entries;
        }
        if is_scan {
            table.took = took;
        }
        true
    }

    /// Makes a new bell in the place of a lost one.
    pub(crate) fn renew(&self) -> Result<(), Fault> {
        let bell = Counted::new(Bell::new()?).map_err(|_| NO_MEMORY)?;
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = bell;
        Ok(())
    }

    fn bell(&self) -> Counted<Bell> {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        bell.clone()
    }

    /// How long to let events gather before the next look.
    pub(crate) fn pace(&self, at_least: Duration) -> Duration {
        let took = self.lock().took;
        at_least
            .max(took.saturating_mul(3))
            .min(Duration::from_millis(100))
    }

    /// Sleeps until then; only the bell ends it sooner.
    pub(crate) fn nap(&self, until: Time) {
        let bell = self.bell();
        let mut entry = [PollEntry::readable(bell.socket())];
        if !poll_many(&mut entry, until) {
            let left = until.since(SystemClock.now());
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
        if entry[0].has_event() {
            bell.silence();
        }
    }
}

impl Watcher<Socket> for Poller {
    /// The table knows what can be read now, not what has changed.
    const TELLS_EDGES: bool = false;

    fn watch(&self, socket: Socket, readable: bool) {
        let mut table = self.lock();
        if let Some(place) = table.place(socket) {
            table.rows[place].is_watched = readable;
        }
    }

    fn remove(&self, socket: Socket) {
        let mut table = self.lock();
        let Some(place) = table.place(socket) else {
            return;
        };
        if std::mem::take(&mut table.rows[place].is_renewed) {
            return;
        }
        table.places[socket.index()] = NONE;
        table.rows.swap_remove(place);
        if let Some(&Row { socket: moved, .. }) = table.rows.get(place) {
            table.places[moved.index()] = place as u32;
        }
    }
}

impl Table {
    fn place(&self, socket: Socket) -> Option<usize> {
        match self.places.get(socket.index()) {
            Some(&place) if place != NONE => Some(place as usize),
            _ => None,
        }
    }
}
