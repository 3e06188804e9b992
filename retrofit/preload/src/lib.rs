//! Graceful closes for Linux programs that nobody rewrites: by `LD_PRELOAD`, or, with the feature
//! `link`, by an archive that is linked into the program (`linked`).
//!
//! The library stands in for `close()` and for the functions by which descriptors come, are
//! shared and go. A connected TCP socket whose last holder closes it is duplicated to a high
//! number, half-closed and *parked*; the program's own descriptor is closed normally. One thread
//! in the background drives what is parked with the state machine of `graceful_close`. All else,
//! and all that is doubtful, is closed normally.
//!
//! What runs in the program's threads (`close`, `holders`, `park`) makes only system calls
//! and atomic operations on tables of fixed size: it may be called from a signal handler, after
//! fork() and from a thread of any kind. `reaper` is the background thread, `exit` the end
//! of the process, `interpose` the C functions that the program calls.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![deny(unsafe_code)]
// nobody calls the interposed functions there
#![cfg_attr(test, allow(dead_code))]
#![deny(unsafe_op_in_unsafe_fn)]

mod accept_queue;
mod alone;
mod ancestry;
mod close;
mod driver;
mod epoll_sets;
mod exec_locks;
mod exit;
mod fd_table;
#[allow(unsafe_code)]
mod files;
mod folder;
mod holders;
#[allow(unsafe_code)]
mod interpose;
#[cfg(all(feature = "link", not(test)))]
#[allow(unsafe_code)]
mod linked;
mod log;
mod log_file;
mod looks;
#[allow(unsafe_code)]
mod memory;
mod observe;
mod own_fds;
mod pace;
mod park;
mod partial;
mod process;
#[allow(unsafe_code)]
mod raw;
#[allow(unsafe_code)]
mod real;
mod reaper;
mod room;
mod scan;
mod senders;
mod settings;
#[allow(unsafe_code)]
mod signal_state;
mod slots;
mod streams;
mod suitable;
#[allow(unsafe_code)]
mod sys;
mod tcp;
#[allow(unsafe_code)]
mod thread;
#[allow(unsafe_code)]
mod waiting;
mod watched;
