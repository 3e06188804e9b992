//! Constants and structs. All numbers are frozen once released; structs grow
//! at their end only.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// SOCKET on Windows, int elsewhere.
#[cfg(windows)]
pub(super) type gc_socket = usize;
#[cfg(not(windows))]
pub(super) type gc_socket = c_int;

/// The peer's FIN arrived, and its TCP acknowledged every byte we sent and our FIN.
/// Where the system cannot tell what is acknowledged (unacked_bytes is
/// GC_UNKNOWN: Winsock, AF_UNIX), a FIN received after our half-close counts.
pub const GC_GRACEFUL: c_int = 0;
/// The total or the idle time ran out first.
pub const GC_TIMED_OUT: c_int = 1;
/// The peer reset the connection, or it was already dead on entry.
pub const GC_RESET: c_int = 2;
/// The network gave up: unreachable, keep-alive or retransmission time-out. A close that may
/// wait longer than a minute finds a peer's machine that vanished (see timeout_ms).
pub const GC_LOST: c_int = 3;
/// The peer sent more than max_drain_bytes.
pub const GC_DRAIN_LIMIT: c_int = 4;
/// on_data asked to stop: the socket is closed. (GC_ERR_STOPPED is something else.)
pub const GC_STOPPED: c_int = 5;
/// Nothing to negotiate: datagram, listening or never connected; closed at once.
pub const GC_NOT_CONNECTED: c_int = 6;
/// End of stream without proof of a FIN (the program had shut its receiving
/// side, a filter driver made it up); waited out and closed.
pub const GC_UNCERTAIN: c_int = 7;
/// A full or stopping reaper could not wait any longer for this one.
pub const GC_EVICTED: c_int = 8;
/// Somebody else holds the same connection, or nobody can tell: only our own
/// reference was given up (see if_shared). If nobody can tell, system_error says
/// why.
pub const GC_RELEASED: c_int = 9;
/// The peer's TCP acknowledged every byte we sent and our FIN; its own FIN was not
/// waited for (only with GC_UNTIL_ACKED).
pub const GC_DELIVERED: c_int = 10;
/// The caller's time ran out; the reaper of the process goes on with it (only with
/// GC_THEN_BACKGROUND). report.closed is 1: the descriptor is no longer yours.
pub const GC_CONTINUED: c_int = 11;

/// Only from gc_closing_step(): not finished.
pub const GC_PENDING: c_int = 100;

/// Bad descriptor or not a socket (EBADF, ENOTSOCK, WSAENOTSOCK). On Windows also
/// WSANOTINITIALISED (10093): the program has not called WSAStartup.
pub const GC_ERR_NOT_A_SOCKET: c_int = -1;
/// NULL where it may not be, unknown struct size, flag, fallback or policy.
pub const GC_ERR_ARGUMENT: c_int = -2;
/// No memory, descriptor or thread for it.
pub const GC_ERR_RESOURCES: c_int = -3;
/// The reaper has been stopped: nothing was done. (GC_STOPPED is something else.)
pub const GC_ERR_STOPPED: c_int = -4;
/// Any other refusal of the system; errno or WSAGetLastError() says which.
pub const GC_ERR_SYSTEM: c_int = -5;
/// A bug of ours, caught at the border. The one code that does not say whether
/// the socket is still open: report.closed does.
pub const GC_ERR_INTERNAL: c_int = -6;

/// fallback: ordinary close; the kernel goes on trying in the background.
pub const GC_THEN_CLOSE: c_uint = 0;
/// fallback: reset the connection; nothing lingers, unsent data is dropped.
pub const GC_THEN_ABORT: c_uint = 1;
/// fallback: hand the socket back, half-closed and open (report.closed is 0).
/// What is dead already (GC_RESET, GC_LOST) is closed all the same. SO_LINGER
/// stays off; on Windows the socket comes back non-blocking and (but from
/// gc_closing) without its WSAEventSelect or WSAAsyncSelect.
pub const GC_THEN_KEEP: c_uint = 2;
/// fallback: hand it to the reaper of the process, which goes on with it for background_ms:
/// GC_CONTINUED. Only where the time ran out, total or idle; what ends otherwise is closed
/// ordinarily. In the background what the peer sends is thrown away, no idle time-out counts,
/// and when background_ms are over it is closed ordinarily. on_data and the report are not
/// touched any more: gc_set_log() and gc_get_stats() have the final outcome, which counts
/// once. As with gc_close_async(), gc_flush() before the end of the program waits for
/// it. If the reaper cannot be started or take it (memory, descriptors, a child of vfork()),
/// it is closed ordinarily: GC_TIMED_OUT. GC_ERR_ARGUMENT in the background itself, and with
/// GC_KEEP_OPEN.
pub const GC_THEN_BACKGROUND: c_uint = 3;

