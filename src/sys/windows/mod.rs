//! Windows (Winsock 2).

mod bell;
mod by_socket2;
mod callers;
mod connection;
mod ending;
mod event;
mod fault;
mod hand_over;
mod handle;
mod identity;
mod keep_alive;
mod poll_entry;
mod process;
mod receives;
mod started;
mod system_dll;
mod thread;
mod wait;
mod waiter;

pub(crate) use bell::Bell;
pub(in crate::sys) use callers::{file_of, library_file, walk_callers, write_place};
pub(crate) use event::wait_for_any;
pub(crate) use handle::{disown, CancelGuard, LastError, OwnedSocket, Socket};
pub(crate) use poll_entry::{poll_many, PollEntry};
pub(crate) use process::{process_generation, when_forked, BORROWED};
pub(crate) use thread::Thread;
pub(crate) use waiter::Waiter;
