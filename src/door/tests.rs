//! The rules of the door, one by one; what threads can make of them is walked
//! in `models.rs`.

use super::A_FEW;
use super::{Door, Shut, Wake};
use crate::clock::Time;

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn wakes(door: &Door<u32>, item: u32, due: Time) -> Wake {
    door.reserve(at(0)).expect("a place");
    door.bring(item, due)
}

fn brought(door: &Door<u32>, item: u32, due: Time) -> bool {
    wakes(door, item, due) != Wake::No
}

fn taken(door: &Door<u32>) -> Vec<u32> {
    let mut items = Vec::new();
    door.take(&mut items);
    items
}

#[test]
fn what_is_brought_is_taken_in_order_and_once() {
    let door = Door::new();
    assert!(!brought(&door, 1, at(0)), "it is awake");
    assert!(!brought(&door, 2, at(0)));
    assert_eq!(taken(&door), [1, 2]);
    assert_eq!(taken(&door), []);
}

#[test]
fn only_what_it_would_oversleep_rings() {
    let door = Door::new();
    assert!(door.sleep(at(50)));
    assert!(!brought(&door, 1, at(50)));
    assert!(!brought(&door, 2, at(51)));
    assert!(brought(&door, 3, at(49)));
    assert_eq!(taken(&door), [1, 2, 3]);
    assert!(door.sleep(at(50)));
    assert_eq!(wakes(&door, 4, at(49)), Wake::Bell);
}

/// Nothing else would: no event is waited for.
#[test]
fn an_idle_reaper_is_woken_for_whatever_comes() {
    let door = Door::new();
    assert!(door.sleep(Time::NEVER));
    assert_eq!(wakes(&door, 1, Time::NEVER), Wake::Idle);
    assert_eq!(wakes(&door, 2, at(0)), Wake::No);
    assert_eq!(taken(&door), [1, 2]);
}

#[test]
fn one_ring_is_enough() {
    let door = Door::new();
    assert!(door.sleep(at(50)));
    assert!(brought(&door, 1, at(10)));
    assert!(!brought(&door, 2, at(5)));
}

#[test]
fn it_does_not_sleep_over_what_has_come() {
    let door = Door::new();
    assert!(!brought(&door, 1, at(90)));
    assert!(!door.sleep(at(50)));
    taken(&door);
    assert!(door.sleep(at(50)));
}

#[test]
fn a_place_is_given_back_one_way_or_the_other() {
    let door = Door::<u32>::new();
    assert!(!door.is_expecting());
    door.reserve(at(0)).expect("a place");
    door.reserve(at(0)).expect("another");
    door.turn_back();
    assert!(door.is_expecting());
    assert_eq!(door.bring(1, at(0)), Wake::No);
    assert!(!door.is_expecting());
}

#[test]
fn a_closed_door_lets_in_those_with_a_place() {
    let door = Door::new();
    door.reserve(at(0)).expect("a place");
    door.close();
    assert_eq!(door.reserve(at(0)), Err(Shut::Closed));
    assert!(door.is_expecting());
    assert_eq!(door.bring(7, at(0)), Wake::No);
    assert_eq!(taken(&door), [7]);
}

#[test]
fn bringing_never_needs_memory() {
    let door = Door::new();
    let mut items = Vec::new();
    let mut promised = 0;
    for round in 0..2000u32 {
        match round.wrapping_mul(2_654_435_761) >> 29 {
            0..=3 => {
                door.reserve(at(0)).expect("a place");
                promised += 1;
            }
            4..=6 if promised > 0 => {
                let _ = door.bring(round, at(0));
                promised -= 1;
            }
            _ => {
                items.clear();
                door.take(&mut items);
            }
        }
        let inside = door.lock();
        assert_eq!(inside.promised, promised);
        assert!(inside.queue.capacity() >= inside.queue.len() + promised);
    }
}

/// Places that memory would never be enough for stand in for none left.
#[test]
fn without_memory_it_takes_what_there_is_room_for() {
    let door = Door::new();
    for item in 0..5 {
        assert!(!brought(&door, item, at(0)));
    }
    door.lock().promised = isize::MAX as usize;
    let mut items = Vec::with_capacity(2);
    let room = items.capacity() as u32;
    door.take(&mut items);
    assert_eq!(items, Vec::from_iter(0..room));
    assert!(!door.sleep(at(50)), "the rest waits");
    door.lock().promised = 0;
    items.clear();
    door.take(&mut items);
    assert_eq!(items, Vec::from_iter(room..5));
    assert!(door.sleep(at(50)));
}

#[test]
fn it_is_told_whether_the_reaper_looks_soon_of_its_own_accord() {
    let door = Door::<u32>::new();
    assert_eq!(door.reserve(at(5)), Ok(true), "awake");
    door.turn_back();
    assert!(door.sleep(at(5)));
    assert_eq!(door.reserve(at(5)), Ok(true), "it naps");
    assert_eq!(door.reserve(at(4)), Ok(false), "it sleeps");
    door.turn_back();
    assert!(door.sleep(Time::NEVER));
    assert_eq!(door.reserve(at(4)), Ok(true), "whatever comes wakes it");
}

#[test]
fn a_few_who_could_wait_wake_it_all_the_same_and_once() {
    let door = Door::new();
    for _ in 0..2 {
        assert!(door.sleep(at(5)));
        for item in 1..A_FEW {
            assert!(!brought(&door, item, at(9)));
        }
        assert!(brought(&door, A_FEW, at(9)));
        assert!(!brought(&door, 0, at(0)), "it counts as awake");
        assert_eq!(taken(&door).len(), A_FEW as usize + 1);
    }
}
