//! Ends a TCP connection properly, and tells how it ended.
//!
//! Dropping a socket (or `closesocket(s)`, `close(fd)`) is not the end of a
//! connection that one would wish for: if unread bytes sit in the receive
//! buffer, or arrive a moment later, the kernel answers with a reset, and the
//! tail of what was sent is thrown away at the peer. [`close`] half-closes,
//! drains what the peer still sends until its FIN, waits until the peer's TCP
//! has acknowledged everything, and closes, within a deadline:
//!
//! ```
//! use graceful_close::Outcome;
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (mut server, _) = listener.accept()?;
//!
//! // The server answers although half of the request is still unread.
//! client.write_all(b"a request, and a body that nobody reads")?;
//! server.write_all(b"an early answer")?;
//! let closing = std::thread::spawn(move || {
//!     graceful_close::close(server, Duration::from_secs(5))
//! });
//!
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert_eq!(answer, "an early answer");
//! drop(client);
//!
//! let report = closing.join().unwrap()?;
//! assert_eq!(report.outcome, Outcome::Graceful);
//! assert_eq!(report.drained_bytes, 39);
//! # Ok(()) }
//! ```
//!
//! # What is behind it
//!
//! A closing is a state machine that never blocks; everything else is a way to
//! drive it. The C functions of `include/graceful_close.h`, for existing C and
//! C++ programs, drive the same machine.
//!
//! # Sharing
//!
//! **A half-close acts on the connection, for every process and descriptor that
//! holds it**; dropping a socket only gives up one reference. Close gracefully
//! where the connection is over for everybody, or ask for
//! [`IfShared::Release`].
//!
//! # Features
//!
//! `capi`, on by default, is the C functions. A Rust program does not need it, and a shared
//! library made of a Rust program that leaves it on exports them: `default-features = false`.
//!
//! # Examples
//!
//! `examples/graceful_server.rs` and `examples/graceful_client.rs` are the classic sequence.
//!
//! # Threads
//!
//! Everything may be called from any thread.

#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]
// what only the C functions call
#![cfg_attr(not(feature = "capi"), allow(dead_code, unused_imports))]

mod api;
#[cfg(feature = "capi")]
#[allow(unsafe_code)]
mod capi;
mod clock;
mod connection;
mod drive;
#[doc(hidden)]
pub mod internals;
mod log;
mod machine;
mod options;
mod outcome;
mod reaper;
mod report;
mod stats;
#[allow(unsafe_code)]
mod sys;

pub use api::close::{abort, close, close_reading, close_with, Closed, OwnedSocket, Refused};
pub use api::closing::Closing;
pub use api::many::close_many;
pub use api::reaper::{Reaper, ReaperOptions};
pub use log::{clear_log, set_log, set_log_caller};
pub use options::{Fallback, IfShared, Options};
pub use outcome::Outcome;
pub use reaper::WhenFull;
pub use report::Report;
pub use stats::{stats, Stats};
