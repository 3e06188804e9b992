//! The table, in this process.

use super::unloads;
use crate::table_file;
use graceful_close_retrofit::observe::Table;
use std::path::Path;
use std::sync::OnceLock;

static TABLE: OnceLock<&'static Table> = OnceLock::new();

/// Whether it is there.
pub(crate) fn open(path: &Path) -> bool {
    let Ok(table) = table_file::open(path) else {
        return false;
    };
    table.add_process();
    unloads::watch();
    TABLE.set(table).is_ok()
}

pub(super) fn table() -> Option<&'static Table> {
    TABLE.get().copied()
}
