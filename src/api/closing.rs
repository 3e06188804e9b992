//! The Rust face of one closing in an event loop of the program.

use super::close::{OwnedSocket, Refused};
use crate::drive::stepped::Handle;
use crate::machine::End;
use crate::options::{Options, INFINITE};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sys::{self, Socket};
use std::io;
use std::time::Duration;

/// One close in the program's own event loop: no thread, no blocking call.
///
/// Watch the socket for readability while [`wants_read`](Closing::wants_read) says
/// so, and [`step`](Closing::step) on readiness or when
/// [`timeout`](Closing::timeout) has passed. Once too often, or late, changes nothing
/// but time. Dropping one that is pending ends it by its fallback.
///
/// ```
/// use graceful_close::{Closing, Options, Outcome};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// let mut closing = Closing::new(server, &Options::new())?;
/// assert_eq!(closing.step()?, None);
/// drop(client);
/// let outcome = loop {
///     if let Some(outcome) = closing.step()? {
///         break outcome;
///     }
///     // an event loop would wait for the socket here
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// };
/// assert_eq!(outcome, Outcome::Graceful);
/// # Ok(()) }
/// ```
pub struct Closing {
    handle: Handle,
    /// While it is open.
    owner: Option<OwnedSocket>,
}

impl Closing {
    /// Begins. Nothing happens before the first step.
    ///
    /// # Errors
    /// [`Refused`]: not a socket.
    pub fn new(socket: impl Into<OwnedSocket>, options: &Options) -> Result<Closing, Refused> {
        let socket = socket.into();
        match Handle::new(Socket::of(&socket), options) {
            Ok(handle) => Ok(Closing {
                handle,
                owner: Some(socket),
            }),
            Err(fault) => Err(Refused::of(socket, fault.code)),
        }
    }

    /// Goes on as far as it can without waiting. How it ended, once it has; again
    /// the same when called after the end.
    ///
    /// # Errors
    /// The system refuses; the socket is open ([`into_socket`](Closing::into_socket)).
    pub fn step(&mut self) -> io::Result<Option<Outcome>> {
        let end = self.handle.step(&mut None);
        self.let_go();
        match end {
            None => Ok(None),
            Some(End::Outcome(outcome)) => Ok(Some(outcome)),
            Some(End::Refused(fault)) => Err(io::Error::from_raw_os_error(fault.code)),
        }
    }

    /// Whether to watch the socket for readability; if not, a level-triggered loop
    /// would spin, and the time-out alone counts.
    pub fn wants_read(&self) -> bool {
        self.handle.wants_read()
    }

    /// Step again at the latest after so long; `None`: only on readiness.
    pub fn timeout(&self) -> Option<Duration> {
        match self.handle.timeout_ms() {
            INFINITE => None,
            ms => Some(Duration::from_millis(ms.into())),
        }
    }

    /// How it ended, and what it saw; `None` while it is pending.
    pub fn report(&self) -> Option<Report> {
        match self.handle.end() {
            Some(End::Outcome(outcome)) => Some(self.handle.report(outcome)),
            _ => None,
        }
    }

    /// The socket while it is open, to be watched.
    pub fn socket(&self) -> Option<&OwnedSocket> {
        self.owner.as_ref()
    }

    /// What is left to its caller: with [`Fallback::Keep`](crate::Fallback::Keep), or
    /// after an error. One that is pending is ended by its fallback.
    pub fn into_socket(mut self) -> Option<OwnedSocket> {
        self.handle.give_up();
        self.let_go();
        self.owner.take()
    }

    /// The owner forgets what has been closed.
    fn let_go(&mut self) {
        let is_closed = self.handle.end().is_some() && self.handle.is_closed();
        if !is_closed {
            return;
        }
        if let Some(socket) = self.owner.take() {
            sys::disown(socket);
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.handle.give_up();
        self.let_go();
    }
}
