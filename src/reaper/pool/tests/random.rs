//! Random schedules: hand-overs of all kinds, events in any order, late, for
//! nothing or for nobody, recycled numbers, jumps of time, evictions.
//!
//! A failure prints the seed and the number of the schedule; with these in
//! `GC_SIM_SEED` and `GC_SIM_CASE` the same schedule runs again, alone.

use super::drive::{Drive, How};
use super::world::World;
use crate::clock::Time;
use crate::machine::tests::plan::{Dice, Plan, Reader};
use crate::machine::tests::script::{Act, Life, System, When, MS};
use crate::machine::tests::sim::SimClock;
use crate::machine::End;
use crate::options::{Fallback, INFINITE};
use std::time::{SystemTime, UNIX_EPOCH};

/// In each of the two tests below; they run in parallel.
/// Miri interprets each instruction: a few there (`scripts/checkers miri`).
const CASES: u64 = if cfg!(miri) { 10 } else { 3000 };

/// The same schedules in every run.
#[test]
fn random_sets_with_a_fixed_seed() {
    check_cases(0x6763_2D73_6574);
}

/// Other schedules in every run.
#[test]
fn random_sets_with_a_new_seed() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = since.map_or(0, |since| since.as_nanos() as u64);
    check_cases(number_from("GC_SIM_SEED").unwrap_or(time));
}

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn check_cases(seed: u64) {
    if let Some(case) = number_from("GC_SIM_CASE") {
        return check_case(seed, case, &mut [0; 11]);
    }
    let mut ends = [0u64; 11];
    for case in 0..CASES {
        check_case(seed, case, &mut ends);
    }
    println!("seed {seed}: {ends:?}, the last are refused");
    // A generator that never gets somewhere proves nothing about it. A few reach less.
    if cfg!(miri) {
        return;
    }
    // There is no sharing here.
    for (outcome, &count) in ends.iter().enumerate().filter(|&(at, _)| at != 9) {
        assert!(count > CASES / 100, "outcome {outcome} only {count} times");
    }
}

/// A fuzzer's bytes make sets of any size.
#[test]
fn sets_made_of_bytes() {
    for first in (0..=255u8).step_by(if cfg!(miri) { 60 } else { 1 }) {
        let bytes: Vec<u8> = (0..first).map(|at| first ^ at.wrapping_mul(37)).collect();
        check_bytes(&bytes);
    }
}

/// Prints how to run the schedule again, should it fail.
struct Replay {
    seed: u64,
    case: u64,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "again with GC_SIM_SEED={} GC_SIM_CASE={}",
                self.seed, self.case
            );
            println!("(the test random_sets_with_a_new_seed takes them)");
        }
    }
}

fn check_case(seed: u64, case: u64, ends: &mut [u64; 11]) {
    let _replay = Replay { seed, case };
    let mut dice = Dice::new(seed ^ case.wrapping_mul(0xD134_2543_DE82_EF95));
    check_set(&mut dice, ends);
}

/// The schedule that these bytes make: `fuzz/fuzz_targets/pool.rs`.
pub(crate) fn check_bytes(bytes: &[u8]) {
    check_set(&mut Dice::of(bytes), &mut [0; 11]);
}

fn check_set(dice: &mut Dice, ends: &mut [u64; 11]) {
    let by_edges = dice.percent(50);
    let count = 1 + dice.below(40) as usize;
    let plans: Vec<Plan> = (0..count).map(|_| random_plan(dice, by_edges)).collect();
    let clock = SimClock::new();
    let world = World::new(&clock, &plans);
    let all = match by_edges {
        true => check_world::<true>(&world, dice),
        false => check_world::<false>(&world, dice),
    };
    for end in all {
        match end.expect("every one ends") {
            End::Outcome(outcome) => ends[outcome as usize] += 1,
            End::Refused(_) => ends[10] += 1,
        }
    }
}

fn check_world<const EDGES: bool>(world: &World<'_>, dice: &mut Dice) -> Vec<Option<End>> {
    let keeps_line = dice.percent(70);
    let mut drive = Drive::<EDGES>::new(world, keeps_line);
    let busy = 1 + dice.below(12) as usize;
    let mut moves = 0;
    let mut next = 0;
    while next < world.plans.len() || !drive.inside.is_empty() || !drive.inbox.is_empty() {
        moves += 1;
        assert!(moves < 100_000, "it does not come to an end");
        let room = drive.inside.len() + drive.inbox.len() < busy;
        match dice.below(20) {
            0..=4 if next < world.plans.len() && room => {
                let how = dice.pick(&[
                    How::Direct,
                    How::Direct,
                    How::HalfClosed,
                    How::Deferred,
                    How::Unwatched,
                ]);
                drive.hand_over(next, how, dice.percent(50));
                next += 1;
            }
            5..=8 => drive.admit(dice.percent(80)),
            9..=11 => drive.deliver(dice, 60),
            // For nothing, or for nobody.
            12 => {
                drive.event(dice.pick(&[0, 3, 4, 5, 7, 9, 14, 15, 16, 99, 1 << (usize::BITS - 24)]))
            }
            13 if keeps_line && dice.percent(20) => drive.evict_oldest(),
            14 if dice.percent(3) => drive.evict_all(),
            _ => pass_time(&mut drive, dice),
        }
    }
    drive.ends
}

