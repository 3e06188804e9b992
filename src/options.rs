//! What the caller may ask of a close.

use std::time::Duration;

/// What to do with a socket whose close could not be completed gracefully.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// Ordinary close: the kernel goes on trying in the background.
    #[default]
    Close,
    /// Reset the connection: nothing lingers, unsent data is dropped.
    Abort,
    /// Hand the socket back, half-closed and open.
    ///
    /// A connection that is dead already (reset, lost) is closed all the same.
    /// `SO_LINGER` stays off; on Windows the socket comes back non-blocking and
    /// without its `WSAEventSelect` or `WSAAsyncSelect`.
    Keep,
    /// Hand it to the reaper of the process, which goes on with it for
    /// [`Options::background`]: [`Outcome::Continued`](crate::Outcome::Continued).
    ///
    /// Only where the time ran out, total or idle; after another end it is closed
    /// ordinarily. What the peer sends in the background is thrown away, and the final
    /// outcome is told by the log and the statistics. Without a thread, descriptor or memory
    /// for the reaper it is closed ordinarily, and told as timed out. A [`Reaper`](crate::Reaper)
    /// refuses it.
    Background,
}

/// What to do with a connection that another process or descriptor also holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfShared {
    /// Do not look: the caller says that the connection is over for everybody.
    #[default]
    Shutdown,
    /// Look, and if it is shared, or the system cannot tell, only close our own
    /// descriptor: [`Outcome::Released`](crate::Outcome::Released).
    Release,
}

/// How to close.
///
/// The default waits at most 5 seconds, throws away what the peer still sends
/// and closes ordinarily when the time is up.
///
/// ```
/// use graceful_close::{Fallback, Options};
/// use std::time::Duration;
///
/// let options = Options::new()
///     .timeout(Duration::from_secs(30))
///     .idle_timeout(Duration::from_secs(5))
///     .fallback(Fallback::Abort);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) timeout_ms: u32,
    pub(crate) idle_timeout_ms: u32,
    pub(crate) peer_first_ms: u32,
    pub(crate) fallback: Fallback,
    pub(crate) if_shared: IfShared,
    pub(crate) max_drain_bytes: usize,
    pub(crate) until_acked: bool,
    pub(crate) keep_open: bool,
    pub(crate) background_ms: u32,
}

/// A time-out that never comes, as `INFINITE` in Win32.
pub(crate) const INFINITE: u32 = u32::MAX;

/// Unless told otherwise.
pub(crate) const DEFAULT_TIMEOUT_MS: u32 = 5000;

/// So long the reaper goes on, unless told otherwise.
pub(crate) const DEFAULT_BACKGROUND_MS: u32 = 30_000;

impl Default for Options {
    fn default() -> Options {
        Options {
            timeout_ms: DEFAULT_TIMEOUT_MS,
            idle_timeout_ms: 0,
            peer_first_ms: 0,
            fallback: Fallback::Close,
            if_shared: IfShared::Shutdown,
            max_drain_bytes: 0,
            until_acked: false,
            keep_open: false,
            background_ms: DEFAULT_BACKGROUND_MS,
        }
    }
}

impl Options {
    /// The defaults: 5 seconds, no idle time-out, half-close at once, no limit.
    pub fn new() -> Options {
        Options::default()
    }

    /// For a server whose clients may go on sending for a while: 30 seconds, 5 of them
    /// idle, 64 MiB at most.
    pub fn server() -> Options {
        Options {
            timeout_ms: 30_000,
            idle_timeout_ms: 5000,
            max_drain_bytes: 64 << 20,
            ..Options::default()
        }
    }

    /// Bounds the whole close, from the call.
    ///
    /// Zero still half-closes, drains what is there, and closes gracefully if
    /// the peer's FIN is there too. Rounded up to whole milliseconds;
    /// [`Duration::MAX`] never comes.
    pub fn timeout(mut self, timeout: Duration) -> Options {
        self.timeout_ms = millis(timeout);
        self
    }

    /// Gives up sooner when nothing moved in either direction for so long.
    ///
    /// Bytes that come in, and bytes of ours that the peer acknowledges (where
    /// the system can tell), start it anew. It runs from the half-close on.
    /// Zero, the default: no idle time-out.
    pub fn idle_timeout(mut self, idle: Duration) -> Options {
        self.idle_timeout_ms = millis(idle);
        self
    }

    /// Waits so long for the peer to close first, so that TIME_WAIT falls on
    /// its side. Zero, the default: half-close at once.
    pub fn peer_first(mut self, wait: Duration) -> Options {
        self.peer_first_ms = millis(wait);
        self
    }

    /// What to do when the close could not be completed gracefully.
    pub fn fallback(mut self, fallback: Fallback) -> Options {
        self.fallback = fallback;
        self
    }

    /// With [`Fallback::Background`]: how long the reaper of the process may go on, from the
    /// moment at which the caller's time ran out. The default: 30 seconds.
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
    /// let options = Options::new()
    ///     .timeout(Duration::from_millis(20))
    ///     .fallback(Fallback::Background)
    ///     .background(Duration::from_secs(10));
    /// let closed = graceful_close::close_with(server, &options)?;
    /// assert_eq!(closed.report.outcome, Outcome::Continued);
    /// assert!(closed.kept.is_none());
    /// # drop(silent);
    /// # Ok(()) }
    /// ```
    pub fn background(mut self, time: Duration) -> Options {
        self.background_ms = millis(time);
        self
    }

    /// What to do with a connection that somebody else holds too.
    pub fn if_shared(mut self, if_shared: IfShared) -> Options {
        self.if_shared = if_shared;
        self
    }

    /// Gives up when the peer sends more than so many bytes. Zero, the
    /// default: no limit.
    pub fn max_drain_bytes(mut self, bytes: usize) -> Options {
        self.max_drain_bytes = bytes;
        self
    }

    /// Does not wait for the peer's FIN: it is over as soon as the peer's TCP has
    /// acknowledged everything of ours, FIN included, as
    /// [`Outcome::Delivered`](crate::Outcome::Delivered). A FIN of the peer's that is
    /// there first makes it graceful all the same. Without meaning where the system
    /// cannot tell.
    ///
    /// The peer's program need not have read it: bytes that it sends later are answered
    /// with a reset.
    pub fn until_acked(mut self) -> Options {
        self.until_acked = true;
        self
    }

    /// The whole sequence but the close: the socket comes back open on every outcome, for
    /// its owner to close, which then neither blocks nor resets. A [`Reaper`](crate::Reaper)
    /// refuses it, and [`Fallback::Background`] is without meaning then.
    pub fn keep_open(mut self) -> Options {
        self.keep_open = true;
        self
    }
}

/// Whole milliseconds, rounded up; what does not fit is [`INFINITE`].
pub(crate) fn millis(duration: Duration) -> u32 {
    let ms = duration.as_nanos().saturating_add(999_999) / 1_000_000;
    u32::try_from(ms).unwrap_or(INFINITE)
}
