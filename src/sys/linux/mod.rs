//! Linux.

mod blocked;
mod connection;
mod counters;
mod identity;
mod local;
mod poller;
mod probe;
mod sharing;
mod tcp;
mod waiter;

pub(crate) use super::unix::{
    disown, process_generation, when_forked, CancelGuard, LastError, OwnedSocket, Socket, Thread,
    BORROWED,
};
pub(super) use super::unix::{file_of, library_file, walk_callers, write_place};
pub(crate) use poller::Poller;
pub(crate) use sharing::look_for_sharing;
pub(crate) use waiter::Waiter;
