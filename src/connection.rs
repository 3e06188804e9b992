//! What the state machine asks of a connection.
//!
//! Every call returns at once. [`crate::sys`] answers with system calls, the
//! tests with a scripted peer.

use crate::clock::Time;
use std::time::Duration;

/// A system's refusal: what it means, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// `errno`, or what `WSAGetLastError()` said.
    pub(crate) code: i32,
}

impl Fault {
    /// The descriptor has been closed behind our back.
    pub(crate) const GONE: Fault = Fault {
        kind: FaultKind::NotASocket,
        code: crate::sys::LastError::NOT_A_SOCKET,
    };

    /// The peer has stopped answering.
    pub(crate) const VANISHED: Fault = Fault {
        kind: FaultKind::Lost,
        code: crate::sys::LastError::TIMED_OUT,
    };

    /// No answer to a question that was answered before.
    pub(crate) const UNTOLD: Fault = Fault {
        kind: FaultKind::Other,
        code: 0,
    };
}

/// What a refusal means to a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A bad descriptor, or not a socket.
    NotASocket,
    /// There is no connection (any more).
    NotConnected,
    /// The peer reset the connection.
    Reset,
    /// The network gave the connection up.
    Lost,
    /// Anything else.
    Other,
}

/// What came of a question. `Ok(None)`: this system does not have the question, or not for
/// this kind of socket. `Err`: it has, and refused to answer this time. That is never taken
/// for an answer.
pub(crate) type Answer<T> = Result<Option<T>, Fault>;

/// How far the peer has got with what we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Less than before: the peer has taken some. The unit is the system's.
    pub(crate) left: u64,
    /// There is nothing of ours that it could still take.
    pub(crate) is_empty: bool,
}

/// What has been sent, and sent again, without any answer from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// Nothing at all has come from the peer for so long.
    pub(crate) silence: Duration,
    /// So often in a row it was sent again, or the peer's window was probed.
    pub(crate) attempts: u32,
    /// From the last attempt to the next one.
    pub(crate) pause: Duration,
}

/// What kind of descriptor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP, in this state.
    #[cfg_attr(windows, allow(dead_code))]
    Tcp(TcpState),
    /// A stream whose state this system does not tell.
    Stream,
    /// A datagram, raw or packet socket.
    Other,
}

/// RFC 9293, section 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpState {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl TcpState {
    /// The peer's FIN has arrived for certain.
    pub(crate) fn has_peer_fin(self) -> bool {
        use TcpState::{CloseWait, Closing, LastAck, TimeWait};
        matches!(self, CloseWait | Closing | LastAck | TimeWait)
    }

    /// The peer has acknowledged all of ours, and our FIN.
    pub(crate) fn proves_acknowledgement(self) -> bool {
        matches!(self, TcpState::FinWait2 | TcpState::TimeWait)
    }

    /// The peer's FIN has arrived, and ours, if there is one, is not acknowledged
    /// yet. After the half-close CLOSE-WAIT says that ours has not even left.
    pub(crate) fn awaits_ack_of_fin(self) -> bool {
        matches!(
            self,
            TcpState::CloseWait | TcpState::Closing | TcpState::LastAck
        )
    }
}

/// What one attempt to receive gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(usize),
    /// Nothing there now.
    Empty,
    /// A zero read. Not yet proof of a FIN.
    End,
    /// The program has shut the receiving side itself: nothing will ever be
    /// received, and the end of the stream cannot be seen (Winsock).
    #[cfg_attr(not(windows), allow(dead_code))]
    Deaf,
    Failed(Fault),
}

/// Who else holds a connection: a descriptor of the same process or of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nobody, as far as the system tells such things.
    #[cfg_attr(
        not(any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            windows
        )),
        allow(dead_code)
    )]
    Alone,
    /// Somebody does.
    #[cfg_attr(
        not(any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            windows
        )),
        allow(dead_code)
    )]
    Shared,
    /// The system cannot tell, or would not say; why.
    Unknown(Fault),
}

