//! `graceful-close observe`: which closes of a program lose data. This is the part from the table to
//! the report.

// not all of it on every system
#![allow(dead_code)]

mod advice;
pub mod figures;
pub mod how_to_lines;
pub mod html;
pub mod json;
pub mod kernel;
pub mod logged;
pub mod outputs;
mod picture;
pub mod report;
pub mod snapshot;
pub mod symbols;
pub mod text;
mod words;

use crate::failure::Failure;
use graceful_close_retrofit::observe::Table;
use outputs::Outputs;
use report::{Report, Run};
use snapshot::Snapshot;
use symbols::Folders;

/// At the end of a run, or for a report so far.
pub fn write_report(table: &Table, run: Run, outputs: &Outputs) -> Result<(), Failure> {
    let mut snapshot = Snapshot::of(table);
    if let Some(log) = &outputs.add_log {
        log.add_to(&mut snapshot, &run.file);
    }
    outputs.write(&Report::new(&snapshot, run, &Folders::of_the_system()))
}

#[cfg(test)]
mod browser_test;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
