//! The rules, one by one.

use super::drive::{Drive, How};
use super::world::{Conn, World};
use crate::clock::Time;
use crate::connection::{Fault, FaultKind};
use crate::machine::tests::plan::{Dice, Plan};
use crate::machine::tests::script::{Act, System, MS, START};
use crate::machine::tests::sim::{Handle, SimClock};
use crate::machine::End;
use crate::options::{Fallback, INFINITE};
use crate::outcome::Outcome;
use crate::reaper::pool::ENDED;

pub(super) fn play<const EDGES: bool>(
    plans: &[Plan],
    keeps_line: bool,
    go: impl FnOnce(&mut Drive<'_, '_, EDGES>),
) {
    let clock = SimClock::new();
    let world = World::new(&clock, plans);
    go(&mut Drive::new(&world, keeps_line));
}

/// Ends when its peer does, so many milliseconds after the hand-over.
pub(super) fn ends_at(ms: u64) -> Plan {
    Plan::new().before(Act::AckAll).at(ms, Act::Fin)
}

/// What one step reads at most.
const PASS_BYTES: usize = 1 << 20;

pub(super) fn ended(outcome: Outcome) -> Option<End> {
    Some(End::Outcome(outcome))
}

fn all_events<const EDGES: bool>(drive: &mut Drive<'_, '_, EDGES>) {
    drive.deliver(&mut Dice::new(1), 100);
}

impl<const EDGES: bool> Drive<'_, '_, EDGES> {
    /// Handed over and admitted at once.
    pub(super) fn take_in(&mut self, ids: std::ops::Range<usize>) {
        for id in ids {
            self.hand_over(id, How::Direct, true);
            self.admit(false);
        }
    }
}

#[test]
fn with_nobody_there_nothing_is_due() {
    let plans = [ends_at(5), ends_at(5), ends_at(6)];
    play::<true>(&plans, true, |drive| {
        assert_eq!(drive.pool.due(), Time::NEVER);
        drive.take_in(0..3);
        assert!(drive.pool.due() < Time::NEVER);
        drive.reach(START + 7 * MS);
        all_events(drive);
        assert_eq!(drive.pool.len(), 0);
        assert_eq!(drive.pool.due(), Time::NEVER);
        drive.reach(START + 60_000 * MS);
        assert!(!drive.run_due());
    });
}

#[test]
fn an_ended_one_is_told_and_disturbs_nobody_with_its_number() {
    let plans = [ends_at(0), ends_at(5)];
    play::<false>(&plans, false, |drive| {
        let first = drive.hand_over(0, How::Direct, true);
        let second = drive.hand_over(1, How::Direct, true);
        assert_eq!(first.number, second.number);
        drive.admit(true);
        assert_eq!(drive.ends[0], ended(Outcome::Graceful));
        drive.admit(true);
        assert_eq!(drive.poller.rows().len(), 1);
        drive.reach(START + 5 * MS);
        all_events(drive);
        assert_eq!(drive.ends[1], ended(Outcome::Graceful));
    });
}

#[test]
fn the_oldest_goes_first_whoever_has_left_the_line() {
    let plan = |id| match id % 10 {
        0 => Plan::new().timeout(INFINITE),
        _ => ends_at(1),
    };
    // One of ten stays; after each step all are looked at, so a few under Miri.
    const STAY: usize = if cfg!(miri) { 5 } else { 50 };
    let (first, second, all) = (6 * STAY, 8 * STAY, 10 * STAY);
    let plans: Vec<Plan> = (0..all).map(plan).collect();
    play::<true>(&plans, true, |drive| {
        drive.take_in(0..first);
        drive.evict_oldest();
        drive.reach(START + MS);
        all_events(drive);
        assert_eq!(drive.pool.len(), first / 10 - 1);
        drive.take_in(first..second);
        drive.evict_oldest();
        drive.reach(START + 2 * MS);
        all_events(drive);
        drive.take_in(second..all);
        while drive.pool.len() > 0 {
            drive.evict_oldest();
        }
        drive.evict_oldest();
        assert_eq!(drive.ends[all - 10], ended(Outcome::Evicted));
        assert_eq!(drive.ends[all - 9], ended(Outcome::Evicted));
    });
}

#[test]
fn all_are_ended_by_their_fallback_and_once() {
    let plans = [
        Plan::new(),
        Plan::new().fallback(Fallback::Abort),
        Plan::new().fallback(Fallback::Keep),
        Plan::new().before(Act::Send(8 << 20)),
        ends_at(7),
    ];
    play::<false>(&plans, false, |drive| {
        drive.take_in(0..4);
        assert_eq!(drive.pool.due().nanos(), 0);
        drive.evict_all();
        assert_eq!(drive.ends[..4], [ended(Outcome::Evicted); 4]);
        assert_eq!(drive.pool.due(), Time::NEVER);
        assert!(!drive.run_due());
        drive.take_in(4..5);
        drive.reach(START + 7 * MS);
        all_events(drive);
        assert_eq!(drive.ends[4], ended(Outcome::Graceful));
    });
}

