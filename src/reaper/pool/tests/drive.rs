//! Drives a set as the reaper does, and holds it against the rules after every
//! move.

use super::world::{Conn, SimPoller, World};
use crate::clock::{Clock, Time};
use crate::connection::{Connection, Indexed, Kind, TcpState};
use crate::machine::tests::plan::{Dice, Plan, Reader};
use crate::machine::tests::script::MS;
use crate::machine::tests::sim::{Handle, SimClock};
use crate::machine::{Brief, End, Machine};
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;
use crate::reaper::pool::{most, tick, Entry, Extras, Keep, Packed, Pool, Slot, Unpacked};
use crate::reaper::pool::{ENDED, NEVER, NONE, UNWATCHED};
use crate::sys::Counted;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How one is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Stepped and registered by its owner.
    Direct,
    /// Half-closed by its owner alone, registered on its admission.
    HalfClosed,
    /// Registered on its admission.
    Deferred,
    /// The poller could not take it.
    Unwatched,
}

/// What is known of one that waits.
struct Look {
    /// The machine has to be stepped then, whatever happens.
    by: Time,
    is_watched: bool,
}

/// A point in time that is a tick late at most.
const TICK: u64 = MS / 10;

type Entries<'w, 'p> = Vec<Entry<Conn<'w, 'p>>>;

/// A set and what must be true of it.
pub(super) struct Drive<'w, 'p, const EDGES: bool> {
    pub(super) world: &'w World<'p>,
    pub(super) poller: Counted<SimPoller<EDGES>>,
    pub(super) pool: Pool<Conn<'w, 'p>, SimPoller<EDGES>, &'p SimClock>,
    /// Brought and not admitted yet.
    pub(super) inbox: VecDeque<Packed<Conn<'w, 'p>>>,
    /// In the order of their admission.
    pub(super) inside: Vec<Conn<'w, 'p>>,
    ended: Entries<'w, 'p>,
    /// How each one ended.
    pub(super) ends: Vec<Option<End>>,
    has_done: Vec<bool>,
    told: Arc<Mutex<Vec<(usize, Outcome)>>>,
    /// The oldest or all are being ended.
    evicting: bool,
    most_inside: usize,
}

impl<'w, 'p, const EDGES: bool> Drive<'w, 'p, EDGES> {
    pub(super) fn new(world: &'w World<'p>, keeps_line: bool) -> Self {
        let poller = Counted::new(SimPoller::default()).ok().unwrap();
        Drive {
            world,
            pool: Pool::new(poller.clone(), world.clock, keeps_line),
            poller,
            inbox: VecDeque::new(),
            inside: Vec::new(),
            ended: Vec::new(),
            ends: vec![None; world.plans.len()],
            has_done: vec![false; world.plans.len()],
            told: Arc::default(),
            evicting: false,
            most_inside: 0,
        }
    }

    /// Down to the inbox, in the caller's thread.
    pub(super) fn hand_over(&mut self, id: usize, how: How, tells: bool) -> Conn<'w, 'p> {
        let conn = self.world.open(id);
        let plan = &self.world.plans[id];
        let entry = self.entry(conn, plan, tells);
        self.begin(entry, how);
        conn
    }

    pub(super) fn entry(
        &mut self,
        conn: Conn<'w, 'p>,
        plan: &Plan,
        tells: bool,
    ) -> Entry<Conn<'w, 'p>> {
        let mut extras = Extras::default();
        if tells {
            self.has_done[conn.id] = true;
            let told = Arc::clone(&self.told);
            extras.done = Some(Box::new(move |_, report| {
                told.lock().unwrap().push((conn.id, report.outcome));
            }));
        }
        if let Reader::Some { stop_at, .. } = plan.reader {
            let read = AtomicUsize::new(0);
            extras.reader = Some(Box::new(move |bytes| {
                read.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() < stop_at
            }));
        }
        let any = extras.done.is_some() || extras.reader.is_some();
        Entry {
            socket: conn,
            machine: Machine::new(&plan.options, SimClock::now(self.world.clock)),
            extras: any.then(|| Box::new(extras)),
            keep: Keep::NEW,
        }
    }