/// if_shared: do not look; the caller says that the connection is over for
/// everybody who holds it.
pub const GC_SHARED_SHUTDOWN: c_uint = 0;
/// if_shared: look, and if another descriptor or process holds the connection
/// only close our own: GC_RELEASED. What cannot be determined counts as shared; then
/// SO_LINGER is switched off before, so that the close neither waits nor resets.
/// Looking is as good as the system: exact on Windows (handle count) and macOS. On
/// Linux it walks /proc (docs/platforms.md says what that costs), once for all of
/// gc_close_many(). It cannot be determined without /proc, nor while a process that could
/// hold the connection does not let itself be looked at: after setuid() every
/// other process of the same user (EACCES; prctl(PR_SET_DUMPABLE, 1) after it lets
/// them look at each other), and a parent or a child that is another user. On the
/// BSDs it cannot be determined at all: GC_SHARED_RELEASE is a bare close there. Looking
/// and closing are two steps; a fork() between them is not seen.
pub const GC_SHARED_RELEASE: c_uint = 1;

/// flags: background only. The reaper does even the half-close; the caller pays
/// for a queue entry alone, and the FIN leaves a little later. Without meaning,
/// and harmless, in a blocking close.
pub const GC_DEFERRED: c_uint = 1;

/// flags: it is over as soon as the peer's TCP has everything of ours, our FIN
/// included: GC_DELIVERED. Before a reboot, or where the peer keeps its side open. A
/// FIN of the peer's that is there first still makes it GC_GRACEFUL. Without meaning
/// where the system cannot tell (docs/platforms.md: Linux, Windows 10 1703 and macOS
/// can). The peer's TCP has the data, its program need not have read it: what it sends
/// after our close is answered by a reset, and a peer on Windows then loses what it has
/// not read yet. Where the peer is going to answer, wait for its FIN instead.
pub const GC_UNTIL_ACKED: c_uint = 2;

/// flags: the whole sequence but the close, see gc_finish(). The descriptor stays open
/// and yours on every outcome, GC_RESET, GC_NOT_CONNECTED and GC_RELEASED included
/// (report.closed is 0): for its owner to close, a FILE *, a BIO, a socket object of Qt
/// or Asio, DisconnectEx. After GC_GRACEFUL that close neither blocks nor resets. After
/// another outcome it does what a close does without SO_LINGER, which is off.
/// With GC_THEN_ABORT what cannot be completed is reset and the descriptor stays; on
/// Windows and the BSDs the reset leaves with the owner's close. Refused with
/// GC_ERR_ARGUMENT in the background.
pub const GC_KEEP_OPEN: c_uint = 4;

/// Gets what the peer still sends while its stream is drained, in portions.
///
/// Called on the closing thread. data is valid during the call only. Return 0 to
/// go on, anything else to stop with GC_STOPPED. It must not throw, longjmp out
/// or close the socket itself; it may call any other function of the library.
///
/// In the background it is called on the reaper's thread; but what has come already
/// may be given inside gc_reaper_close(), on the thread that calls that: hold no lock
/// there which on_data takes. It must neither flush nor free its own reaper, nor
/// step or free its own gc_closing.
pub type gc_data_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, data: *const c_void, size: usize) -> c_int>;