#[test]
fn an_idle_time_put_off_again_and_again_costs_no_timers() {
    let plan = Plan::new().timeout(INFINITE).idle(10);
    let plans = [plan.at(1, Act::Drip(1, 1000, MS))];
    play::<true>(&plans, false, |drive| {
        drive.take_in(0..1);
        for ms in 1..=1000 {
            drive.reach(START + ms * MS);
            all_events(drive);
            drive.run_due();
            assert!(drive.pool.timers.len() <= 1);
        }
        while drive.ends[0].is_none() {
            drive.reach(drive.pool.due().nanos());
            drive.run_due();
        }
        assert_eq!(drive.ends[0], ended(Outcome::TimedOut));
        let late = drive.world.clock.nanos() - (START + 1010 * MS);
        assert!(late <= MS / 10, "late by {late}");
    });
}

#[test]
fn a_flooding_peer_gets_one_pass_a_round() {
    let plans = [Plan::new().before(Act::Send(9 << 20)), ends_at(3)];
    play::<true>(&plans, false, |drive| {
        let conn = drive.hand_over(0, How::Direct, true);
        drive.admit(false);
        drive.take_in(1..2);
        let bytes = |drive: &Drive<'_, '_, true>| drive.world.with(0, |one| one.sim.seen.bytes);
        for round in 2..9 {
            assert_eq!(drive.pool.due().nanos(), 0);
            assert_eq!(bytes(drive), round * PASS_BYTES);
            drive.event(conn.number);
            drive.event(conn.number);
            assert_eq!(bytes(drive), round * PASS_BYTES);
            assert!(drive.run_due());
        }
        // The last pass was full, so one more look was due.
        assert!(drive.run_due());
        assert!(drive.pool.due().nanos() > START);
        assert!(!drive.run_due());
    });
}

#[test]
fn one_that_ends_in_the_middle_of_its_passes_is_not_stepped_again() {
    let plans = [Plan::new().before(Act::Send(9 << 20)), ends_at(3)];
    play::<true>(&plans, true, |drive| {
        drive.take_in(0..1);
        drive.evict_oldest();
        assert_eq!(drive.pool.due(), Time::NEVER);
        drive.take_in(1..2);
        assert!(!drive.run_due(), "the slot is another one's now");
    });
}

#[test]
fn timers_of_those_gone_end_nobody() {
    let plans = [
        ends_at(10).timeout(50),
        Plan::new().timeout(INFINITE),
        Plan::new().timeout(1000),
    ];
    play::<true>(&plans, false, |drive| {
        drive.take_in(0..2);
        drive.reach(START + 10 * MS);
        all_events(drive);
        drive.take_in(2..3);
        assert_eq!(drive.pool.slots.len(), 2);
        drive.reach(START + 60 * MS);
        assert!(!drive.run_due());
        drive.reach(START + 1010 * MS - 1);
        assert!(!drive.run_due());
        assert_eq!(drive.ends[2], None);
        drive.reach(drive.pool.due().nanos());
        drive.run_due();
        assert_eq!(drive.ends[2], ended(Outcome::TimedOut));
    });
}

#[test]
fn events_of_those_gone_and_of_nobody_end_nobody() {
    let plans = [ends_at(1), ends_at(9)];
    play::<true>(&plans, false, |drive| {
        let first = drive.hand_over(0, How::Direct, true);
        drive.admit(false);
        drive.reach(START + MS);
        drive.event(first.number);
        drive.event(first.number);
        let second = drive.hand_over(1, How::Direct, true);
        assert_eq!(first.number, second.number);
        drive.event(first.number);
        drive.admit(false);
        drive.event(first.number);
        for number in [0, 15, 16, 17, usize::MAX] {
            drive.event(number);
        }
        assert_eq!(drive.ends[1], None);
        drive.reach(START + 10 * MS);
        drive.event(second.number);
        assert_eq!(drive.ends[1], ended(Outcome::Graceful));
    });
}

#[test]
fn never_early_and_a_tick_late_at_most() {
    for offset in [0, 1, 33_333, 99_999] {
        play::<true>(&[Plan::new().timeout(7)], false, |drive| {
            drive.reach(START + offset);
            drive.take_in(0..1);
            let due = drive.pool.due().nanos();
            let deadline = START + offset + 7 * MS;
            assert!(due >= deadline && due <= deadline + MS / 10);
            drive.reach(due - 1);
            assert!(!drive.run_due());
            drive.reach(due);
            assert!(drive.run_due());
            assert_eq!(drive.ends[0], ended(Outcome::TimedOut));
        });
    }
}

