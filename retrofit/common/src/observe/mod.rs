//! The table of `graceful-close observe`: a file that the command makes and every process of the
//! program maps, shared. It consists of atomics alone, so that it needs no lock, and what is in it
//! outlives a process that is killed. It is filled in a signal handler as well, and between fork() and
//! exec(): nothing here allocates, waits or makes a system call.
//!
//! A place in it is taken by a hash, and what is written there follows from the hash alone: whoever
//! finds a place taken and not filled fills it in himself, with the same values.

mod cache;
mod counters;
mod hash;
mod module;
mod seen;
mod site;
mod table;
mod trail;

pub use cache::Cache;
pub use counters::{Counter, COUNTERS};
pub use hash::{of_address, Hash, Mix};
pub use module::{Module, LONGEST_PATH};
pub use seen::Seen;
pub use site::{Call, Frame, Peers, Place, Site, MOST_FRAMES, MOST_PEERS};
pub use table::{Table, MOST_MODULES, MOST_SITES};
pub use trail::{Trail, Trails};