/// How to close. Start from GC_OPTIONS_INIT and set what differs.
///
/// A program compiled against an older header passes a smaller struct_size: what
/// is missing counts as 0. A larger one is accepted as long as the part that
/// this library does not know is 0, else GC_ERR_ARGUMENT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gc_options {
    /// sizeof(gc_options).
    pub struct_size: usize,
    /// Bounds the whole close, in milliseconds from the call. GC_INFINITE: no
    /// bound. 0: only what needs no waiting (half-close, drain what is there,
    /// close gracefully if the peer's FIN is there too). Never earlier.
    /// A close with more than 60000, or GC_INFINITE, that has to wait turns keep-alive on
    /// (first question after 45 s, lost after another 50 s without an answer), unless the
    /// program has: then its times count. Where the socket comes back it is turned off again.
    /// On Linux a peer that acknowledges nothing for 100 s and answers no attempt is lost, too:
    /// a machine that vanished makes GC_LOST in under two minutes.
    pub timeout_ms: c_uint,
    /// Give up sooner when nothing moved in either direction for so long: no
    /// byte came in, and the peer acknowledged nothing. Counts from the
    /// half-close. 0: no idle time-out.
    pub idle_timeout_ms: c_uint,
    /// Wait so long for the peer to close first, so that TIME_WAIT falls on its
    /// side. 0: half-close at once. Part of timeout_ms, not on top of it.
    ///
    /// For a client whose answer comes in on_data it is also the way past a relay (NAT,
    /// proxy) that takes a half-close for the end of the connection and drops the answer:
    /// meanwhile the answer comes in, and on_data gets it.
    pub peer_first_ms: c_uint,
    /// What to do when it could not be completed gracefully: GC_THEN_...
    pub fallback: c_uint,
    /// What to do with a connection that somebody else holds too: GC_SHARED_...
    pub if_shared: c_uint,
    /// GC_DEFERRED, GC_UNTIL_ACKED, GC_KEEP_OPEN, joined by |, or 0.
    pub flags: c_uint,
    /// Give up with GC_DRAIN_LIMIT when the peer sends more than this; 0: no limit.
    pub max_drain_bytes: usize,
    /// Gets what the peer still sends; NULL: thrown away.
    pub on_data: gc_data_fn,
    /// Handed to on_data.
    pub user: *mut c_void,
    /// With GC_THEN_BACKGROUND: how long the reaper may go on, in milliseconds from the
    /// moment at which the caller's time ran out; GC_INFINITE: no bound. 0: 30000.
    pub background_ms: c_uint,
}

/// How a close ended. Start from GC_REPORT_INIT; never more than struct_size
/// bytes are written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gc_report {
    /// sizeof(gc_report).
    pub struct_size: usize,
    /// GC_GRACEFUL ..., or the GC_ERR_... that the call returned.
    pub outcome: c_int,
    /// The first errno or Winsock error met on the way; 0 if there was no error.
    pub system_error: c_int,
    /// 1: the descriptor is closed; 0: it is still open and yours.
    pub closed: c_int,
    /// 1: the peer's FIN was seen.
    pub peer_closed: c_int,
    /// Received and delivered or thrown away; saturates.
    pub drained_bytes: usize,
    /// Bytes of ours not acknowledged at the end, our FIN not counted;
    /// GC_UNKNOWN if the system cannot tell.
    pub unacked_bytes: usize,
    /// From the call to the end, in microseconds; saturates.
    pub elapsed_us: usize,
}

/// Told once how a background close ended.
///
/// Called on the reaper's thread. sock only identifies: it is closed. Or the program
/// has closed it itself after the hand-over: report->outcome is GC_ERR_NOT_A_SOCKET
/// then and report->closed 0, and whatever has the number now has not been touched.
///
/// report is valid during the call only. It must not throw or longjmp out; it may hand
/// over more sockets and call anything but gc_reaper_free() of its own reaper. While
/// its reaper is being freed, that one refuses new ones with GC_ERR_STOPPED.
///
/// POSIX: all signals are blocked on this thread, so that no handler of yours runs
/// there. A child by fork() gets the signal mask of the thread that started the
/// reaper. What posix_spawn(), system() and popen() start inherits the full mask: use
/// POSIX_SPAWN_SETSIGMASK, or fork().
pub type gc_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, sock: gc_socket, report: *const gc_report)>;

/// when_full: end the one that has waited longest by its fallback, take the new one.
pub const GC_FULL_EVICT_OLDEST: c_uint = 0;
/// when_full: refuse the new one with GC_ERR_RESOURCES.
pub const GC_FULL_REFUSE: c_uint = 1;

/// How a reaper works. Start from GC_REAPER_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gc_reaper_options {
    /// sizeof(gc_reaper_options).
    pub struct_size: usize,
    /// How many may be pending; 0: no limit.
    pub max_pending: usize,
    /// What to do with one more: GC_FULL_...
    pub when_full: c_uint,
}

/// What the library has done in this process so far. Set struct_size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gc_stats {
    /// sizeof(gc_stats).
    pub struct_size: usize,
    /// Closes that ended with an outcome.
    pub closed: usize,
    /// The same by outcome: by_outcome[GC_GRACEFUL] and so on.
    pub by_outcome: [usize; 16],
    /// Connections that were reset on purpose: gc_abort(), GC_THEN_ABORT.
    pub aborted: usize,
    /// Bytes that came in while closing.
    pub drained_bytes: usize,
    /// In the background, not finished yet.
    pub pending: usize,
}

/// Gets a line about a close that was not graceful, or a call that was refused; see
/// gc_set_log(). outcome is GC_TIMED_OUT ..., or GC_ERR_... It must not throw or longjmp out.
pub type gc_log_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, outcome: c_int, line: *const c_char)>;
