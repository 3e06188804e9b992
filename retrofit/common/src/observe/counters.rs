//! What is counted at a call site.

macro_rules! counters {
    ($($(#[$meaning:meta])* $name:ident = $key:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter {
            $($(#[$meaning])* $name,)*
        }

        /// Each of them, with its name, in the order of the table.
        pub const COUNTERS: &[(Counter, &str)] = &[$((Counter::$name, $key),)*];
    };
}

counters! {
    /// Closes of connected TCP sockets. One that ended otherwise than the table says is not among them.
    Closes = "closes",
    /// With unread bytes in the receive buffer; these bytes; ours that were not acknowledged then.
    Unread = "unread",
    UnreadBytes = "unread_bytes",
    UnreadUnackedBytes = "unread_unacked_bytes",
    /// Bytes of ours not acknowledged, and the peer had not closed; these bytes.
    Late = "late",
    LateBytes = "late_bytes",
    /// All acknowledged, and the peer had not closed.
    Open = "open",
    /// The peer had not closed, and this system does not tell what was acknowledged.
    Untold = "untold",
    /// Shut both ways by the program before, and none of those above nor finished.
    ShutBoth = "shut_both",
    /// SO_LINGER {1, 0}.
    LingerReset = "linger_reset",
    /// SO_LINGER {1, n}; the time in these closes.
    LingerWait = "linger_wait",
    LingerWaitNs = "linger_wait_ns",
    /// Both sides had closed, and nothing was known to be unacknowledged.
    Finished = "finished",
    /// The connection was gone before.
    AlreadyReset = "already_reset",
    /// Another holder had the connection: only a reference was given up.
    Shared = "shared",
    /// This side closed first and is to keep TIME_WAIT.
    TimeWait = "time_wait",
    /// Overlapped calls of the program were pending (Windows); how many calls.
    Pending = "pending",
    PendingCalls = "pending_calls",
    /// The number was not open.
    BadNumber = "bad_number",
    /// The number was open and no socket, though the program's last close of it was one.
    ReusedNumber = "reused_number",
    Listeners = "listeners",
    Datagrams = "datagrams",
    /// shutdown() of both directions, and the peer had not closed; those with unread bytes then.
    Shutdowns = "shutdowns",
    ShutdownsUnread = "shutdowns_unread",
    /// Connections that a program that was started got.
    HandedOn = "handed_on",
    /// With `--follow`: closes whose connection is looked at afterwards; each is one of the four below.
    Followed = "followed",
    /// A reset came afterwards, from either side; those with bytes of ours not acknowledged then; these bytes.
    ResetAfter = "reset_after",
    Lost = "lost",
    LostBytes = "lost_bytes",
    /// Both sides ended it, and all was acknowledged.
    Arrived = "arrived",
    /// The peer had not ended its side when the looking ended.
    StillOpen = "still_open",
    /// What became of it is not known.
    FollowUntold = "follow_untold",
}

#[cfg(test)]
mod tests {
    use super::COUNTERS;

    #[test]
    fn the_list_has_the_order_of_the_numbers() {
        for (at, (counter, _)) in COUNTERS.iter().enumerate() {
            assert_eq!(*counter as usize, at);
        }
    }
}
