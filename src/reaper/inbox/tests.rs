//! The rules of the inbox, one by one; what threads can make of them is walked
//! in `models.rs`.

use super::A_FEW;
use super::{Inbox, NoPlace, Wake};
use crate::clock::Time;

const fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn wakes(inbox: &Inbox<u32>, item: u32, due: Time) -> Wake {
    inbox.reserve(at(0)).expect("a place");
    inbox.push(item, due)
}

fn brought(inbox: &Inbox<u32>, item: u32, due: Time) -> bool {
    wakes(inbox, item, due) != Wake::No
}

fn taken(inbox: &Inbox<u32>) -> Vec<u32> {
    let mut items = Vec::new();
    inbox.take(&mut items);
    items
}

#[test]
fn what_is_brought_is_taken_in_order_and_once() {
    let inbox = Inbox::new();
    assert!(!brought(&inbox, 1, at(0)), "it is awake");
    assert!(!brought(&inbox, 2, at(0)));
    assert_eq!(taken(&inbox), [1, 2]);
    assert_eq!(taken(&inbox), []);
}

#[test]
fn only_what_it_would_oversleep_rings() {
    let inbox = Inbox::new();
    assert!(inbox.sleep(at(50)));
    assert!(!brought(&inbox, 1, at(50)));
    assert!(!brought(&inbox, 2, at(51)));
    assert!(brought(&inbox, 3, at(49)));
    assert_eq!(taken(&inbox), [1, 2, 3]);
    assert!(inbox.sleep(at(50)));
    assert_eq!(wakes(&inbox, 4, at(49)), Wake::Bell);
}

/// Nothing else would: no event is waited for.
#[test]
fn an_idle_reaper_is_woken_for_whatever_comes() {
    let inbox = Inbox::new();
    assert!(inbox.sleep(Time::NEVER));
    assert_eq!(wakes(&inbox, 1, Time::NEVER), Wake::Idle);
    assert_eq!(wakes(&inbox, 2, at(0)), Wake::No);
    assert_eq!(taken(&inbox), [1, 2]);
}

#[test]
fn one_ring_is_enough() {
    let inbox = Inbox::new();
    assert!(inbox.sleep(at(50)));
    assert!(brought(&inbox, 1, at(10)));
    assert!(!brought(&inbox, 2, at(5)));
}

#[test]
fn it_does_not_sleep_over_what_has_come() {
    let inbox = Inbox::new();
    assert!(!brought(&inbox, 1, at(90)));
    assert!(!inbox.sleep(at(50)));
    taken(&inbox);
    assert!(inbox.sleep(at(50)));
}

#[test]
fn a_place_is_given_back_one_way_or_the_other() {
    let inbox = Inbox::<u32>::new();
    assert!(!inbox.is_expecting());
    inbox.reserve(at(0)).expect("a place");
    inbox.reserve(at(0)).expect("another");
    inbox.cancel();
    assert!(inbox.is_expecting());
    assert_eq!(inbox.push(1, at(0)), Wake::No);
    assert!(!inbox.is_expecting());
}

#[test]
fn a_closed_door_lets_in_those_with_a_place() {
    let inbox = Inbox::new();
    inbox.reserve(at(0)).expect("a place");
    inbox.close();
    assert_eq!(inbox.reserve(at(0)), Err(NoPlace::Closed));
    assert!(inbox.is_expecting());
    assert_eq!(inbox.push(7, at(0)), Wake::No);
    assert_eq!(taken(&inbox), [7]);
}

#[test]
fn bringing_never_needs_memory() {
    let inbox = Inbox::new();
    let mut items = Vec::new();
    let mut promised = 0;
    for round in 0..2000u32 {
        match round.wrapping_mul(2_654_435_761) >> 29 {
            0..=3 => {
                inbox.reserve(at(0)).expect("a place");
                promised += 1;
            }
            4..=6 if promised > 0 => {
                let _ = inbox.push(round, at(0));
                promised -= 1;
            }
            _ => {
                items.clear();
                inbox.take(&mut items);
            }
        }
        let inside = inbox.lock();
        assert_eq!(inside.promised, promised);
        assert!(inside.queue.capacity() >= inside.queue.len() + promised);
    }
}

/// Places that memory would never be enough for stand in for none left.
#[test]
fn without_memory_it_takes_what_there_is_room_for() {
    let inbox = Inbox::new();
    for item in 0..5 {
        assert!(!brought(&inbox, item, at(0)));
    }
    inbox.lock().promised = isize::MAX as usize;
    let mut items = Vec::with_capacity(2);
    let room = items.capacity() as u32;
    inbox.take(&mut items);
    assert_eq!(items, Vec::from_iter(0..room));
    assert!(!inbox.sleep(at(50)), "the rest waits");
    inbox.lock().promised = 0;
    items.clear();
    inbox.take(&mut items);
    assert_eq!(items, Vec::from_iter(room..5));
    assert!(inbox.sleep(at(50)));
}

#[test]
fn it_is_told_whether_the_reaper_looks_soon_of_its_own_accord() {
    let inbox = Inbox::<u32>::new();
    assert_eq!(inbox.reserve(at(5)), Ok(true), "awake");
    inbox.cancel();
    assert!(inbox.sleep(at(5)));
    assert_eq!(inbox.reserve(at(5)), Ok(true), "it naps");
    assert_eq!(inbox.reserve(at(4)), Ok(false), "it sleeps");
    inbox.cancel();
    assert!(inbox.sleep(Time::NEVER));
    assert_eq!(inbox.reserve(at(4)), Ok(true), "whatever comes wakes it");
}

#[test]
fn a_few_who_could_wait_wake_it_all_the_same_and_once() {
    let inbox = Inbox::new();
    for _ in 0..2 {
        assert!(inbox.sleep(at(5)));
        for item in 1..A_FEW {
            assert!(!brought(&inbox, item, at(9)));
        }
        assert!(brought(&inbox, A_FEW, at(9)));
        assert!(!brought(&inbox, 0, at(0)), "it counts as awake");
        assert_eq!(taken(&inbox).len(), A_FEW as usize + 1);
    }
}
