//! The C interface and nothing else: pointers in, codes out, panics stopped.
//!
//! The doc comments in here are the text of `include/graceful_close.h`, so they
//! speak to C programmers: plain words, no markup. Functions are written out,
//! as cbindgen does not see what macros make.

#![allow(non_camel_case_types)]

mod types;

mod close;
mod closing;
mod many;
mod reaper;

mod info;

mod caller;

mod call;
mod error;
mod layout;

#[cfg(windows)]
mod dllimport;
#[cfg(all(windows, target_arch = "x86"))]
mod stdcall;
