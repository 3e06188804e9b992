//! The questions to a connection, and what can be done to it.

use super::answers::{Backlog, Kind, Received, Sharing, TcpState, Unanswered};
use super::fault::{Answer, Fault};
use crate::clock::Time;

/// The list of primitives, the same on every system.
pub(crate) trait Connection {
    /// What it is. Fails for what is no socket; changes nothing.
    fn classify(&mut self) -> Result<Kind, Fault>;

    /// Who else holds the connection. `until` ends a long search, but not before
    /// the system had a fair time for it.
    fn sharing(&mut self, until: Time) -> Sharing;

    /// It has a peer: receiving cannot hang or fail because it has no peer.
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
    /// Where nothing tells: no.
    fn fin_was_acknowledged(&mut self) -> bool {
        false
    }

    /// Turns keep-alive on, or off again. Whether it was done: what the program has turned on
    /// itself is left alone, with its times.
    fn keep_alive(&mut self, on: bool) -> bool;

    /// What the peer has not answered; `Ok(None)`: the system does not tell, or nothing is
    /// being sent again.
    fn unanswered(&mut self) -> Answer<Unanswered> {
        Ok(None)
    }

    /// The system calls it readable at this moment, or cannot be asked. Of what has just been
    /// found to have nothing to read that is not true.
    fn is_called_readable(&mut self) -> bool {
        true
    }

    /// Asks to be woken only for large portions; `false` takes that back. Whether
    /// it was done: a mark that the program has set itself is left alone.
    fn low_water(&mut self, raised: bool) -> bool {
        let _ = raised;
        false
    }

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
