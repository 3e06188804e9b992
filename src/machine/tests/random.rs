//! Random schedules: any system, any options, any order of events, and every
//! end held against what really happened.
//!
//! A failure prints the seed and the number of the case; with these in
//! `GC_SIM_SEED` and `GC_SIM_CASE` the same case runs again, alone. `GC_SIM_CASES` says how many
//! are run instead of the usual number.

use super::drive::simulate;
use super::plan::{Dice, Driver, Plan, Reader};
use super::script::{Act, Life, Question, Refusal, System, When, LOST, MS, OTHER, REFUSED};
use crate::connection::Sharing;
use crate::options::{Fallback, IfShared, INFINITE};
use crate::outcome::Outcome;
use std::time::{SystemTime, UNIX_EPOCH};

/// In each of the two tests below; they run in parallel.
/// Miri interprets each instruction: a few there (`scripts/checkers miri`).
const CASES: u64 = if cfg!(miri) { 150 } else { 150_000 };

/// The same schedules in every run.
#[test]
fn random_schedules_with_a_fixed_seed() {
    check_cases(0x6763_2D73_696D);
}

/// Other schedules in every run.
#[test]
fn random_schedules_with_a_new_seed() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = since.map_or(0, |since| since.as_nanos() as u64);
    check_cases(number_from("GC_SIM_SEED").unwrap_or(time));
}

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn check_cases(seed: u64) {
    if let Some(case) = number_from("GC_SIM_CASE") {
        let outcome = check_case(seed, case);
        println!("case {case} of seed {seed} ended {outcome:?}");
        return;
    }
    let mut by_outcome = [0u64; 12];
    let mut refused = 0;
    let cases = number_from("GC_SIM_CASES").unwrap_or(CASES);
    for case in 0..cases {
        match check_case(seed, case) {
            Some(outcome) => by_outcome[outcome as usize] += 1,
            None => refused += 1,
        }
    }
    println!("seed {seed}: {by_outcome:?}, {refused} refused");
    // A generator that never gets somewhere proves nothing about it. A few reach less.
    if cfg!(miri) {
        return;
    }
    for (outcome, &count) in by_outcome.iter().enumerate() {
        assert!(count > cases / 2000, "outcome {outcome} only {count} times");
    }
    assert!(refused > cases / 2000);
}

/// A fuzzer's bytes reach every system and more than one outcome, each byte for itself.
#[test]
fn schedules_made_of_bytes() {
    for first in (0..=255u8).step_by(if cfg!(miri) { 60 } else { 1 }) {
        for length in [0, 1, 7, 40, 200] {
            let bytes: Vec<u8> = (0..length)
                .map(|at: u8| first ^ at.wrapping_mul(37))
                .collect();
            check_bytes(&bytes);
        }
    }
}

/// Prints how to run the case again, should it fail.
struct Replay<'p> {
    seed: u64,
    case: u64,
    plan: &'p Plan,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:?}", self.plan);
            println!(
                "again with GC_SIM_SEED={} GC_SIM_CASE={}",
                self.seed, self.case
            );
            println!("(the test random_schedules_with_a_new_seed takes them)");
        }
    }
}

fn check_case(seed: u64, case: u64) -> Option<Outcome> {
    let mut dice = Dice::new(seed ^ case.wrapping_mul(0xD134_2543_DE82_EF95));
    let plan = random_plan(&mut dice);
    let replay = Replay {
        seed,
        case,
        plan: &plan,
    };
    run_plan(replay.plan, &mut dice)
}

/// The schedule that these bytes make: `fuzz/fuzz_targets/machine.rs`.
pub(crate) fn check_bytes(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    let plan = random_plan(&mut dice);
    run_plan(&plan, &mut dice);
}

fn run_plan(plan: &Plan, dice: &mut Dice) -> Option<Outcome> {
    simulate(plan, dice, |run| {
        run.refusal().is_none().then(|| run.outcome())
    })
}

fn random_plan(dice: &mut Dice) -> Plan {
    let mut plan = Plan::new();
    plan.setup.system = match dice.percent(50) {
        true => System::Linux,
        false => dice.pick(&System::ALL),
    };
    if dice.percent(8) {
        plan.setup.life = dice.pick(&[
            Life::NotASocket,
            Life::Datagram,
            Life::Listening,
            Life::Fresh,
            Life::Connecting,
            Life::Refused,
        ]);
    }
    plan.setup.unsent = dice.pick(&[0, 0, 0, 1, 10, 1000, 100_000]);
    plan.setup.linger = dice.percent(30);
    if dice.percent(10) {
        plan.setup.sharing = dice.pick(&[Sharing::Shared, Sharing::Unknown(OTHER)]);
    }
    plan.setup.call_cost = dice.pick(&[0, 0, 0, 1000, 20_000, MS]);
    plan.setup.close_complains = dice.percent(3);
    plan.setup.shutdown_fails = dice.percent(1).then_some(OTHER);
    plan.setup.refusal = dice.percent(10).then(|| Refusal {
        question: dice.pick(&Question::ALL),
        first: dice.below(4) as u32,
        times: dice.pick(&[1, 2, u32::MAX]),
    });
    plan.setup.receive_fails = dice.percent(1).then_some(OTHER);
    random_options(dice, &mut plan);
    random_script(dice, &mut plan);

    // What fails for ever hides what fails once.
    if plan.setup.receive_fails.is_some() {
        let is_soft = |&(_, act): &(When, Act)| matches!(act, Act::SoftError(_));
        plan.setup.script.retain(|event| !is_soft(event));
    }
    plan.driver = dice.pick(&[Driver::Edges, Driver::Recheck]);
    plan.bulk = dice.percent(50);
    plan.spurious = dice.pick(&[0, 0, 0, 30]);
    plan.late = dice.pick(&[0, 0, 0, 1000, 5 * MS]);
    if dice.percent(5) {
        plan.give_up_after = Some(dice.below(4) as u32);
    }
    plan
}

