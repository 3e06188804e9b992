//! From the hand-over into the pool: nothing that happens meanwhile is missed.

use super::drive::How;
use super::rules::{ended, ends_at, play};
use crate::clock::Clock;
use crate::machine::tests::plan::Plan;
use crate::machine::tests::script::{Act, MS, START};
use crate::machine::Brief;
use crate::options::INFINITE;
use crate::outcome::Outcome;
use crate::reaper::pool::{Packed, Unpacked};

#[test]
fn an_event_before_the_admission_is_made_up_for() {
    play::<true>(&[ends_at(1)], false, |drive| {
        let conn = drive.hand_over(0, How::Direct, true);
        drive.reach(START + MS);
        assert!(drive.poller.has_event(conn.number, drive.world));
        drive.event(conn.number);
        assert!(!drive.poller.has_event(conn.number, drive.world));
        assert_eq!(drive.ends[0], None);
        drive.admit(false);
        assert_eq!(drive.ends[0], ended(Outcome::Graceful));
    });
}

/// What is half-closed is not read on its admission, if the poller has just taken it: the FIN that is there already
/// is an event, and so is its deadline.
#[test]
fn an_end_before_the_admission_is_told_by_the_poller() {
    let plans = [ends_at(1), ends_at(1000).timeout(5)];
    play::<true>(&plans, false, |drive| {
        let conn = drive.hand_over(0, How::HalfClosed, true);
        drive.hand_over(1, How::HalfClosed, true);
        drive.reach(START + 2 * MS);
        drive.admit(true);
        drive.admit(true);
        assert_eq!(drive.ends, [None; 2]);
        assert!(drive.poller.has_event(conn.number, drive.world));
        drive.event(conn.number);
        assert_eq!(drive.ends[0], ended(Outcome::Graceful));
        drive.reach(drive.pool.due().nanos());
        assert!(drive.run_due());
        assert_eq!(drive.ends[1], ended(Outcome::TimedOut));
    });
}

#[test]
fn what_ends_on_its_admission_is_forgotten_by_the_poller() {
    let plans = [ends_at(1), ends_at(0)];
    play::<false>(&plans, false, |drive| {
        drive.hand_over(0, How::Direct, true);
        drive.hand_over(1, How::Deferred, true);
        drive.reach(START + MS);
        drive.admit(true);
        drive.admit(true);
        assert_eq!(drive.ends, [ended(Outcome::Graceful); 2]);
        assert!(drive.poller.rows().is_empty());
    });
}

#[test]
fn what_the_poller_could_not_take_is_looked_at_now_and_then() {
    // It must not be taken off the poller: the number may be another one's.
    let plans = [ends_at(30).timeout(INFINITE)];
    play::<false>(&plans, false, |drive| {
        drive.hand_over(0, How::Unwatched, true);
        drive.admit(false);
        let mut looks = 0;
        while drive.ends[0].is_none() {
            looks += 1;
            drive.reach(drive.pool.due().nanos());
            assert!(drive.run_due());
        }
        assert_eq!(looks, 2);
        assert!(drive.world.clock.nanos() < START + 41 * MS);
    });
}

#[test]
fn a_number_that_comes_twice_is_the_later_ones() {
    let plans = [
        Plan::new().timeout(20).at(1, Act::CloseElsewhere),
        Plan::new(),
    ];
    play::<true>(&plans, false, |drive| {
        let first = drive.world.open(0);
        let entry = drive.entry(first, &plans[0], false);
        let mut ended = Vec::new();
        drive.pool.admit(Unpacked::Here(entry), false, &mut ended);
        drive.reach(START + 2 * MS);
        let second = drive.world.open(1).with_number(first.number);
        let entry = drive.entry(second, &plans[1], false);
        drive.pool.admit(Unpacked::Here(entry), false, &mut ended);
        drive.reach(START + 30 * MS);
        drive.pool.run_due(&mut ended);
        assert_eq!(ended.len(), 1, "the first has ended");
        assert!(drive.pool.event(second.number, &mut ended));
    });
}

#[test]
fn what_is_brought_in_brief_is_what_a_machine_would_leave() {
    let plans = [Plan::new().timeout(70), Plan::new().timeout(80)];
    play::<true>(&plans, false, |drive| {
        let now = drive.world.clock.now();
        let mut brought = |id: usize, how: How| {
            drive.hand_over(id, how, false);
            match drive.inbox.pop_front() {
                Some(Packed::Brief { brief, .. }) => format!("{brief:?}"),
                _ => panic!("not in brief"),
            }
        };
        let half_closed = Brief::half_closed(70, now);
        assert_eq!(brought(0, How::HalfClosed), format!("{half_closed:?}"));
        let new = Brief::new(80, now);
        assert_eq!(brought(1, How::Deferred), format!("{new:?}"));
    });
}