/// The list of primitives, the same on every system.
pub(crate) trait Connection {
    /// What it is. Fails for what is no socket; changes nothing.
    fn classify(&mut self) -> Result<Kind, Fault>;

    /// Who else holds the connection. `until` ends a long search, but not before
    /// the system had a fair time for it.
    fn sharing(&mut self, until: Time) -> Sharing;

    /// It has a peer: receiving cannot hang or fail for want of one.
    fn is_connected(&mut self) -> bool;

    /// Makes the calls below non-blocking. Unless the program's own readiness
    /// notifications are to stay, keeps them from firing on a recycled handle.
    /// Nothing to do on POSIX.
    fn prepare(&mut self, keeps_selection: bool);

    /// Neutralises SO_LINGER, so that closing neither blocks nor resets.
    fn linger_off(&mut self);

    /// Sends our FIN, behind all that is queued.
    fn half_close(&mut self) -> Result<(), Fault>;

    /// Receives and throws away, at most so many bytes.
    fn discard(&mut self, most: usize) -> Received;

    /// Receives into `buffer`.
    fn receive(&mut self, buffer: &mut [u8]) -> Received;

    /// The state of the connection, where the system tells.
    fn tcp_state(&mut self) -> Answer<TcpState>;

    /// Sequence numbers of ours not acknowledged yet, a FIN sent counting as
    /// one. Asked of TCP only: other families answer with memory in use.
    fn in_flight(&mut self) -> Answer<usize>;

    /// How much of ours the peer has still to take, for comparing with an earlier answer. Also
    /// of families whose `in_flight` means nothing.
    fn backlog(&mut self) -> Answer<Backlog>;

    /// Takes the error that waits on the socket; `Ok(None)`: there is none.
    fn pending_error(&mut self) -> Answer<Fault>;

    /// On a connection that is gone: had it ever been established?
    fn was_alive(&mut self) -> Option<bool>;

    /// On a TCP connection with nothing left to read: has the peer's FIN arrived?
    /// Unlike the state this is remembered after the connection is gone, and unlike
    /// a zero read it is not said of a reset or of the program's own SHUT_RD.
    fn fin_arrived(&mut self) -> Answer<bool>;

    /// On entry, of a stream whose state is not told: both directions are shut already, as by the
    /// peer's close or by the program itself, and a zero read will not tell which. Where even
    /// `fin_arrived` does not know of one that has gone, nothing does.
    fn is_shut(&mut self) -> bool {
        false
    }

    /// On a connection that is gone with nothing in flight, and that was not
    /// half-closed by us: was a FIN of ours certainly among what was acknowledged?
    fn fin_was_acknowledged(&mut self) -> bool;

    /// Turns keep-alive on, or off again. Whether it was done: what the program has turned on
    /// itself is left alone, with its times.
    fn keep_alive(&mut self, on: bool) -> bool;

    /// What the peer has not answered; `Ok(None)`: the system does not tell, or nothing is
    /// being sent again.
    fn unanswered(&mut self) -> Answer<Unanswered> {
        Ok(None)
    }

    /// Asks to be woken only for large portions; `false` takes that back. Whether
    /// it was done: a mark that the program has set itself is left alone.
    fn low_water(&mut self, raised: bool) -> bool;

    /// Wakes threads of the program that are blocked on what has no connection: in accept() on a
    /// listening socket, in recv() on a datagram one. Not if somebody else holds it, or that
    /// cannot be told. Nothing to do where closing does that. Fails only if the descriptor has
    /// become another one meanwhile.
    fn wake_blocked(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Closes. `graceful` says that the stream came to its end; otherwise
    /// threads that are still blocked on the socket are woken first.
    fn close(&mut self, graceful: bool) -> Result<(), Fault>;

    /// Resets the connection and leaves the descriptor open; where the system can reset
    /// by closing alone, its owner's close will.
    fn reset(&mut self) -> Result<(), Fault>;

    /// Resets the connection, for every holder, and closes.
    fn abort(&mut self) -> Result<(), Fault>;
}