fn random_options(dice: &mut Dice, plan: &mut Plan) {
    let options = &mut plan.options;
    options.timeout_ms = dice.pick(&[0, 1, 10, 50, 200, 200, 1000, 5000, INFINITE]);
    options.idle_timeout_ms = dice.pick(&[0, 0, 0, 1, 10, 30, 100, INFINITE]);
    options.peer_first_ms = dice.pick(&[0, 0, 0, 0, 5, 50, 500, INFINITE]);
    options.fallback = dice.pick(&[
        Fallback::Close,
        Fallback::Abort,
        Fallback::Keep,
        Fallback::Background,
    ]);
    if dice.percent(20) {
        options.if_shared = IfShared::Release;
    }
    options.until_acked = dice.percent(15);
    options.keep_open = dice.percent(15);
    options.max_drain_bytes = dice.pick(&[0, 0, 0, 1, 99, 100, 4096, 100_000, usize::MAX]);
    plan.reader = match dice.percent(30) {
        false => Reader::None,
        true => Reader::Some {
            cost: dice.pick(&[0, 0, 1000, 3 * MS]),
            stop_at: dice.pick(&[usize::MAX, usize::MAX, 1, 100, 5000]),
        },
    };
}

/// Up to seven events; as a rule an end to them all.
fn random_script(dice: &mut Dice, plan: &mut Plan) {
    // Most peers acknowledge sooner or later.
    if dice.percent(70) {
        let when = random_time(dice, 60);
        plan.setup.script.push((when, Act::AckAll));
    }
    for _ in 0..dice.below(5) {
        let act = random_act(dice, plan);
        let when = random_time(dice, 300);
        plan.setup.script.push((when, act));
    }
    // What never ends must not be waited for without a limit.
    let patient = plan.options.timeout_ms == INFINITE;
    if patient || dice.percent(70) {
        let act = match dice.below(10) {
            0 => Act::Reset,
            1 => Act::Lost,
            _ => Act::Fin,
        };
        let when = random_time(dice, 400);
        plan.setup.script.push((when, act));
    }
    if patient {
        if let Some(refusal) = &mut plan.setup.refusal {
            refusal.times = refusal.times.min(20);
        }
        // Whatever is missing still, and an end of waiting for the peer.
        plan.options.peer_first_ms = plan.options.peer_first_ms.min(500);
        for act in [Act::AckAll, Act::Fin] {
            plan.setup.script.push((When::AfterFin(450 * MS), act));
        }
    }
    if dice.percent(5) {
        // Its machine is gone, and at last the system gives it up.
        let when = random_time(dice, 400);
        plan.setup.script.push((when, Act::Vanish));
        plan.setup
            .script
            .push((When::AfterFin(200_000 * MS), Act::Lost));
    }
}

fn random_time(dice: &mut Dice, most_ms: u64) -> When {
    let nanos = match dice.below(3) {
        0 => dice.below(most_ms) * MS,
        1 => dice.below(8) * MS,
        _ => dice.below(most_ms * MS),
    };
    match dice.below(10) {
        0..=2 => When::At(0),
        3..=6 => When::At(nanos),
        _ => When::AfterFin(nanos),
    }
}

fn random_act(dice: &mut Dice, plan: &Plan) -> Act {
    let bytes = dice.pick(&[1, 99, 100, 101, 4096, 10_000, 100_001]);
    match dice.below(24) {
        0..=6 => Act::Send(bytes),
        7 | 8 => {
            let every = 1 + dice.below(40 * MS);
            Act::Drip(bytes.min(500), 1 + dice.below(12) as u32, every)
        }
        // A reader gets a flood in portions: too slow to try often.
        9 if plan.setup.call_cost >= 20_000 && plan.options.timeout_ms <= 200 => Act::Flood,
        10 | 11 => Act::Fin,
        12 => Act::Reset,
        13 => Act::Lost,
        14..=16 => Act::Ack(bytes),
        17 => Act::Steal(bytes),
        18 => Act::StealError,
        // Linux tells nobody who waits for edges.
        19 if plan.options.timeout_ms != INFINITE && dice.percent(30) => Act::CloseElsewhere,
        20 | 21 => Act::ShutRead,
        22 => Act::ShutWrite,
        23 if dice.percent(20) => Act::Send(3 << 20),
        23 => Act::SoftError(dice.pick(&[LOST, REFUSED, OTHER])),
        _ => Act::Send(bytes),
    }
}
