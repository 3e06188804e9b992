//! The Rust face.

pub(crate) mod close;
pub(crate) mod closing;
pub(crate) mod many;
pub(crate) mod reaper;
