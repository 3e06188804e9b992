//! Which addresses are replaced by which.

use std::sync::OnceLock;

/// What a replacement is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// closesocket itself.
    Close,
    /// Winsock functions whose effects a close has to know.
    Winsock,
    /// Ends the process.
    Exit,
    /// Brings new modules or addresses in.
    Loader,
    /// Starts a process.
    Child,
}

#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) original: usize,
    pub(crate) replacement: usize,
    pub(crate) role: Role,
}

/// Made once, when the hook becomes active.
static TABLE: OnceLock<Vec<Entry>> = OnceLock::new();

pub(crate) fn install(entries: impl FnOnce() -> Vec<Entry>) {
    TABLE.get_or_init(entries);
}

/// Empty as long as the hook is not active.
pub(crate) fn table() -> &'static [Entry] {
    TABLE.get().map_or(&[], Vec::as_slice)
}

/// The entry for an address.
pub(crate) fn entry_for(address: usize) -> Option<&'static Entry> {
    table().iter().find(|entry| entry.original == address)
}
