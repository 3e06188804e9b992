//! What handing a socket over takes, beside what closing it does. Filled by each system; what a
//! system does not have stays as it is here.

use crate::connection::{Ends, Fault, Indexed, Mark};

/// What is done to it.
pub(crate) trait HandOver: Indexed {
    /// Both addresses, for the log.
    fn ends(self) -> Ends;

    /// Children that the program starts from now on do not get it.
    fn keep_from_children(self);

    /// Ends what the program was to be told of by signals: SIGIO, also under another number
    /// (F_SETSIG), and SIGURG. They belong to the open connection, not to the number: another
    /// holder may want them. Fails only if looking for that one took so long that the number
    /// has become another one's.
    fn end_signals(self) -> Result<(), Fault> {
        Ok(())
    }

    /// Moves it above what select() can take, if there is room, so that the program gets its
    /// low number back. Where select() counts sockets and not their numbers: nothing.
    fn out_of_the_way(self) -> Self {
        self
    }

    /// A second number for it above what select() can take, which no child gets.
    fn higher_number(self) -> Option<Self> {
        None
    }

    /// Gives one of two numbers of ours back.
    fn give_up_number(self) {}
}

/// What is asked of it.
pub(crate) trait Probe: Indexed {
    /// Whether it is a socket at all, and what tells it from a later one of the same number,
    /// as cheaply as both can be had.
    fn check(self) -> Result<Mark, Fault>;

    /// A thread of the program may be blocked in a call on it, and closing does not wake it.
    fn may_be_blocked_on(self) -> bool {
        false
    }

    /// A TCP connection, and no listening socket, as cheaply as that can be had: other families
    /// do not know the question. Whether the connection is alive is not told. Where it cannot be
    /// had cheaply: no.
    fn is_tcp_connection(self) -> bool {
        false
    }

    /// Of such a connection: nothing has come that could be read, no end and no error. Asked
    /// without taking any.
    fn is_quiet(self) -> bool {
        false
    }

    /// Of such a connection: whether the peer's FIN has come is told also after the half-close.
    fn tells_its_end(self) -> bool {
        true
    }

    /// A TCP connection that has sent its FIN.
    fn is_half_closed(self) -> bool {
        false
    }
}
