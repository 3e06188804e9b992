//! The one of the systems that this is.

#[cfg(all(unix, not(linux_calls)))]
pub(crate) use super::bsd::*;
#[cfg(linux_calls)]
pub(crate) use super::linux::*;
#[cfg(windows)]
pub(crate) use super::windows::*;
