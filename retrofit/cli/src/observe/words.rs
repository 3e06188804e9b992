//! How things are written, the same in text and HTML.

use super::figures::{Figures, Kind, Unit, KINDS};
use super::report::{Frame, LoggedSite, Report, Run, Site};
use super::symbols::{file_name, Function};

/// `close < connection_done (server.c:120) < handle_request (server.c:88)`.
pub fn call_chain(site: &Site, most: usize) -> String {
    chain(&site.call, &site.frames, most)
}

/// The log does not tell which function of the library it was.
pub fn logged_chain(site: &LoggedSite) -> String {
    chain("graceful_close", &site.frames, usize::MAX)
}

/// `timed out 3, reset 1, not acknowledged 812 B`.
pub fn outcomes(site: &LoggedSite) -> String {
    let outcomes = site.outcomes.iter();
    let mut words: Vec<String> = outcomes
        .map(|(outcome, number)| format!("{outcome} {number}"))
        .collect();
    if site.unacked_bytes > 0 {
        let bytes = amount(Unit::Bytes, site.unacked_bytes);
        words.push(format!("not acknowledged {bytes}"));
    }
    words.join(", ")
}

fn chain(call: &str, frames: &[Frame], most: usize) -> String {
    let mut words = vec![call.to_owned()];
    let callers = frames.iter().take(frames_to_main(frames));
    words.extend(callers.flat_map(frame).take(most));
    words.join(" < ")
}

/// What calls main() is the same for all sites.
fn frames_to_main(frames: &[Frame]) -> usize {
    let is_main = |function: &Function| {
        matches!(
            function.name.as_str(),
            "main" | "wmain" | "WinMain" | "wWinMain"
        )
    };
    let main = frames
        .iter()
        .position(|frame| frame.functions.iter().any(is_main));
    main.map_or(frames.len(), |at| at + 1)
}

fn frame(frame: &Frame) -> Vec<String> {
    match &frame.functions[..] {
        [] => vec![place(frame)],
        functions => functions.iter().map(function).collect(),
    }
}

fn place(frame: &Frame) -> String {
    match &frame.module {
        Some(module) => format!("{}+{:#x}", file_name(module), frame.offset),
        None => format!("{:#x} in no module", frame.offset),
    }
}

fn function(function: &Function) -> String {
    let name = &function.name;
    match (&function.file, function.line) {
        (Some(file), Some(line)) => format!("{name} ({}:{line})", file_name(file)),
        (Some(file), None) => format!("{name} ({})", file_name(file)),
        _ => name.clone(),
    }
}

/// The kinds of which there is something.
pub fn present(figures: &Figures) -> impl Iterator<Item = &'static Kind> + '_ {
    KINDS.iter().filter(|kind| (kind.of)(figures) > 0)
}

pub fn amount(unit: Unit, number: u64) -> String {
    match unit {
        Unit::Closes | Unit::Calls => number.to_string(),
        Unit::Bytes => format!("{number} B"),
        Unit::Nanoseconds => format!(
            "{}.{:03} s",
            number / 1_000_000_000,
            number / 1_000_000 % 1000
        ),
    }
}

pub fn peers(site: &Site) -> String {
    match site.more_peers {
        true => format!("{} or more", site.peers),
        false => site.peers.to_string(),
    }
}

/// Whose closes the kernel's counters are.
pub fn counted_for(run: &Run) -> &'static str {
    match run.kernel_alone {
        true => {
            "for this program (no other one was seen to have a TCP socket in its network namespace)"
        }
        false => "for all programs of this network namespace",
    }
}

/// With `--follow`: what was seen after the closes, and what it cost.
pub fn followed(report: &Report) -> Option<[String; 2]> {
    let limit = report.run.follow_ms?;
    let totals = &report.totals;
    let seen = format!(
        "Followed after the close (--follow): {}; {} reset afterwards, {} of these with {} of ours not acknowledged",
        count(totals.followed, "connection"),
        totals.reset_after,
        totals.lost,
        amount(Unit::Bytes, totals.lost_bytes),
    );
    let cost = format!(
        "--follow changes no close, but each close that it follows takes some microseconds more (four more \
         questions to the system). Each connection was looked at from outside of the program, for at most {}.",
        duration(limit)
    );
    Some([seen, cost])
}

/// Of a number that was not open.
pub fn closed_before(site: &Site) -> Option<String> {
    let number = site.closed_before?;
    Some(match number == site.number {
        true => "the number had been closed at the same site".into(),
        false => format!("the number had been closed at site {number}"),
    })
}

/// "1 close", "2 closes".
pub fn count(number: u64, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ if word.ends_with("s") => format!("{number} {word}es"),
        _ => format!("{number} {word}s"),
    }
}

pub fn duration(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}