    pub(super) fn begin(&mut self, mut entry: Entry<Conn<'w, 'p>>, how: How) {
        let id = entry.socket.id;
        if how != How::Deferred {
            // As the reaper's inbox: what is no socket is refused there.
            let kind = entry.socket.classify().expect("a socket");
            entry.machine.classified(kind);
            use TcpState::{Listen, SynSent};
            match kind {
                Kind::Tcp(Listen | SynSent) | Kind::Stream | Kind::Other => {}
                Kind::Tcp(_) if how == How::HalfClosed => self.half_close(&mut entry),
                Kind::Tcp(_) => {}
            }
            let goes_on = entry.step(&self.world.clock).is_some();
            if !goes_on && !self.has_done[id] {
                self.ended.push(entry);
                return self.settle();
            }
            if !goes_on {
                self.world.release(entry.socket);
            } else if how == How::Direct {
                self.register(&mut entry);
            }
        } else if let Ok(Kind::Other) = entry.socket.classify() {
            entry.machine.classified(Kind::Other);
        }
        let packed = Unpacked::Here(entry).pack();
        self.inbox.push_back(packed.ok().expect("there is memory"));
    }

    /// The short way of the reaper, for what asks for nothing special.
    fn half_close(&self, entry: &mut Entry<Conn<'w, 'p>>) {
        let plan = &self.world.plans[entry.socket.id];
        let is_brief = plan.options.is_brief() && entry.extras.is_none();
        entry.socket.prepare(false);
        if is_brief {
            entry.socket.linger_off();
        }
        if is_brief && entry.socket.half_close().is_ok() {
            let now = SimClock::now(self.world.clock);
            entry.machine = Brief::half_closed(plan.options.timeout_ms, now).machine();
        }
    }

    fn register(&self, entry: &mut Entry<Conn<'w, 'p>>) {
        self.poller.add(entry.socket);
        self.world
            .with(entry.socket.id, |one| one.told_edges = None);
        entry.keep.set_watched(true);
    }

    /// Takes the next one from the inbox into the set.
    pub(super) fn admit(&mut self, watch_it: bool) {
        let Some(packed) = self.inbox.pop_front() else {
            return;
        };
        let mut entry = packed.unpack();
        let conn = entry.socket;
        entry.keep.set_mark(conn.mark().expect("a mark"));
        let may_watch = !entry.machine.has_ended() && entry.is_still_there();
        let is_new = watch_it && !entry.keep.is_watched() && may_watch;
        if is_new {
            self.register(&mut entry);
        }
        self.inside.push(conn);
        self.pool.admit(entry, is_new && EDGES, &mut self.ended);
        self.settle();
    }

    /// An event for this number; what the poller had to tell of it is told.
    pub(super) fn event(&mut self, number: usize) {
        let row = self.poller.rows().get(&number).copied();
        if let Some(row) = row {
            self.world
                .with(row.id, |one| one.told_edges = Some(one.sim.edges));
        }
        let expected = self.inside.iter().any(|conn| conn.number == number);
        let is_ours = self.pool.event(number, &mut self.ended);
        assert_eq!(is_ours, expected, "an event for number {number}");
        self.settle();
    }

    /// All events that the poller has to tell of.
    pub(super) fn deliver(&mut self, dice: &mut Dice, chance: u64) {
        let mut numbers: Vec<usize> = self.poller.rows().keys().copied().collect();
        while !numbers.is_empty() {
            let number = numbers.swap_remove(dice.below(numbers.len() as u64) as usize);
            if self.poller.has_event(number, self.world) && dice.percent(chance) {
                self.event(number);
            }
        }
    }

    pub(super) fn run_due(&mut self) -> bool {
        let began = self.world.clock.nanos();
        let worked = self.pool.run_due(&mut self.ended);
        let was_cut = self.ended.len() >= ENDED;
        assert!(self.ended.len() <= ENDED);
        self.settle();
        for conn in &self.inside {
            let due = tick(self.look_at(conn).by);
            let is_next = self.place_of(conn).is_next();
            let in_time = due == NEVER || due > began / TICK;
            assert!(is_next || in_time || was_cut, "run_due left one out");
        }
        worked
    }

