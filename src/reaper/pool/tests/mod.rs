//! The table of many against simulated connections, a simulated poller and a
//! clock that moves only when told: named cases for each rule, and random
//! schedules by the thousand.

mod admission;
mod crowd;
mod drive;
mod memory;
mod portions;
pub(crate) mod random;
mod room;
mod rules;
mod tell;
mod words;
mod world;
