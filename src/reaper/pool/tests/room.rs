//! Memory is asked for before one is taken in, so that nothing after that can fail.

use super::drive::{Drive, How};
use super::rules::{ends_at, play};
use crate::machine::tests::plan::{Dice, Plan};
use crate::machine::tests::script::{MS, START};
use crate::reaper::pool::most;

/// After each step all of them are looked at, and Miri interprets each instruction: a few there.
const COUNT: usize = if cfg!(miri) { 10 } else { 70 };

/// There is room for one more, under this number, whatever it needs.
fn check_room<const EDGES: bool>(drive: &mut Drive<'_, '_, EDGES>, number: usize) {
    drive.pool.make_room(number).expect("memory");
    let pool = &drive.pool;
    let slots = pool.slots.len() + 1;
    assert!(!pool.free.is_empty() || pool.slots.capacity() >= slots);
    // Room to give back those that are there, and the new one if it has a slot of its own.
    let slots_then = slots - usize::from(!pool.free.is_empty());
    assert!(pool.free.capacity() >= slots_then && pool.again.capacity() >= slots_then);
    assert!(pool.by_socket.len() > number);
    assert!(pool.timers.capacity() > most(pool.len() + 1));
    if pool.keeps_line {
        assert!(pool.arrived.capacity() >= slots);
        assert!(pool.line.capacity() > pool.line.len());
    }
    // A vector that grows takes twice what it has, or what is needed.
    assert!(pool.by_socket.capacity() <= 2 * pool.by_socket.len());
    assert!(pool.arrived.capacity() <= 2 * slots + 4);
}

#[test]
fn there_is_room_for_each_before_it_is_taken_in() {
    let plans: Vec<Plan> = (0..2 * COUNT).map(|_| ends_at(1)).collect();
    for keeps_line in [true, false] {
        play::<true>(&plans, keeps_line, |drive| {
            for id in 0..2 * COUNT {
                if id == COUNT {
                    // The others take the places of these.
                    drive.evict_all();
                }
                let conn = drive.hand_over(id, How::Direct, false);
                check_room(drive, conn.number);
                drive.admit(false);
            }
            assert_eq!(drive.pool.slots.len(), COUNT);
        });
    }
}

/// It looks at all timers, and at the whole line: only after as many have gone as are there it is
/// cheap for each of them.
#[test]
fn what_is_left_over_is_cleared_away_seldom() {
    let left_over = if cfg!(miri) { 6 } else { 64 };
    for len in [0, 1, 100] {
        assert_eq!(most(len), 2 * len + left_over);
    }
}

/// One timer for each: an event that changes nothing costs none.
#[test]
fn an_event_for_nothing_needs_no_further_timer() {
    play::<true>(&[Plan::new().timeout(50)], false, |drive| {
        let conn = drive.hand_over(0, How::Direct, false);
        drive.admit(false);
        for ms in 1..20 {
            drive.reach(START + ms * MS);
            drive.event(conn.number);
            assert_eq!(drive.pool.timers.len(), 1);
        }
    });
}

/// One that stays, and so many that end.
fn one_stays_and_others_end(others: usize, check: impl FnOnce(&Drive<'_, '_, true>)) {
    let mut plans = vec![Plan::new()];
    plans.resize(1 + others, ends_at(1));
    play::<true>(&plans, true, |drive| {
        for id in 0..plans.len() {
            drive.hand_over(id, How::Direct, false);
            drive.admit(false);
        }
        drive.reach(START + MS);
        drive.deliver(&mut Dice::new(1), 100);
        assert_eq!(drive.pool.len(), 1);
        check(drive);
    });
}

#[test]
fn what_is_left_over_is_cleared_away_once_it_is_too_much() {
    let room = most(1);
    one_stays_and_others_end(room - 1, |drive| {
        assert_eq!(
            (drive.pool.timers.len(), drive.pool.line.len()),
            (room, room)
        );
    });
    one_stays_and_others_end(room, |drive| {
        assert_eq!((drive.pool.timers.len(), drive.pool.line.len()), (1, 1));
    });
}

/// Whoever has the place of one that has gone stands in line once, where he came.
#[test]
fn those_who_close_ranks_stand_in_line_once() {
    let others = most(2) - 2;
    let mut plans = vec![Plan::new(), ends_at(1), Plan::new()];
    plans.resize(3 + others, ends_at(2));
    play::<true>(&plans, true, |drive| {
        for id in 0..plans.len() {
            if id == 2 {
                drive.reach(START + MS);
                drive.deliver(&mut Dice::new(1), 100);
            }
            drive.hand_over(id, How::Direct, false);
            drive.admit(false);
        }
        assert_eq!(drive.pool.line.len(), plans.len());
        drive.reach(START + 4 * MS);
        drive.deliver(&mut Dice::new(1), 100);
        assert_eq!((drive.pool.len(), drive.pool.line.len()), (2, 2));
        drive.evict_oldest();
        drive.evict_oldest();
    });
}