    pub(super) fn evict_oldest(&mut self) {
        let oldest = self.inside.first().map(|conn| conn.id);
        let others = self.inside.len();
        self.evicting = true;
        self.pool.evict_oldest(&mut self.ended);
        let ended: Vec<usize> = self.ended.iter().map(|entry| entry.socket.id).collect();
        assert_eq!(ended, Vec::from_iter(oldest), "the oldest of {others}");
        self.settle();
        self.evicting = false;
    }

    pub(super) fn evict_all(&mut self) {
        self.evicting = true;
        let mut done = false;
        while !done {
            done = self.pool.evict_all(&mut self.ended);
            assert!(self.ended.len() <= ENDED);
            self.settle();
        }
        self.evicting = false;
        assert_eq!(self.pool.len(), 0);
    }

    /// Those that the set has been asked for directly.
    pub(super) fn settle_these(&mut self, ended: Entries<'w, 'p>) {
        self.ended = ended;
        self.settle();
    }

    /// Time goes on, and things happen.
    pub(super) fn reach(&self, nanos: u64) {
        self.world.clock.reach(nanos);
        self.catch_up();
    }

    fn catch_up(&self) {
        let waiting = self.inbox.iter().map(|packed| match packed {
            Packed::Brief { socket, .. } => socket.id,
            Packed::Whole(entry) => entry.socket.id,
        });
        for id in waiting.chain(self.inside.iter().map(|conn| conn.id)) {
            self.world.catch_up(id);
        }
    }

    /// When the next thing happens to one of those in the set.
    pub(super) fn next_happening(&self) -> Option<u64> {
        let next = |conn: &Conn<'_, '_>| self.world.with(conn.id, |one| one.sim.next_event());
        self.inside.iter().filter_map(next).min()
    }

    fn look_at(&self, conn: &Conn<'w, 'p>) -> Look {
        let (socket, by, has_ended, is_watched) = match &self.place_of(conn).packed {
            Packed::Brief {
                socket,
                brief,
                keep,
            } => (socket, brief.machine().wants_by(), false, keep.is_watched()),
            Packed::Whole(entry) => {
                let machine = &entry.machine;
                let by = machine.wants_by();
                (
                    &entry.socket,
                    by,
                    machine.has_ended(),
                    entry.keep.is_watched(),
                )
            }
        };
        assert_eq!(socket.id, conn.id);
        assert!(!has_ended);
        Look { by, is_watched }
    }

    fn place_of(&self, conn: &Conn<'w, 'p>) -> &Slot<Conn<'w, 'p>> {
        let slot = self.pool.by_socket[conn.number];
        assert_ne!(slot, NONE, "nobody would find it");
        self.pool.slots[slot as usize].as_ref().expect("it")
    }

    /// Judges and tells those that have ended, then looks at all others.
    fn settle(&mut self) {
        self.catch_up();
        for entry in std::mem::take(&mut self.ended) {
            let conn = entry.socket;
            let end = entry.machine.end().expect("it had ended");
            self.judge(conn, end);
            self.inside.retain(|other| other.id != conn.id);
            assert_eq!(self.ends[conn.id].replace(end), None, "ended twice");
            let expected = match end {
                End::Outcome(outcome) => outcome,
                End::Refused(_) => Outcome::Uncertain,
            };
            let before = self.told.lock().unwrap().len();
            entry.tell(&self.world.clock);
            let told = self.told.lock().unwrap().split_off(before);
            let expected = self.has_done[conn.id].then_some((conn.id, expected));
            assert_eq!(told, Vec::from_iter(expected), "told once, of itself");
        }
        self.check();
    }

