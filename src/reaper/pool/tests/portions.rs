//! So many ends are told in one go, whatever they ended by; and what is looked for meanwhile.

use super::rules::{ends_at, play};
use crate::machine::tests::plan::{Dice, Plan};
use crate::machine::tests::script::{Act, MS, START};
use crate::machine::End;
use crate::options::INFINITE;
use crate::outcome::Outcome;
use crate::reaper::pool::ENDED;

/// More than two passes of data each: one at the hand-over, one at the admission, and the end is
/// found in a third.
#[test]
fn those_that_end_with_their_next_pass_are_ended_in_portions() {
    let count = ENDED + 6;
    let plan = Plan::new().before(Act::AckAll).before(Act::Send(2 << 20));
    let plans = vec![plan.before(Act::Fin); count];
    play::<true>(&plans, false, |drive| {
        drive.take_in(0..count);
        for left in [6, 0] {
            assert_eq!(drive.pool.due().nanos(), 0);
            assert!(drive.run_due());
            assert_eq!(drive.pool.len(), left);
        }
        assert!(!drive.run_due());
    });
}

#[test]
fn all_are_evicted_in_portions() {
    let count = 2 * ENDED + 5;
    play::<true>(&vec![Plan::new(); count], true, |drive| {
        drive.take_in(0..count);
        let mut portions = Vec::new();
        loop {
            let mut ended = Vec::new();
            let is_all = drive.pool.evict_all(&mut ended);
            portions.push((ended.len(), is_all));
            if is_all || portions.len() > 3 {
                break;
            }
        }
        assert_eq!(portions, [(ENDED, false), (ENDED, false), (5, true)]);
    });
}

/// The places behind the last one are empty.
#[test]
fn a_portion_that_was_all_is_told_as_all() {
    let mut plans = vec![Plan::new(); ENDED];
    plans.resize(ENDED + 3, ends_at(1));
    play::<true>(&plans, false, |drive| {
        drive.take_in(0..ENDED + 3);
        drive.reach(START + MS);
        drive.deliver(&mut Dice::new(1), 100);
        assert_eq!(drive.pool.len(), ENDED);
        let mut ended = Vec::new();
        assert!(drive.pool.evict_all(&mut ended));
        assert_eq!((ended.len(), drive.pool.len()), (ENDED, 0));
    });
}

/// The acknowledgement of our FIN is no event for a poller that watches for bytes.
fn acknowledged_at_30<const EDGES: bool>() {
    let plan = Plan::new().unsent(10).timeout(INFINITE).until_acked();
    play::<EDGES>(&[plan.at(30, Act::AckAll)], false, |drive| {
        drive.take_in(0..1);
        let mut looks = 0;
        while drive.ends[0].is_none() {
            looks += 1;
            assert!(looks < 20, "looked {looks} times");
            drive.reach(drive.pool.due().nanos());
            drive.run_due();
        }
        assert_eq!(drive.ends[0], Some(End::Outcome(Outcome::Delivered)));
        let ended = drive.world.clock.nanos();
        assert!((START + 30 * MS..START + 90 * MS).contains(&ended));
    });
}

#[test]
fn an_acknowledgement_is_looked_for() {
    acknowledged_at_30::<true>();
    acknowledged_at_30::<false>();
}

/// Where it is an event it needs no look.
#[test]
fn with_edges_a_change_is_waited_for() {
    let plan = Plan::new().unsent(10).before(Act::Fin).timeout(5000);
    play::<true>(&[plan.at(900, Act::AckAll)], false, |drive| {
        drive.take_in(0..1);
        assert!(drive.pool.due().nanos() >= START + 5000 * MS);
        drive.reach(START + 900 * MS);
        drive.deliver(&mut Dice::new(1), 100);
        assert_eq!(drive.ends[0], Some(End::Outcome(Outcome::Graceful)));
    });
}
