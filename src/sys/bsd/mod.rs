//! macOS, iOS and the BSDs.
//!
//! No event of theirs tells of an acknowledgement; only macOS tells whether somebody
//! else holds a socket.

mod bell;
mod connection;
mod identity;
mod probe;
#[cfg_attr(
    all(target_os = "linux", not(generic_unix_untold)),
    path = "sharing_of_linux.rs"
)]
mod sharing;
#[cfg_attr(
    any(target_os = "dragonfly", generic_unix_untold),
    path = "tcp_untold.rs"
)]
#[cfg_attr(
    all(target_os = "linux", not(generic_unix_untold)),
    path = "tcp_of_linux.rs"
)]
mod tcp;
mod waiter;

pub(crate) use super::unix::{
    disown, poll_many, process_generation, when_forked, CancelGuard, LastError, OwnedSocket,
    PollEntry, Socket, Thread, BORROWED,
};
pub(super) use super::unix::{file_of, library_file, walk_callers, write_place};
pub(super) use bell::Bell;
pub(crate) use waiter::Waiter;
