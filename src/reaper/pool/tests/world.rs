//! Many simulated connections on one clock, their numbers, and a poller.

use crate::clock::{Clock, Time};
use crate::connection::{
    Answer, Backlog, Connection, Fault, Indexed, Kind, Mark, Received, Sharing, TcpState,
    Unanswered, Watcher,
};
use crate::machine::tests::plan::Plan;
use crate::machine::tests::sim::{Handle, Sim, SimClock};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem::replace;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// The clock, shared by all.
impl Clock for &SimClock {
    fn now(&self) -> Time {
        SimClock::now(self)
    }
}

/// Everything that is simulated.
pub(super) struct World<'p> {
    pub(super) clock: &'p SimClock,
    pub(super) plans: &'p [Plan],
    ones: Vec<RefCell<Option<One<'p>>>>,
    /// The lowest number that is free is given out next, as POSIX wants it.
    taken: RefCell<Vec<bool>>,
    /// Whose connection has the number now, where that is not the one it was given out for.
    others: RefCell<BTreeMap<usize, usize>>,
    /// A reader of the program has closed what it reads from.
    pub(super) closed_by_reader: Arc<AtomicBool>,
    /// How often it was asked what tells one from others.
    pub(super) marks: Cell<u32>,
}

/// One connection that has been handed over.
pub(super) struct One<'p> {
    pub(super) sim: Sim<'p>,
    pub(super) born: u64,
    /// When the machine last asked something of it.
    pub(super) looked: u64,
    /// Edges that the poller has told of; `None`: it has been registered since.
    pub(super) told_edges: Option<u32>,
    is_released: bool,
}

impl<'p> World<'p> {
    pub(super) fn new(clock: &'p SimClock, plans: &'p [Plan]) -> World<'p> {
        World {
            clock,
            plans,
            ones: plans.iter().map(|_| RefCell::new(None)).collect(),
            taken: RefCell::new(vec![true; 3]),
            others: RefCell::default(),
            closed_by_reader: Arc::default(),
            marks: Cell::new(0),
        }
    }

    /// The program makes the connection with this plan.
    pub(super) fn open(&self, id: usize) -> Conn<'_, 'p> {
        let plan = &self.plans[id];
        let now = self.clock.nanos();
        let mut sim = Sim::new(&plan.setup, self.clock);
        sim.seen.may_read_first = plan.options.peer_first_ms > 0;
        sim.seen.alarm = u64::MAX;
        let one = One {
            sim,
            born: now,
            looked: now,
            told_edges: None,
            is_released: false,
        };
        assert!(self.ones[id].replace(Some(one)).is_none(), "opened twice");
        let mut taken = self.taken.borrow_mut();
        let number = taken.iter().position(|taken| !taken);
        let number = number.unwrap_or_else(|| {
            taken.push(false);
            taken.len() - 1
        });
        taken[number] = true;
        Conn {
            world: self,
            id,
            number,
        }
    }

    /// Its number may be given out again, if it was closed.
    pub(super) fn release(&self, conn: Conn<'_, 'p>) {
        let is_closed = self.with(conn.id, |one| one.sim.handle != Handle::Open);
        if is_closed && !self.with(conn.id, |one| replace(&mut one.is_released, true)) {
            self.taken.borrow_mut()[conn.number] = false;
        }
    }

    /// The program has closed a connection behind the library's back, and its number is that
    /// of another one now.
    pub(super) fn give_number(&self, number: usize, id: usize) {
        self.others.borrow_mut().insert(number, id);
    }

    fn is_anothers(&self, conn: &Conn<'_, '_>) -> bool {
        let others = self.others.borrow();
        others.get(&conn.number).is_some_and(|&id| id != conn.id)
    }

    pub(super) fn with<R>(&self, id: usize, look: impl FnOnce(&mut One<'p>) -> R) -> R {
        look(self.ones[id].borrow_mut().as_mut().expect("handed over"))
    }

    /// Lets happen what is due to it by now.
    pub(super) fn catch_up(&self, id: usize) {
        self.with(id, |one| one.sim.catch_up());
    }
}

/// What the set holds instead of a socket.
#[derive(Clone, Copy)]
pub(super) struct Conn<'w, 'p> {
    world: &'w World<'p>,
    pub(super) id: usize,
    pub(super) number: usize,
}

impl<'p> Conn<'_, 'p> {
    fn ask<R>(&self, question: impl FnOnce(&mut Sim<'p>) -> R) -> R {
        let is_anothers = self.world.is_anothers(self);
        assert!(
            !is_anothers,
            "touched what has the number of {} now",
            self.id
        );
        self.world.with(self.id, |one| {
            let answer = question(&mut one.sim);
            one.looked = self.world.clock.nanos();
            answer
        })
    }

    /// The same connection under the number of another.
    pub(super) fn with_number(self, number: usize) -> Self {
        Conn { number, ..self }
    }
}

impl Indexed for Conn<'_, '_> {
    fn index(&self) -> usize {
        self.number
    }

