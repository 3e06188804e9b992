//! What a simulated connection is given: the system it lives on, the state in
//! which the close finds it, and all that will happen to it.

use crate::connection::{Fault, FaultKind, Sharing};

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// When the close begins; events are timed from here.
pub(crate) const START: u64 = 1_000_000 * MS;

/// What a system lets a program see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// State, bytes in flight, and after the end whether a FIN had come.
    Linux,
    /// Before 4.19: cannot tell afterwards whether a FIN had come.
    LinuxOld,
    /// The state alone (Windows 10 and later).
    Winsock,
    /// Nothing but what the calls return.
    WinsockOld,
    /// The state alone; shutdown() says ENOTCONN once the peer has gone.
    Mac,
    /// Nothing but what the calls return; ENOTCONN as above.
    Bsd,
    /// AF_UNIX on Linux.
    Local,
}

impl System {
    pub(crate) const ALL: [System; 7] = [
        System::Linux,
        System::LinuxOld,
        System::Winsock,
        System::WinsockOld,
        System::Mac,
        System::Bsd,
        System::Local,
    ];

    pub(crate) fn is_linux_tcp(self) -> bool {
        matches!(self, System::Linux | System::LinuxOld)
    }

    pub(crate) fn is_winsock(self) -> bool {
        matches!(self, System::Winsock | System::WinsockOld)
    }

    /// How far the peer has got with what we sent.
    pub(crate) fn tells_backlog(self) -> bool {
        self.is_linux_tcp() || matches!(self, System::Winsock | System::Local)
    }

    /// The first question is answered by the state. Winsock has another one for that, which
    /// not all versions have.
    pub(crate) fn classifies_by_state(self) -> bool {
        self.is_linux_tcp() || self == System::Mac
    }

    pub(crate) fn tells_state(self) -> bool {
        self.is_linux_tcp() || matches!(self, System::Winsock | System::Mac)
    }
}

/// What the descriptor is when the close begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    NotASocket,
    Datagram,
    Listening,
    Fresh,
    Connecting,
    Refused,
    Connected,
}

/// What happens to the connection from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The peer's bytes arrive.
    Send(usize),
    /// So many bytes, so many times, with as many nanoseconds between.
    Drip(usize, u32, u64),
    /// From now on there is always more to read.
    Flood,
    Fin,
    Reset,
    /// The network gives up.
    Lost,
    /// The peer's machine is gone: nothing comes from it any more, and nobody tells.
    Vanish,
    /// The peer's window is shut, and its TCP answers every probe.
    ShutWindow,
    /// The peer's TCP acknowledges so many sequence numbers.
    Ack(usize),
    /// Everything sent until now, and from now on at once.
    AckAll,
    /// Another thread reads so many bytes.
    Steal(usize),
    /// Another thread's send() or SO_ERROR takes the pending error.
    StealError,
    /// Another thread closes the descriptor.
    CloseElsewhere,
    /// The program calls shutdown(SHUT_RD).
    ShutRead,
    /// The program calls shutdown(SHUT_WR).
    ShutWrite,
    /// Receiving fails once, though the connection lives.
    SoftError(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So many nanoseconds after the close began; 0 is before it.
    At(u64),
    /// So many after our FIN was sent.
    AfterFin(u64),
}

/// A question of the [`Connection`](crate::connection::Connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    State,
    InFlight,
    Fin,
    PendingError,
    Backlog,
    Unanswered,
}

impl Question {
    pub(crate) const ALL: [Question; 6] = [
        Question::State,
        Question::InFlight,
        Question::Fin,
        Question::PendingError,
        Question::Backlog,
        Question::Unanswered,
    ];
}

/// The system refuses to answer `question` from the `first` time it is asked, counted from
/// zero, and answers again after so many `times`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) question: Question,
    pub(crate) first: u32,
    pub(crate) times: u32,
}

/// The connection as the close finds it, and all that will happen to it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) system: System,
    pub(crate) life: Life,
    /// Bytes of ours that the peer has not acknowledged.
    pub(crate) unsent: usize,
    /// The program has set SO_LINGER.
    pub(crate) linger: bool,
    /// The program has turned keep-alive on.
    pub(crate) keep_alive: bool,
    /// What the system says of other holders.
    pub(crate) sharing: Sharing,
    /// AF_UNIX: the kernel tells whether the socket at the other end is there.
    pub(crate) has_diag: bool,
    /// What every call costs.
    pub(crate) call_cost: u64,
    /// What looking costs who else holds it.
    pub(crate) look_cost: u64,
    /// shutdown() fails with this.
    pub(crate) shutdown_fails: Option<Fault>,
    /// Receiving fails with this once there is nothing to read.
    pub(crate) receive_fails: Option<Fault>,
    pub(crate) refusal: Option<Refusal>,
    /// After the classification, the system tells no state and nothing that follows from it.
    pub(crate) state_is_lost: bool,
    /// It was accepted before the handshake had ended (TCP Fast Open), which it never does.
    pub(crate) in_handshake: bool,
    /// close() returns an error, and closes (FreeBSD).
    pub(crate) close_complains: bool,
    pub(crate) script: Vec<(When, Act)>,
}

pub(crate) const RESET: Fault = Fault {
    kind: FaultKind::Reset,
    code: 104,
};
pub(crate) const LOST: Fault = Fault {
    kind: FaultKind::Lost,
    code: 110,
};
pub(crate) const REFUSED: Fault = Fault {
    kind: FaultKind::NotConnected,
    code: 111,
};
pub(crate) const NOT_CONNECTED: Fault = Fault {
    kind: FaultKind::NotConnected,
    code: 107,
};
pub(crate) const NOT_A_SOCKET: Fault = Fault {
    kind: FaultKind::NotASocket,
    code: 9,
};
pub(crate) const OTHER: Fault = Fault {
    kind: FaultKind::Other,
    code: 5,
};
