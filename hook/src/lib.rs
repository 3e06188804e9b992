//! Graceful closes for Windows programs that cannot be rebuilt.

#![cfg(windows)]
