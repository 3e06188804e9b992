//! The Rust face of one close on the caller's thread.

use crate::drive::blocking::{self, Blocking};
use crate::drive::job::Sink;
use crate::machine::End;
use crate::options::Options;
use crate::report::Report;
use crate::sys::{self, LastError, Socket};
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

/// What owns a socket on this system: [`std::os::fd::OwnedFd`], or
/// [`std::os::windows::io::OwnedSocket`](https://doc.rust-lang.org/std/os/windows/io/struct.OwnedSocket.html).
///
/// `TcpStream`, `UnixStream` and `socket2::Socket` all turn into it.
pub type OwnedSocket = sys::OwnedSocket;

/// Closes gracefully, within `timeout`; then ordinarily.
///
/// Blocks until it is over. The outcome is told by the report; it is an error
/// only if nothing was done at all, and then the socket comes back in it.
///
/// # Errors
/// [`Refused`]: not a socket, or the system refuses to half-close it.
///
/// ```
/// use std::net::TcpListener;
/// use std::time::Duration;
///
/// // A listening socket has nothing to negotiate.
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let report = graceful_close::close(listener, Duration::from_secs(1))?;
/// assert_eq!(report.outcome, graceful_close::Outcome::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn close(socket: impl Into<OwnedSocket>, timeout: Duration) -> Result<Report, Refused> {
    let options = Options::new().timeout(timeout);
    run(socket.into(), &options, &mut None).map(|closed| closed.report)
}

/// Closes as `options` say.
///
/// # Errors
/// As [`close`].
///
/// ```
/// use graceful_close::{Fallback, Options, Outcome};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let silent = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// let options = Options::new()
///     .timeout(Duration::from_millis(20))
///     .fallback(Fallback::Keep);
/// let closed = graceful_close::close_with(server, &options)?;
/// assert_eq!(closed.report.outcome, Outcome::TimedOut);
/// let half_closed = closed.kept.expect("it was to be kept");
/// # drop((half_closed, silent));
/// # Ok(()) }
/// ```
pub fn close_with(socket: impl Into<OwnedSocket>, options: &Options) -> Result<Closed, Refused> {
    run(socket.into(), options, &mut None)
}

/// Closes as `options` say; `reader` gets what the peer still sends.
///
/// The data comes in portions, in order, on the calling thread. Breaking off
/// ends the close with [`Outcome::Stopped`](crate::Outcome::Stopped).
///
/// # Errors
/// As [`close`].
///
/// ```
/// use graceful_close::Options;
/// use std::io::Write;
/// use std::net::{Shutdown, TcpListener, TcpStream};
/// use std::ops::ControlFlow;
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let mut client = TcpStream::connect(listener.local_addr()?)?;
/// # let (server, _) = listener.accept()?;
/// client.write_all(b"the rest")?;
/// client.shutdown(Shutdown::Write)?;
///
/// let mut rest = Vec::new();
/// graceful_close::close_reading(server, &Options::new(), |data| {
///     rest.extend_from_slice(data);
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(rest, b"the rest");
/// # Ok(()) }
/// ```
pub fn close_reading(
    socket: impl Into<OwnedSocket>,
    options: &Options,
    mut reader: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Closed, Refused> {
    let mut sink = |data: &[u8]| reader(data).is_continue();
    run(socket.into(), options, &mut Some(&mut sink))
}

/// Resets the connection now: unsent data is dropped, nothing lingers.
///
/// What has no connection is closed ordinarily. Does not block; every holder of
/// the connection loses it, on Linux at once, elsewhere when the last one closes.
///
/// # Errors
/// [`Refused`]: not a socket.
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
/// graceful_close::abort(server)?;
/// let told = client.read(&mut [0; 16]).unwrap_err();
/// assert_eq!(told.kind(), ErrorKind::ConnectionReset);
/// # Ok(()) }
/// ```
pub fn abort(socket: impl Into<OwnedSocket>) -> Result<(), Refused> {
    let socket = socket.into();
    let before = LastError::get();
    match blocking::abort(&mut Socket::of(&socket)) {
        Ok(()) => {
            LastError::set(before);
            sys::disown(socket);
            Ok(())
        }
        Err(fault) => Err(Refused::of(socket, fault.code)),
    }
}

/// What became of a socket that was closed with options.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// How it ended.
    pub report: Report,
    /// With [`Fallback::Keep`](crate::Fallback::Keep), if it did not end gracefully: the socket,
    /// half-closed and open.
    pub kept: Option<OwnedSocket>,
}

/// Nothing was done, and the socket comes back.
///
/// Turns into an [`io::Error`] with `?`; the socket is dropped then.
#[derive(Debug)]
pub struct Refused {
    socket: OwnedSocket,
    why: Why,
}

#[derive(Debug)]
enum Why {
    System(i32),
    /// Options that exclude each other.
    Options(&'static str),
}

impl Closed {
    /// Lets the owner go if the socket is closed.
    pub(super) fn of(socket: OwnedSocket, report: Report) -> Closed {
        let kept = match report.closed {
            true => {
                sys::disown(socket);
                None
            }
            false => Some(socket),
        };
        Closed { report, kept }
    }
}

impl Refused {
    pub(super) fn of(socket: OwnedSocket, code: i32) -> Refused {
        let why = Why::System(code);
        Refused { socket, why }
    }

    pub(super) fn of_options(socket: OwnedSocket, words: &'static str) -> Refused {
        let why = Why::Options(words);
        Refused { socket, why }
    }

    /// The socket, still open.
    pub fn into_socket(self) -> OwnedSocket {
        self.socket
    }

    /// What the system said; [`io::ErrorKind::InvalidInput`] with words where options exclude
    /// each other.
    pub fn system_error(&self) -> io::Error {
        match self.why {
            Why::System(code) => io::Error::from_raw_os_error(code),
            Why::Options(words) => io::Error::new(io::ErrorKind::InvalidInput, words),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "nothing was closed, the socket is still open: {}",
            self.system_error()
        )
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> io::Error {
        refused.system_error()
    }
}

/// The owner stays in charge while a reader may panic, so that the socket is
/// closed on that way out too; it lets go once the machine has closed it.
fn run(socket: OwnedSocket, options: &Options, sink: &mut Sink<'_>) -> Result<Closed, Refused> {
    let before = LastError::get();
    let mut closing = Blocking::new(Socket::of(&socket), options, true);
    match closing.run(sink) {
        End::Refused(fault) => Err(Refused::of(socket, fault.code)),
        End::Outcome(outcome) => {
            LastError::set(before);
            let report = closing.report(outcome);
            Ok(Closed::of(socket, report))
        }
    }
}
