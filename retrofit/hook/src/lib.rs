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
//! With the feature `link` it is an archive that mingw's linker puts into a program: only `closesocket`
//! is replaced there (module `link`).
//!
//! There is no DllMain: under the loader's lock nothing of this may be done.

#![cfg(windows)]
#![deny(unsafe_op_in_unsafe_fn)]
// what catches calls in a program that is not linked with us
#![cfg_attr(feature = "link", allow(dead_code))]

#[cfg(not(feature = "link"))]
mod by_name;
#[cfg(not(feature = "link"))]
mod children;
mod clients;
mod eligible;
#[cfg(not(feature = "link"))]
mod exit;
mod extensions;
mod folder;
#[cfg(not(feature = "link"))]
mod image;
#[cfg(not(feature = "link"))]
pub mod init;
#[cfg(not(feature = "link"))]
pub mod inject;
#[cfg(feature = "link")]
mod link;
#[cfg(not(feature = "link"))]
mod loader;
mod log;
#[cfg(not(feature = "link"))]
mod observe;
mod park;
#[cfg(not(feature = "link"))]
mod patch;
#[cfg(not(feature = "link"))]
mod replacement_table;
#[cfg(not(feature = "link"))]
mod replacements;
mod settings;
mod shutdown;
#[cfg(not(feature = "link"))]
pub mod table_file;
mod winsock;
