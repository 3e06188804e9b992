//! The state machine of one close. It never blocks, makes no system call of its
//! own and starts no thread: it is given a [`Connection`], a [`Clock`] and, if
//! the caller wants the drained data, a [`Deliver`]. Whoever drives it waits as
//! [`Next::Wait`] says and calls [`Machine::step`] again; being called too
//! often or for nothing changes nothing.
//!
//! ```text
//! Start --> PeerFirst --> (half-close) --> Drain --> Confirm --> Ended
//!   \__________________________/  \__ Dead ___________________/
//! ```

mod background;
mod brief;
mod end;
mod finish;
mod life;
mod reading;
mod sharing;
mod state;
mod steps;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(crate) mod tests;
mod waiting;

pub(crate) use brief::Brief;
pub(crate) use state::{after, Delivery, End, Machine, Next};
