//! What tests of several files need.

use graceful_close_retrofit::observe::Table;
use std::alloc::{alloc_zeroed, Layout};
use std::io::Write;

/// A table in which nothing is yet.
pub fn table() -> Box<Table> {
    // SAFETY: atomics alone, for which zero is a value.
    unsafe { Box::from_raw(alloc_zeroed(Layout::new::<Table>()).cast()) }
}

/// A test that cannot run here says so in the summary of scripts/test. Not by println!, which the test harness
/// keeps to itself.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("\nSKIPPED: {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
