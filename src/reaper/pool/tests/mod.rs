//! The table of many against simulated connections, a simulated poller and a
//! clock that moves only when told: named cases for each rule, and random
//! schedules by the thousand.

mod crowd;
mod drive;
mod memory;
pub(crate) mod random;
mod rules;
mod world;
