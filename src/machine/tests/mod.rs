//! The state machine against a simulated kernel, peer and clock: named cases
//! for the rules and the known traps, and random schedules by the hundred
//! thousand.

mod background;
mod brief;
mod drive;
mod driver;
mod fates;
mod judge;
mod life;
mod owner;
pub(crate) mod plan;
pub(crate) mod random;
mod refusals;
mod rules;
pub(crate) mod script;
pub(crate) mod sim;
pub(crate) mod socket;
mod taken;
mod time;
mod traps;
mod truth;

impl crate::machine::Machine {
    /// When a waiting one has to be stepped, whatever happens.
    pub(crate) fn wants_by(&self) -> crate::clock::Time {
        self.seen.deadline.min(self.seen.phase_end)
    }
}
