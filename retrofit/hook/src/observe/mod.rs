//! `graceful-close observe`: each close of a socket is looked at, counted in the table that the command
//! has made, and then done by the system, as if nobody had looked.

mod callers;
mod facts;
mod mapping;
mod pending;
mod record;
mod replacements;
mod sockets;
mod unloads;
mod winsock;

pub(crate) use mapping::open;
pub(crate) use replacements::all as replacements;
