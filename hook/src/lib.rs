//! Graceful closes for Windows programs that cannot be rebuilt.
//!
//! As a DLL this is put into a process before its first instruction runs
//! ([`inject`], used by the command `graceful-close`), and
//! [`graceful_close_hook_init`](init::graceful_close_hook_init) is called there on a thread of
//! its own. That patches the import tables of the program and of the modules in its folder:
//! `closesocket` and a few functions around it lead to replacements from then on. A connection
//! that qualifies (module `look`) is finished by a [`graceful_close::Reaper`]; everything else gets
//! the real call.
//!
//! There is no DllMain: under the loader's lock nothing of this may be done.

#![cfg(windows)]
#![deny(unsafe_op_in_unsafe_fn)]

mod by_name;
mod children;
mod exit;
mod extensions;
mod folder;
mod image;
pub mod init;
pub mod inject;
mod loader;
mod log;
mod look;
mod park;
mod patch;
mod replacements;
mod roles;
mod settings;
mod table;
mod winsock;
