//! What to wait for.

use crate::clock::Time;

/// What to wait for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) watch: Watch,
    /// Step at the latest then.
    pub(crate) until: Time,
    /// Step already then, if changes of state cannot be watched.
    pub(crate) recheck: Time,
}

/// Which event would make a step worth while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Something to read.
    Readable,
    /// A change of the connection's state. It is readable all the time now
    /// (its stream has ended), so watching for that would spin.
    Change,
    /// Something to read, or the acknowledgement of our FIN.
    Acknowledged,
}

impl Wait {
    /// The same, but over by `limit`.
    pub(crate) fn no_longer_than(self, limit: Time) -> Wait {
        Wait {
            until: self.until.min(limit),
            recheck: self.recheck.min(limit),
            ..self
        }
    }
}

/// What tells of the events on many connections.
pub(crate) trait Watcher<C> {
    /// Every change is told once; otherwise what is readable is told again and
    /// again, and changes of state have to be looked for.
    const TELLS_EDGES: bool;

    /// Whether it shall be watched for something to read.
    fn watch(&self, connection: C, readable: bool);

    /// The connection is closed and forgotten.
    fn remove(&self, connection: C);
}
