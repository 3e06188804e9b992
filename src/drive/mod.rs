//! What drives the machine: to its end on the caller's thread ([`blocking`]), many under one
//! deadline ([`many`]), or step by step in the program's own event loop ([`stepped`]). The
//! background has a thread for it: [`crate::reaper`].

pub(crate) mod blocking;
pub(crate) mod job;
pub(crate) mod many;
pub(crate) mod stepped;
