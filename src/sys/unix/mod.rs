//! What Linux, macOS and the BSDs have in common.

mod callers;
mod cancel;
mod close;
pub(in crate::sys) mod fault;
mod hand_over;
mod keep_alive;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod limits;
mod poll_entry;
#[cfg(only_ppoll)]
mod ppoll;
#[cfg(all(not(only_ppoll), linux_calls, test, target_pointer_width = "64"))]
mod ppoll;
mod process;
mod socket;
mod thread;
mod wait;

pub(in crate::sys) use callers::{file_of, library_file, walk_callers, write_place};
pub(crate) use cancel::CancelGuard;
pub(in crate::sys) use close::close_raw;
#[cfg(target_vendor = "apple")]
pub(in crate::sys) use fault::last_fault;
pub(crate) use fault::LastError;
pub(in crate::sys) use fault::{fault, syscall};
#[cfg(linux_calls)]
pub(in crate::sys) use hand_over::FD_SETSIZE;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use limits::longest_limit;
pub(crate) use poll_entry::{poll_many, PollEntry};
pub(crate) use process::{process_generation, when_forked, BORROWED};
pub(crate) use socket::{disown, OwnedSocket, RawSocket, Socket};
#[cfg(linux_calls)]
pub(in crate::sys) use thread::count_ours_and_this;
pub(crate) use thread::Thread;
pub(in crate::sys) use wait::nap;
#[cfg(linux_calls)]
pub(in crate::sys) use wait::{millis_until, nap_on};
