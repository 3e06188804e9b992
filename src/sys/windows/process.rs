//! Which process is this? Always the same one: there is no fork.

/// The one generation.
pub(crate) fn process_generation() -> usize {
    0
}

/// It never is.
pub(crate) fn when_forked(_: fn()) {}

/// The generation of a process that only borrows the memory: there is none.
pub(crate) const BORROWED: usize = usize::MAX;
