//! What the state machine asks of a connection.
//!
//! Every call returns at once. [`crate::sys`] answers with system calls, the
//! tests with a scripted peer.

mod answers;
mod ends;
mod fault;
mod identity;
mod primitives;
mod wait;

pub(crate) use answers::{Backlog, Kind, Received, Sharing, TcpState, Unanswered};
pub(crate) use ends::Ends;
pub(crate) use fault::{not_ours, Answer, Fault, FaultKind};
#[cfg(not(linux_calls))]
pub(crate) use identity::OneEnd;
pub(crate) use identity::{Indexed, Mark};
pub(crate) use primitives::Connection;
pub(crate) use wait::{Wait, Watch, Watcher};
