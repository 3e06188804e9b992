//! What the table of a run says, with nothing looked up yet.

use super::figures::Figures;

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Paths.
    pub modules: Vec<String>,
    pub sites: Vec<Site>,
    pub processes: u64,
    /// Closes at sites for which the table had no room.
    pub closes_without_site: u64,
    /// Modules for which it had none.
    pub modules_left_out: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Which call it was: `close`, `fclose`, `exit` ...
    pub call: String,
    /// The innermost caller first.
    pub frames: Vec<Place>,
    pub peers: u64,
    /// There were more than were counted.
    pub more_peers: bool,
    pub figures: Figures,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// An index of `modules`; none if the address is in no file (generated code).
    pub module: Option<usize>,
    /// Into the file for ELF, from the beginning of the image for PE; the address itself without a
    /// module. Where the call returns to.
    pub offset: u64,
}