#[test]
fn without_edges_a_change_is_looked_for() {
    let plan = Plan::new().unsent(10).at(5, Act::Fin).at(40, Act::AckAll);
    play::<false>(&[plan.on(System::Linux)], false, |drive| {
        drive.take_in(0..1);
        drive.reach(START + 5 * MS);
        all_events(drive);
        let is_watched = drive.poller.rows().values().any(|row| row.is_watched);
        assert!(!is_watched, "it is readable all the time");
        let mut looks = 0;
        while drive.ends[0].is_none() {
            looks += 1;
            drive.reach(drive.pool.due().nanos());
            drive.run_due();
        }
        assert_eq!(drive.ends[0], ended(Outcome::Graceful));
        assert!(looks <= 8, "looked {looks} times");
        assert!(drive.world.clock.nanos() < START + 80 * MS);
    });
}

#[test]
fn one_closed_behind_our_back_is_told_as_uncertain() {
    let plans = [Plan::new().timeout(20).at(1, Act::CloseElsewhere)];
    play::<true>(&plans, false, |drive| {
        let conn = drive.hand_over(0, How::Direct, true);
        drive.admit(false);
        drive.reach(START + MS);
        drive.event(conn.number);
        let refused =
            |end| matches!(end, Some(End::Refused(fault)) if fault.kind == FaultKind::NotASocket);
        assert!(refused(drive.ends[0]));
    });
}

/// The program has closed one that it had handed over, and another connection has the number:
/// the simulation fails at whatever is done with that (`Conn::ask`).
#[test]
fn a_number_that_is_another_ones_is_left_alone() {
    let plans: Vec<Plan> = (0..5).map(|id| Plan::new().timeout(10 + id)).collect();
    play::<true>(&plans, true, |drive| {
        let numbers: Vec<_> = (0..5)
            .map(|id| {
                let conn = drive.hand_over(id, How::Direct, true);
                drive.admit(true);
                conn.number
            })
            .collect();
        for (id, number) in numbers.iter().copied().enumerate() {
            drive.world.with(id, |one| one.sim.handle = Handle::Gone);
            drive.world.give_number(number, 99);
        }
        // By an event, by its time, by an eviction, and with all others.
        drive.event(numbers[1]);
        drive.reach(START + 11 * MS);
        drive.run_due();
        let mut ended = Vec::new();
        drive.pool.evict_oldest(&mut ended);
        assert_eq!(drive.pool.len(), 2, "one by each");
        assert!(ended
            .iter()
            .all(|entry| entry.refusal() == Some(Fault::GONE)));
        drive.poller.rows().clear();
        drive
            .pool
            .register_anew(0, |_| panic!("registered"), &mut ended);
        assert_eq!(drive.pool.len(), 0);
        drive.settle_these(ended);
        let refused = |end: &Option<End>| *end == Some(End::Refused(Fault::GONE));
        assert!(drive.ends.iter().all(refused), "{:?}", drive.ends);
    });
}

#[test]
fn what_is_registered_anew_is_stepped_for_what_was_missed() {
    let plans = [ends_at(5), Plan::new()];
    play::<true>(&plans, false, |drive| {
        for id in 0..2 {
            drive.hand_over(id, How::Direct, false);
            drive.admit(true);
        }
        // The poller is lost, and with it the event.
        drive.reach(START + 6 * MS);
        drive.poller.rows().clear();
        let mut ended = Vec::new();
        let poller = drive.poller.clone();
        let add = |conn: Conn<'_, '_>| {
            let takes_it = conn.id == 1;
            if takes_it {
                poller.add(conn);
            }
            takes_it
        };
        assert_eq!(drive.pool.register_anew(0, add, &mut ended), None);
        assert_eq!(ended.len(), 1, "the first is over");
        assert_eq!(drive.pool.len(), 1);
        drive.settle_these(ended);
    });
}

#[test]
fn so_many_due_at_one_instant_are_ended_in_portions() {
    let count = 3 * ENDED + 5;
    let plans: Vec<Plan> = (0..count).map(|_| Plan::new().timeout(10)).collect();
    play::<true>(&plans, false, |drive| {
        drive.take_in(0..count);
        drive.reach(START + 11 * MS);
        for left in [2 * ENDED + 5, ENDED + 5, 5, 0] {
            assert!(drive.pool.due().nanos() <= drive.world.clock.nanos());
            assert!(drive.run_due());
            assert_eq!(drive.pool.len(), left);
        }
        assert!(!drive.run_due());
    });
}

#[test]
fn what_asks_for_little_is_kept_in_brief_and_the_others_are_not() {
    let idle = Plan::new().idle(30);
    play::<true>(&[Plan::new(), idle, Plan::new()], false, |drive| {
        for (id, tells) in [(0, false), (1, false), (2, true)] {
            drive.hand_over(id, How::Direct, tells);
            drive.admit(false);
        }
        let kept = |slot: usize| {
            let slot = drive.pool.slots[slot].as_ref().expect("it");
            slot.packed.whole().is_none()
        };
        assert_eq!([kept(0), kept(1), kept(2)], [true, false, false]);
    });
}
