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
//! - `look_for_sharing`, the question who else holds them for many sockets at once,
//! - [`OwnedSocket`], the system's owner of a socket, and [`disown`], which makes
//!   one forget what has been closed.
//!
//! No owning socket type of `std` or `socket2` is ever dropped on the way of a
//! close: its `Drop` calls the `close` or `closesocket` of the link, which may
//! be the program's override that calls us.

mod counted;
mod error_text;
#[cfg(unix)]
mod keep_alive;
#[cfg(unix)]
mod poll_entry;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod thread;
#[cfg(unix)]
mod unix;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod system;

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[path = "bsd.rs"]
mod system;

#[cfg(windows)]
#[path = "windows.rs"]
mod system;

#[cfg(not(any(unix, windows)))]
compile_error!("graceful_close knows POSIX sockets and Winsock only");

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod table;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use system::Poller;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use table::Poller;

#[cfg(unix)]
pub(crate) use poll_entry::{poll_many as wait_for_any, PollEntry};
#[cfg(windows)]
pub(crate) use system::{wait_for_any, PollEntry};

pub(crate) use counted::Counted;
pub(crate) use error_text::ErrorText;
pub(crate) use per_process::PerProcess;
pub(crate) use room::{boxed, Room};
pub(crate) use system::{disown, CancelGuard, LastError, OwnedSocket, Socket, Waiter};
pub(crate) use system::{process_generation, when_forked, Thread, BORROWED};
pub(crate) use thread_flag::ThreadFlag;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use system::look_for_sharing;

/// Who else holds each of these sockets: of what has one to be looked for. A question
/// for each of them, where that costs one system call.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn look_for_sharing<T>(
    all: &mut [T],
    socket: impl Fn(&T) -> Option<Socket>,
    until: crate::clock::Time,
    tell: impl Fn(&mut T, crate::connection::Sharing),
) {
    for one in all {
        if let Some(mut socket) = socket(one) {
            tell(
                one,
                crate::connection::Connection::sharing(&mut socket, until),
            );
        }
    }
}

mod per_process;
mod room;
mod thread_flag;

/// Scratch space for bytes that nobody wants. It is never read, so that any
/// number of threads may have the kernel write to it at once; it lies in .bss
/// and costs no memory until a system really copies into it.
mod scratch {
    use std::cell::UnsafeCell;

    pub(super) const SIZE: usize = 1 << 20;

    struct Scratch(UnsafeCell<[u8; SIZE]>);

    // SAFETY: only `pointer` gives access, as a raw pointer that is handed to
    // the kernel; no reference to the bytes is ever made and nobody reads them.
    unsafe impl Sync for Scratch {}

    static SCRATCH: Scratch = Scratch(UnsafeCell::new([0; SIZE]));

    pub(super) fn pointer() -> *mut u8 {
        SCRATCH.0.get().cast()
    }
}
