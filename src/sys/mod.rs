//! The systems: one file each with the same list of primitives, and nothing
//! else. All of them have
//!
//! - [`Socket`]: a raw descriptor that answers as a
//!   [`Connection`](crate::connection::Connection); copying it copies the number,
//!   dropping it closes nothing,
//! - [`Waiter`]: waits for one socket,
//! - [`LastError`]: the calling thread's `errno` or Winsock error, and [`ErrorText`], such a
//!   number in words,
//! - [`CancelGuard`]: holds off thread cancellation,
//! - [`Poller`]: waits for many, and has a bell,
//! - [`Thread`], and [`process_generation`], which tells a forked child from its
//!   parent ([`BORROWED`]: one that shares its memory), and [`PerProcess`], which keeps
//!   their values apart,
//! - [`Callers`], who called, and [`CodePlace`], where that is in its file,
//! - `look_for_sharing`, the question who else holds them for many sockets at once,
//! - [`OwnedSocket`], the system's owner of a socket, and [`disown`], which makes
//!   one forget what has been closed.
//!
//! No owning socket type of `std` or `socket2` is ever dropped on the way of a
//! close: its `Drop` calls the `close` or `closesocket` of the link, which may
//! be the program's override that calls us.

mod callers;
mod counted;
#[cfg(not(linux_calls))]
mod ends_mark;
mod error_text;
mod hand_over;
#[cfg(not(linux_calls))]
mod one_by_one;
mod per_process;
#[cfg(not(linux_calls))]
mod poll_table;
mod room;
mod scratch;
mod thread_flag;
#[cfg(unix)]
mod unix;

#[cfg(all(unix, not(linux_calls)))]
mod bsd;
#[cfg(linux_calls)]
mod linux;
mod system;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
compile_error!("graceful_close knows POSIX sockets and Winsock only");

#[cfg(not(linux_calls))]
pub(crate) use poll_table::Poller;
#[cfg(linux_calls)]
pub(crate) use system::Poller;

#[cfg(windows)]
pub(crate) use system::{wait_for_any, PollEntry};
#[cfg(unix)]
pub(crate) use unix::{poll_many as wait_for_any, PollEntry};

pub(crate) use callers::{Callers, CodePlace, IsEntry};
pub(crate) use counted::Counted;
pub(crate) use error_text::ErrorText;
pub(crate) use hand_over::{HandOver, Probe};
pub(crate) use per_process::PerProcess;
pub(crate) use room::{boxed, Room};
pub(crate) use system::{disown, CancelGuard, LastError, OwnedSocket, Socket, Waiter};
pub(crate) use system::{process_generation, when_forked, Thread, BORROWED};
pub(crate) use thread_flag::ThreadFlag;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use unix::longest_limit;

#[cfg(not(linux_calls))]
pub(crate) use one_by_one::look_for_sharing;
#[cfg(linux_calls)]
pub(crate) use system::look_for_sharing;
