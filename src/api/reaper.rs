//! The Rust face of the background.

use super::close::{OwnedSocket, Refused};
use crate::connection::Fault;
use crate::options::{Fallback, Options};
use crate::reaper::pool::Done;
use crate::reaper::{self, Handover, Refusal, WhenFull};
use crate::report::Report;
use crate::sys::{self, LastError, Socket};
use std::io;
use std::time::Duration;

/// How a [`Reaper`] works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaperOptions {
    max_pending: usize,
    when_full: WhenFull,
}

impl ReaperOptions {
    /// No limit.
    pub fn new() -> ReaperOptions {
        ReaperOptions::default()
    }

    /// How many may be pending. Zero, the default: no limit.
    pub fn max_pending(mut self, connections: usize) -> ReaperOptions {
        self.max_pending = connections;
        self
    }

    /// What to do with one more.
    pub fn when_full(mut self, when_full: WhenFull) -> ReaperOptions {
        self.when_full = when_full;
        self
    }
}

/// One thread that finishes any number of closes.
///
/// Dropping it ends what is pending by its fallback; [`Reaper::flush`] before
/// waits for it.
///
/// ```
/// use graceful_close::{Options, Outcome, Reaper, ReaperOptions};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// let reaper = Reaper::new(&ReaperOptions::new())?;
/// let (tell, told) = std::sync::mpsc::channel();
/// reaper.close_then(server, &Options::new(), move |report| {
///     let _ = tell.send(report.outcome);
/// })?;
/// drop(client);
/// assert!(reaper.flush(Duration::from_secs(5)));
/// assert_eq!(told.recv().unwrap(), Outcome::Graceful);
/// # Ok(()) }
/// ```
pub struct Reaper {
    inner: reaper::Reaper,
}

impl Reaper {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread, descriptor or memory to be had.
    pub fn new(options: &ReaperOptions) -> io::Result<Reaper> {
        reaper::Reaper::start(options.max_pending, options.when_full)
            .map(|inner| Reaper { inner })
            .map_err(|refusal| io::Error::from_raw_os_error(code_of(refusal)))
    }

    /// Takes a socket over: its FIN leaves in the call, the rest is done in the
    /// background. Never blocks.
    ///
    /// # Errors
    /// [`Refused`], and the socket comes back untouched: not a socket, no memory,
    /// the table full, or the reaper of a forked child's parent; or options that make no sense
    /// here: [`Fallback::Keep`](crate::Fallback::Keep), [`Fallback::Background`] and
    /// [`Options::keep_open`](crate::Options::keep_open).
    pub fn close(&self, socket: impl Into<OwnedSocket>, options: &Options) -> Result<(), Refused> {
        self.hand_over(socket.into(), options, None)
    }

    /// The same, and calls `done` exactly once, on the reaper's thread.
    ///
    /// # Errors
    /// As [`Reaper::close`]; `done` is not called then.
    pub fn close_then(
        &self,
        socket: impl Into<OwnedSocket>,
        options: &Options,
        done: impl FnOnce(&Report) + Send + 'static,
    ) -> Result<(), Refused> {
        match sys::boxed(move |_: Option<Fault>, report: &Report| done(report)) {
            Ok(done) => self.hand_over(socket.into(), options, Some(done)),
            Err(_) => Err(Refused::of(socket.into(), LastError::RESOURCES)),
        }
    }

    fn hand_over(
        &self,
        socket: OwnedSocket,
        options: &Options,
        done: Option<Done>,
    ) -> Result<(), Refused> {
        if let Some(words) = makes_no_sense(options) {
            return Err(Refused::of_options(socket, words));
        }
        let handover = Handover {
            socket: Socket::of(&socket),
            options: *options,
            deferred: false,
            done,
            reader: None,
        };
        match self.inner.hand_over(handover) {
            Ok(()) => {
                sys::disown(socket);
                Ok(())
            }
            Err(refusal) => Err(Refused::of(socket, code_of(refusal))),
        }
    }

    /// How many are pending.
    pub fn pending(&self) -> usize {
        self.inner.pending()
    }

    /// Waits until none is pending, for at most so long; whether that came to be.
    pub fn flush(&self, timeout: Duration) -> bool {
        let timeout_ms = crate::options::millis(timeout);
        self.inner.flush(timeout_ms).unwrap_or(false)
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        let _ = self.inner.stop(0);
    }
}

/// The same that gc_reaper_close() refuses.
fn makes_no_sense(options: &Options) -> Option<&'static str> {
    match options.fallback {
        Fallback::Keep => {
            Some("Fallback::Keep is not for the background: nobody would get the socket")
        }
        _ if options.keep_open => {
            Some("keep_open is not for the background: nobody would get the socket")
        }
        Fallback::Background => {
            Some("Fallback::Background is not for the background, which has all of the time-out")
        }
        Fallback::Close | Fallback::Abort => None,
    }
}

fn code_of(refusal: Refusal) -> i32 {
    match refusal {
        Refusal::Stopped => LastError::STOPPED,
        Refusal::NoResources(code) => code,
        Refusal::Full => LastError::RESOURCES,
        Refusal::System(fault) => fault.code,
    }
}
