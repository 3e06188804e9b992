//! What the library to preload, the hook and the command share, so that no rule stands twice: the
//! settings and how their values are read, which socket a close is finished for, and which programs
//! a library can be preloaded into.
//!
//! Nothing here allocates or makes a system call: the library to preload asks between fork() and
//! exec().

pub mod image;
pub mod memory;
pub mod observe;
pub mod qualify;
pub mod settings;
