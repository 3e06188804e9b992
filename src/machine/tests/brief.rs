//! The short form of a closing that asks for nothing special.

use super::sim::SimClock;
use crate::clock::Clock;
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
