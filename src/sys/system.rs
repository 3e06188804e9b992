//! The one of the systems that this is.

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) use super::bsd::*;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use super::linux::*;
#[cfg(windows)]
pub(crate) use super::windows::*;
