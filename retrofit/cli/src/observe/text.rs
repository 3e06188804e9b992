//! The report for a terminal.

use super::figures::Unit;
use super::report::{Report, Site};
use super::words::{
    amount, call_chain, closed_before, count, counted_for, duration, followed, logged_chain,
    outcomes, peers, present,
};
use std::fmt::Write;

const WIDTH: usize = 96;

pub fn write(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    for site in &report.sites {
        out.push('\n');
        write_site(&mut out, site);
    }
    legend(&mut out, report);
    logged(&mut out, report);
    foot(&mut out, report);
    out
}

fn head(out: &mut String, report: &Report) {
    let _ = writeln!(
        out,
        "graceful-close observe: {}",
        report.run.program.join(" ")
    );
    let state = match report.run.unfinished {
        true => "so far",
        false => "in all",
    };
    let _ = writeln!(
        out,
        "{}, {}, {} of connected TCP sockets {state}, at {}",
        duration(report.run.milliseconds),
        match report.processes {
            1 => "1 process".into(),
            number => format!("{number} processes"),
        },
        count(report.totals.closes, "close"),
        count(report.sites.len() as u64, "call site"),
    );
    let losing = report.losing().count();
    let _ = match losing {
        0 if report.processes == 0 => Ok(()),
        0 => writeln!(out, "No close was seen that loses data."),
        _ => writeln!(
            out,
            "{} of them lose data or may lose it: {} for certain, {} of ours at stake",
            losing,
            match report.totals.resets() {
                1 => "1 reset".into(),
                number => format!("{number} resets"),
            },
            amount(Unit::Bytes, report.totals.bytes_at_stake()),
        ),
    };
    for words in followed(report).iter().flatten() {
        wrapped(out, "", words);
    }
    if let Some(counters) = &report.run.kernel {
        let grown: Vec<String> = counters
            .iter()
            .map(|(name, number)| format!("{name} {number}"))
            .collect();
        let words = format!(
            "The kernel counted meanwhile, {}: {}",
            counted_for(&report.run),
            grown.join(", ")
        );
        wrapped(out, "", &words);
    }
}

fn write_site(out: &mut String, site: &Site) {
    let first = format!("{:>2}  ", site.number);
    wrapped(out, &first, &call_chain(site, usize::MAX));
    if site.figures.closes > 0 {
        let _ = writeln!(out, "    peers   {}", peers(site));
    }
    let figures: Vec<String> = present(&site.figures)
        .map(|kind| {
            format!(
                "{} {}",
                kind.title,
                amount(kind.unit, (kind.of)(&site.figures))
            )
        })
        .collect();
    wrapped(out, "    seen    ", &figures.join(", "));
    if let Some(words) = closed_before(site) {
        wrapped(out, "    before  ", &words);
    }
    for advice in &site.advice {
        wrapped(out, "    advice  ", &format!("{}.", advice.source));
        if let Some(run) = advice.run {
            wrapped(out, "            ", &format!("{run}."));
        }
        for why in &advice.why {
            wrapped(out, "            ", why);
        }
    }
}

/// What the words behind "seen" mean, of those that occur.
fn legend(out: &mut String, report: &Report) {
    if !report.sites.is_empty() {
        out.push_str("\nWhat was seen:\n");
    }
    for kind in present(&report.totals) {
        wrapped(out, &format!("    {:<13} ", kind.title), kind.meaning);
    }
}

/// Sites at which the program calls the library already.
fn logged(out: &mut String, report: &Report) {
    let Some(logged) = &report.logged else {
        return;
    };
    out.push('\n');
    let words = format!(
        "Closes by graceful_close that were not graceful, as {} tells:",
        logged.file
    );
    wrapped(out, "", &words);
    for site in &logged.sites {
        wrapped(out, "    ", &logged_chain(site));
        wrapped(out, "        ", &outcomes(site));
    }
    if logged.sites.is_empty() {
        out.push_str("    none with a caller\n");
    }
}

fn foot(out: &mut String, report: &Report) {
    if !report.run.close_wait.is_empty() {
        out.push_str("\nThe peer has closed, the program has not (CLOSE_WAIT):\n");
    }
    for waiting in &report.run.close_wait {
        let _ = writeln!(
            out,
            "    process {}: {} from {}, for {} or longer, {} unread",
            waiting.process,
            waiting.local,
            waiting.peer,
            duration(waiting.milliseconds),
            amount(Unit::Bytes, waiting.unread_bytes),
        );
    }
    if !report.notes.is_empty() {
        out.push('\n');
    }
    for note in &report.notes {
        wrapped(out, "Note: ", note);
    }
}

/// The lines that follow are as far to the right as the words of the first.
pub fn wrapped(out: &mut String, first: &str, words: &str) {
    let indent = first.chars().count();
    let mut line = first.to_owned();
    let mut width = indent;
    for word in words.split(' ') {
        let length = word.chars().count();
        if width > indent && width + 1 + length > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = " ".repeat(indent);
            width = indent;
        }
        if width > indent {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += length;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}
