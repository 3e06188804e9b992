//! macOS, iOS and the BSDs.
//!
//! No event of theirs tells of an acknowledgement; only macOS tells whether somebody
//! else holds a socket.

mod bell;
mod connection;
mod identity;
mod probe;
mod sharing;
#[cfg(not(target_os = "dragonfly"))]
mod tcp;
#[cfg(target_os = "dragonfly")]
#[path = "tcp_untold.rs"]
mod tcp;
mod waiter;

pub(crate) use super::unix::{
    disown, poll_many, process_generation, when_forked, CancelGuard, LastError, OwnedSocket,
    PollEntry, Socket, Thread, BORROWED,
};
pub(super) use bell::Bell;
pub(crate) use waiter::Waiter;
