//! `graceful-close observe`: which closes of a program lose data. This is the part from the table to
//! the report.

// what the command calls comes with it
#![allow(dead_code)]

mod advice;
pub mod figures;
pub mod how_to_lines;
pub mod html;
pub mod json;
pub mod kernel;
pub mod outputs;
mod picture;
pub mod report;
pub mod snapshot;
pub mod symbols;
pub mod text;
mod words;

#[cfg(test)]
mod browser_test;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
