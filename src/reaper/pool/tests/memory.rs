//! What the table keeps in memory while thousands pass through.

use super::drive::{Drive, How};
use super::rules::{ends_at, play};
use crate::machine::tests::plan::{Dice, Plan};
use crate::machine::tests::script::{Act, MS};
use crate::options::INFINITE;
use crate::reaper::pool::most;

/// So many pass through, so many of them at a time.
const ALL: usize = if cfg!(miri) { 60 } else { 5000 };
const AT_A_TIME: usize = 20;

/// After every move the bounds of `Drive::check` hold.
fn pass_through<const EDGES: bool>(plan: impl Fn(usize) -> Plan) {
    let plans: Vec<Plan> = (0..ALL).map(plan).collect();
    play::<EDGES>(&plans, true, |drive| {
        let mut dice = Dice::new(1);
        for id in 0..ALL {
            drive.hand_over(id, How::Direct, false);
            drive.admit(false);
            drive.reach(drive.world.clock.nanos() + MS / 2);
            if id % 7 == 0 {
                drive.deliver(&mut dice, 100);
                drive.run_due();
            }
            while drive.pool.len() > AT_A_TIME {
                drive.evict_oldest();
            }
        }
        assert!(drive.pool.slots.len() <= AT_A_TIME + 1);
        check_room(drive);
        drive.evict_all();
        assert_eq!(drive.pool.timers.len() + drive.pool.line.len(), 0);
    });
}

/// Nothing but a new one ever needs memory.
fn check_room<const EDGES: bool>(drive: &Drive<'_, '_, EDGES>) {
    let pool = &drive.pool;
    assert!(pool.free.capacity() >= pool.slots.len());
    assert!(pool.again.capacity() >= pool.slots.len());
    assert!(pool.timers.capacity() > most(pool.len()));
    for capacity in [pool.timers.capacity(), pool.line.capacity()] {
        assert!(capacity <= 4 * most(AT_A_TIME), "room for {capacity}");
    }
}

#[test]
fn short_ones_with_far_deadlines() {
    pass_through::<true>(|_| ends_at(4));
    pass_through::<false>(|_| ends_at(4));
}

#[test]
fn ones_that_are_evicted_and_others() {
    pass_through::<true>(|id| ends_at([1, 5, 80][id % 3]));
}

#[test]
#[cfg_attr(miri, ignore = "does not end within three quarters of an hour there")]
fn ones_whose_time_is_put_off() {
    let plan = |id: usize| {
        let plan = ends_at(9).timeout(INFINITE).idle(3);
        plan.before(Act::Drip(1, 20, MS * (1 + id as u64 % 3) / 2))
    };
    pass_through::<true>(plan);
    pass_through::<false>(plan);
}

#[test]
#[cfg_attr(miri, ignore = "does not end within a quarter of an hour there")]
fn ones_that_flood() {
    pass_through::<true>(|id| match id % 50 {
        0 => ends_at(9).before(Act::Send(5 << 20)),
        _ => ends_at(4),
    });
}

#[test]
fn without_evictions_nobody_stands_in_line() {
    let plans = [ends_at(1), ends_at(2)];
    play::<true>(&plans, false, |drive| {
        drive.hand_over(0, How::Direct, false);
        drive.admit(false);
        assert_eq!(drive.pool.line.capacity(), 0);
    });
}
