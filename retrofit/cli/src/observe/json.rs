//! The report for programs. `format` grows when a member changes its meaning or goes; others may
//! be added.

use super::report::Report;

pub fn write(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|error| {
        // no member of the structure can be refused
        format!("{{\"format\": 0, \"error\": \"{error}\"}}")
    });
    text.push('\n');
    text
}
