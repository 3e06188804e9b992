//! The short form of a closing that asks for nothing special.

use super::sim::SimClock;
use crate::clock::Clock;
use crate::connection::Kind;
use crate::machine::state::{Looks, Phase, WatchOver};
use crate::machine::Machine;
use crate::options::{Fallback, IfShared, Options};

/// What is set must not be forgotten while thousands wait.
#[test]
fn an_option_that_is_set_has_no_short_form() {
    type Set = fn(&mut Options);
    let each: [Set; 9] = [
        |options| options.fallback = Fallback::Abort,
        |options| options.fallback = Fallback::Keep,
        |options| options.fallback = Fallback::Background,
        |options| options.if_shared = IfShared::Release,
        |options| options.idle_timeout_ms = 1,
        |options| options.peer_first_ms = 1,
        |options| options.max_drain_bytes = 1,
        |options| options.until_acked = true,
        |options| options.keep_open = true,
    ];
    let now = SimClock::new().now();
    let has_short_form = |options: &Options| {
        let is_brief = options.is_brief();
        assert_eq!(is_brief, Machine::new(options, now).brief().is_some());
        is_brief
    };
    let plain = Options {
        timeout_ms: 7,
        ..Options::default()
    };
    assert!(has_short_form(&plain));
    for (at, set) in each.iter().enumerate() {
        let mut options = plain;
        set(&mut options);
        assert!(!has_short_form(&options), "option {at}");
    }
}

/// Between two steps nothing that was seen is forgotten: without it an end might be called graceful that is not.
#[test]
fn what_was_seen_comes_back_out_of_the_short_form() {
    let now = SimClock::new().now();
    let ways = [
        (WatchOver::None, Looks::Undecided),
        (WatchOver::Asked, Looks::No),
        (WatchOver::Asked, Looks::Yes),
        (WatchOver::KeepAlive, Looks::No),
        (WatchOver::KeepAlive, Looks::Yes),
    ];
    for bits in 0..32u8 {
        for (watch_over, looks) in ways {
            let mut machine = Machine::new(&Options::default(), now);
            machine.phase = Phase::Drain;
            let seen = &mut machine.seen;
            seen.is_tcp = bits & 1 != 0;
            seen.peer_fin = bits & 2 != 0;
            seen.in_doubt = bits & 4 != 0;
            seen.has_state = bits & 8 != 0;
            seen.was_shut = bits & 16 != 0;
            (seen.watch_over, seen.looks) = (watch_over, looks);
            (
                seen.half_closed,
                seen.drained,
                seen.recheck_ms,
                seen.life_look,
            ) = (true, 7, 16, 11);
            let back = machine.brief().expect("nothing special").machine();
            assert_eq!(back.phase, machine.phase);
            assert_eq!(format!("{:?}", back.seen), format!("{:?}", machine.seen));
        }
    }
}

#[test]
fn what_the_short_form_has_no_room_for_is_kept_in_full() {
    let machine = || Machine::new(&Options::default(), SimClock::new().now());
    let mut classified = machine();
    classified.classified(Kind::Stream);
    assert!(classified.brief().is_none());
    let mut failed = machine();
    failed.seen.system_error = 5;
    assert!(failed.brief().is_none());
}
