//! The Rust face of many closings: at once, or in the background.

use crate::closing::End;
use crate::connection::Fault;
use crate::many::Many;
use crate::options::{Fallback, Options};
use crate::outcome::Outcome;
use crate::reaper::{self, Handover, Refusal, WhenFull};
use crate::report::Report;
use crate::set::Done;
use crate::sys::{self, LastError, Socket};
use crate::{OwnedSocket, Refused};
use std::io;
use std::time::Duration;

/// Closes many connections gracefully under one deadline, on this thread.
///
/// The results stand in the order of the sockets. With [`Fallback::Keep`] those
/// that did not end gracefully come back as [`Closed::kept`](crate::Closed).
///
/// # Errors
/// No memory: nothing was done, and the sockets are dropped.
///
/// ```
/// use graceful_close::{close_many, Options};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut servers = Vec::new();
/// for _ in 0..10 {
///     let client = TcpStream::connect(listener.local_addr()?)?;
///     servers.push(listener.accept()?.0);
///     drop(client);
/// }
/// let results = close_many(servers, &Options::new())?;
/// assert!(results.iter().all(|result| result.as_ref().unwrap().report.closed));
/// # Ok(()) }
/// ```
pub fn close_many<S: Into<OwnedSocket>>(
    sockets: impl IntoIterator<Item = S>,
    options: &Options,
) -> io::Result<Vec<Result<crate::Closed, Refused>>> {
    let sockets = sockets.into_iter();
    let mut owned: Vec<OwnedSocket> = Vec::new();
    owned.try_reserve(sockets.size_hint().0)?;
    for socket in sockets {
        owned.try_reserve(1)?;
        owned.push(socket.into());
    }
    let mut results = Vec::new();
    results.try_reserve_exact(owned.len())?;
    let raw = owned.iter().map(Socket::of);
    let mut many = Many::new(raw, options)?;
    many.run(&mut None);
    let told = owned
        .into_iter()
        .zip(many.all())
        .map(|(socket, one)| match one.end() {
            Some(End::Outcome(outcome)) => Ok(crate::Closed::of(socket, one.report(outcome))),
            Some(End::Refused(fault)) => Err(Refused::of(socket, fault.code)),
            None => Ok(crate::Closed::of(socket, one.report(Outcome::Uncertain))),
        });
    results.extend(told);
    Ok(results)
}

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
    /// background. Never blocks. [`Fallback::Keep`] and [`Fallback::Background`] count
    /// as [`Fallback::Close`] here.
    ///
    /// # Errors
    /// [`Refused`], and the socket comes back untouched: not a socket, no memory,
    /// the table full, or the reaper of a forked child's parent.
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
        let mut options = *options;
        if matches!(options.fallback, Fallback::Keep | Fallback::Background) {
            options.fallback = Fallback::Close;
        }
        options.keep_open = false;
        let handover = Handover {
            socket: Socket::of(&socket),
            options,
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

fn code_of(refusal: Refusal) -> i32 {
    match refusal {
        Refusal::Stopped => LastError::STOPPED,
        Refusal::NoResources(code) => code,
        Refusal::Full => LastError::RESOURCES,
        Refusal::System(fault) => fault.code,
    }
}
