//! Graceful closes for Linux programs that cannot be rebuilt.

#![cfg(target_os = "linux")]
