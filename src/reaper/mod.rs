//! The background: a pool of closings, a thread that works on them, and an inbox.
//!
//! Handing over does in the caller's thread what must not wait: the half-close,
//! so that the FIN leaves at once, and one bounded drain pass. What that did not
//! finish is registered with the poller and pushed into the inbox. The thread is
//! woken only if it would oversleep; it works in short naps, so that many ends
//! are taken in one go.
//!
//! The program may close any descriptor, by mistake or because it closes all there are: a
//! socket that was handed over, or the poller's own. Whatever has the number then is left alone,
//! by [`crate::reaper::pool::Entry`] and by [`Poller`].

mod control;
mod hand_over;
mod inbox;
pub(crate) mod pool;
mod process;
mod shared;
#[cfg(test)]
mod tests;
mod worker;

pub(crate) use control::Reaper;
pub(crate) use process::{go_on_with, hand_over_to_the_process, of_the_process_if_any};
pub use shared::WhenFull;
pub(crate) use shared::{Handover, Refusal};