    fn judge(&self, conn: Conn<'w, 'p>, end: End) {
        let plan = &self.world.plans[conn.id];
        let rows = self.poller.rows();
        assert!(
            rows.get(&conn.number).map(|row| row.id) != Some(conn.id),
            "closed and still registered"
        );
        let now = self.world.clock.nanos();
        self.world.with(conn.id, |one| {
            let sim = &one.sim;
            let End::Outcome(outcome) = end else {
                return assert_eq!(sim.handle, Handle::Gone, "refused without need");
            };
            assert_eq!(outcome == Outcome::Evicted, self.evicting, "{outcome}");
            use Outcome::{DrainLimit, Evicted, Stopped, TimedOut, Uncertain};
            let cut = [DrainLimit, Evicted, Stopped, TimedOut, Uncertain].contains(&outcome);
            let expected = match plan.options.fallback {
                Fallback::Abort if cut => Handle::Aborted,
                Fallback::Keep if cut => Handle::Open,
                _ => Handle::Closed {
                    graceful: !cut && outcome != Outcome::Delivered,
                },
            };
            let gone = sim.handle == Handle::Gone;
            // Silence proves nothing where the peer's progress is not told.
            let told = sim.setup.system.tells_backlog() && sim.seen.refusals == 0;
            let idles = plan.options.idle_timeout_ms > 0 && !told;
            // Nor does an end that the program has made itself.
            let closed =
                (idles || sim.seen.deaf) && sim.handle == Handle::Closed { graceful: false };
            let as_expected = sim.handle == expected || (closed && expected == Handle::Aborted);
            assert!(gone || as_expected, "{:?}", sim.handle);
            let doubt = outcome == Uncertain && !sim.seen.deaf;
            if outcome == TimedOut || doubt {
                let timeout = u64::from(plan.options.timeout_ms) * MS;
                let idle = u64::from(plan.options.idle_timeout_ms) * MS;
                let waited = now - sim.half_closed_at.unwrap_or(now).max(sim.read_at);
                let is_time = plan.options.timeout_ms != INFINITE && now >= one.born + timeout;
                assert!(is_time || idle > 0 && waited >= idle, "ended too early");
            }
            if outcome == Outcome::Graceful {
                let shut = sim.shut_read && !sim.seen.was_shut;
                let blind = !sim.setup.system.tells_state() && shut;
                assert!(sim.fin_in || blind, "graceful without a FIN");
                assert_eq!(sim.queue, 0, "closed with unread data");
            }
        });
        drop(rows);
        self.world.release(conn);
    }

    /// What is true at all times.
    fn check(&mut self) {
        let pool = &self.pool;
        let len = self.inside.len();
        self.most_inside = self.most_inside.max(len + 1);
        assert_eq!(pool.len(), len);
        assert!(pool.slots.len() <= self.most_inside, "slots are not reused");
        assert_eq!(pool.free.len() + len, pool.slots.len());
        assert!(pool.timers.len() <= most(len) + 1, "timers pile up");
        assert!(pool.timers.capacity() >= pool.timers.len());
        let in_line = if pool.keeps_line { most(len) + 1 } else { 0 };
        assert!(pool.line.len() <= in_line, "the line grows");
        assert!(pool.again.len() <= len);
        let due = pool.due();
        if len == 0 {
            assert_eq!(due, Time::NEVER, "nobody is there");
        }
        for conn in &self.inside {
            self.check_due(conn, due);
        }
    }

    /// It is not slept too long for this one.
    fn check_due(&self, conn: &Conn<'w, 'p>, due: Time) {
        let look = self.look_at(conn);
        let due = due.nanos();
        let by = look.by.nanos();
        assert!(due <= by.saturating_add(TICK), "sleeps past a deadline");
        let row = self.poller.rows().get(&conn.number).copied();
        let tells_something = self.poller.has_event(conn.number, self.world);
        self.world.with(conn.id, |one| {
            if !look.is_watched {
                let by = one.looked + UNWATCHED.as_nanos() as u64 + TICK;
                assert!(due <= by, "nobody looks at it");
            } else if EDGES {
                // Whatever makes a step worth while has an event to come.
                let sim = &one.sim;
                let unread = sim.queue > 0 || sim.flood;
                let over = sim.complete_at.is_some() || sim.death.is_some();
                let news = sim.handle == Handle::Open && (unread || over);
                assert!(!news || tells_something || due == 0, "news forgotten");
            } else if !row.is_some_and(|row| row.is_watched) {
                let by = one.looked + 50 * MS + TICK;
                assert!(due <= by, "nobody looks for changes");
            }
        });
    }
}
