//! What a connection answers.

use super::fault::Fault;
use std::time::Duration;

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
    #[cfg_attr(not(any(linux_calls, target_os = "macos", windows)), allow(dead_code))]
    Alone,
    /// Somebody does.
    #[cfg_attr(not(any(linux_calls, target_os = "macos", windows)), allow(dead_code))]
    Shared,
    /// The system cannot tell, or would not say; why.
    Unknown(Fault),
}