/// To the next moment of interest, beside it, or far beyond.
fn pass_time<const EDGES: bool>(drive: &mut Drive<'_, '_, EDGES>, dice: &mut Dice) {
    let now = drive.world.clock.nanos();
    let due = drive.pool.due();
    let nap = now + dice.below(2 * MS);
    let to = match dice.below(10) {
        0..=3 if due != Time::NEVER => due.nanos().max(now),
        4 if due != Time::NEVER => due.nanos().saturating_sub(1).max(now),
        5..=7 => drive.next_happening().unwrap_or(nap),
        8 if dice.percent(20) => now + dice.below(300 * MS),
        _ => nap,
    };
    drive.reach(to);
    if dice.percent(50) {
        drive.deliver(dice, 90);
    }
    let early = drive.world.clock.nanos() / (MS / 10) < drive.pool.due().nanos() / (MS / 10);
    let worked = drive.run_due();
    assert!(!early || !worked, "due sooner than it says");
}

fn random_plan(dice: &mut Dice, by_edges: bool) -> Plan {
    let mut plan = Plan::new();
    plan.setup.system = match by_edges {
        true => dice.pick(&[System::Linux, System::LinuxOld, System::Local]),
        false => dice.pick(&System::ALL),
    };
    if dice.percent(5) {
        plan.setup.life = dice.pick(&[Life::Datagram, Life::Listening, Life::Fresh]);
    }
    plan.setup.linger = dice.percent(20);
    plan.setup.unsent = dice.pick(&[0, 0, 10, 1000]);
    plan.setup.call_cost = dice.pick(&[0, 0, 0, 1000]);
    let options = &mut plan.options;
    options.timeout_ms = dice.pick(&[0, 1, 5, 10, 50, 200, 1000, 5000, INFINITE]);
    // The others ask for so little that they are kept in brief.
    let is_special = dice.percent(60);
    if is_special {
        options.idle_timeout_ms = dice.pick(&[0, 0, 0, 1, 10, 30]);
        options.peer_first_ms = dice.pick(&[0, 0, 0, 5, 20]);
        options.fallback = dice.pick(&[Fallback::Close, Fallback::Abort, Fallback::Keep]);
        options.until_acked = dice.percent(15);
        options.max_drain_bytes = dice.pick(&[0, 0, 0, 100]);
    }
    if is_special && dice.percent(10) {
        plan.reader = Reader::Some {
            cost: 0,
            stop_at: dice.pick(&[usize::MAX, 1, 100]),
        };
    }
    random_script(dice, &mut plan);
    plan
}

fn random_script(dice: &mut Dice, plan: &mut Plan) {
    let patient = plan.options.timeout_ms == INFINITE;
    let hurried = plan.options.timeout_ms <= 10;
    let script = &mut plan.setup.script;
    if dice.percent(80) {
        script.push((random_time(dice), Act::AckAll));
    }
    for _ in 0..dice.below(4) {
        let act = match dice.below(20) {
            0 => Act::ShutRead,
            1 if !patient => {
                let when = When::AfterFin(dice.below(9 * MS));
                script.push((when, Act::CloseElsewhere));
                continue;
            }
            2 if hurried => {
                plan.setup.call_cost = MS / 10;
                Act::Flood
            }
            // More than one pass.
            3 | 4 if plan.reader == Reader::None => Act::Send(3 << 20),
            5..=7 => Act::Drip(1, 1 + dice.below(20) as u32, 1 + dice.below(3 * MS)),
            8..=10 => Act::Ack(10),
            _ => Act::Send(dice.pick(&[1, 99, 101, 5000])),
        };
        script.push((random_time(dice), act));
    }
    if dice.percent(75) {
        let act = dice.pick(&[
            Act::Fin,
            Act::Fin,
            Act::Fin,
            Act::Fin,
            Act::Reset,
            Act::Lost,
        ]);
        script.push((random_time(dice), act));
    }
    if patient {
        for act in [Act::AckAll, Act::Fin] {
            script.push((When::AfterFin(450 * MS), act));
        }
    }
}

fn random_time(dice: &mut Dice) -> When {
    let nanos = match dice.below(3) {
        0 => dice.below(60) * MS,
        1 => dice.below(3 * MS),
        _ => dice.below(60 * MS),
    };
    match dice.below(10) {
        0 | 1 => When::At(0),
        2..=5 => When::At(nanos),
        _ => When::AfterFin(nanos),
    }
}