    fn mark(&self) -> Option<Mark> {
        self.world.marks.set(self.world.marks.get() + 1);
        Some(Mark::of(self.id as u64 + 1))
    }

    fn is_still(&self, mark: Mark) -> bool {
        assert_eq!(self.mark(), Some(mark));
        let is_open = self
            .world
            .with(self.id, |one| one.sim.handle == Handle::Open);
        let is_closed = self.world.closed_by_reader.load(Ordering::Relaxed);
        is_open && !is_closed && !self.world.is_anothers(self)
    }
}

impl Connection for Conn<'_, '_> {
    fn classify(&mut self) -> Result<Kind, Fault> {
        self.ask(|sim| sim.classify())
    }

    fn sharing(&mut self, until: Time) -> Sharing {
        self.ask(|sim| sim.sharing(until))
    }

    fn is_connected(&mut self) -> bool {
        self.ask(|sim| sim.is_connected())
    }

    fn prepare(&mut self, keeps_selection: bool) {
        self.ask(|sim| sim.prepare(keeps_selection));
    }

    fn linger_off(&mut self) {
        self.ask(|sim| sim.linger_off());
    }

    fn half_close(&mut self) -> Result<(), Fault> {
        self.ask(|sim| sim.half_close())
    }

    fn discard(&mut self, most: usize) -> Received {
        self.ask(|sim| sim.discard(most))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.ask(|sim| sim.receive(buffer))
    }

    fn tcp_state(&mut self) -> Answer<TcpState> {
        self.ask(|sim| sim.tcp_state())
    }

    fn in_flight(&mut self) -> Answer<usize> {
        self.ask(|sim| sim.in_flight())
    }

    fn backlog(&mut self) -> Answer<Backlog> {
        self.ask(|sim| sim.backlog())
    }

    fn pending_error(&mut self) -> Answer<Fault> {
        self.ask(|sim| sim.pending_error())
    }

    fn was_alive(&mut self) -> Option<bool> {
        self.ask(|sim| sim.was_alive())
    }

    fn fin_arrived(&mut self) -> Answer<bool> {
        self.ask(|sim| sim.fin_arrived())
    }

    fn is_shut(&mut self) -> bool {
        self.ask(|sim| sim.is_shut())
    }

    fn fin_was_acknowledged(&mut self) -> bool {
        self.ask(|sim| sim.fin_was_acknowledged())
    }

    fn keep_alive(&mut self, on: bool) -> bool {
        self.ask(|sim| sim.keep_alive(on))
    }

    fn unanswered(&mut self) -> Answer<Unanswered> {
        self.ask(|sim| sim.unanswered())
    }

    fn low_water(&mut self, raised: bool) -> bool {
        self.ask(|sim| sim.low_water(raised))
    }

    fn wake_blocked(&mut self) -> Result<(), Fault> {
        self.ask(|sim| sim.wake_blocked())
    }

    fn close(&mut self, graceful: bool) -> Result<(), Fault> {
        self.ask(|sim| sim.close(graceful))
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.ask(|sim| sim.reset())
    }

    fn abort(&mut self) -> Result<(), Fault> {
        self.ask(|sim| sim.abort())
    }
}

/// Epoll, edge-triggered, or a table for poll().
#[derive(Default)]
pub(super) struct SimPoller<const EDGES: bool> {
    rows: Mutex<BTreeMap<usize, Row>>,
}

/// What is registered under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: usize,
    pub(super) is_watched: bool,
}

impl<const EDGES: bool> SimPoller<EDGES> {
    pub(super) fn rows(&self) -> MutexGuard<'_, BTreeMap<usize, Row>> {
        self.rows.lock().expect("nobody panics in here")
    }

    pub(super) fn add(&self, conn: Conn<'_, '_>) {
        let row = Row {
            id: conn.id,
            is_watched: true,
        };
        let before = self.rows().insert(conn.number, row);
        assert_eq!(before, None, "a closed one is still registered");
    }

    /// The number of the event and its connection, if the poller has something
    /// to tell of it.
    pub(super) fn has_event(&self, number: usize, world: &World<'_>) -> bool {
        let Some(row) = self.rows().get(&number).copied() else {
            return false;
        };
        world.with(row.id, |one| match one.told_edges {
            _ if !EDGES => row.is_watched && one.sim.readable(),
            Some(told) => told != one.sim.edges,
            None => one.sim.readable(),
        })
    }
}

impl<'w, 'p, const EDGES: bool> Watcher<Conn<'w, 'p>> for SimPoller<EDGES> {
    const TELLS_EDGES: bool = EDGES;

    fn watch(&self, conn: Conn<'w, 'p>, readable: bool) {
        if let Some(row) = self.rows().get_mut(&conn.number) {
            if row.id == conn.id {
                row.is_watched = readable;
            }
        }
    }

    fn remove(&self, conn: Conn<'w, 'p>) {
        let removed = self.rows().remove(&conn.number).map(|row| row.id);
        assert_eq!(removed, Some(conn.id), "whose registration was that?");
    }
}
