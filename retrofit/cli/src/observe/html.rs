//! The report as one HTML file: nothing is fetched, and it can be read without its script.

use super::figures::{Figures, Unit};
use super::picture;
use super::report::{Frame, Report, Site};
use super::words::{
    amount, call_chain, closed_before, counted_for, duration, followed, logged_chain, outcomes,
    peers, present,
};
use std::fmt::{Display, Write};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// A column of the table that has a number.
struct Column {
    title: &'static str,
    /// Under the mouse, and for those who hear the page.
    meaning: &'static str,
    unit: Unit,
    of: fn(&Figures) -> u64,
}

const COLUMNS: [Column; 7] = [
    Column {
        title: "Closes",
        meaning: "closes of connected TCP sockets",
        unit: Unit::Closes,
        of: |figures| figures.closes,
    },
    Column {
        title: "Resets",
        meaning: "unread bytes at the close: the kernel resets, for certain",
        unit: Unit::Closes,
        of: Figures::resets,
    },
    Column {
        title: "At stake",
        meaning: "bytes of ours that a reset takes away",
        unit: Unit::Bytes,
        of: Figures::bytes_at_stake,
    },
    Column {
        title: "At risk",
        meaning: "closes after which one late byte of the peer resets",
        unit: Unit::Closes,
        of: Figures::at_risk,
    },
    Column {
        title: "Peer open",
        meaning: "the peer had not closed, and had acknowledged all",
        unit: Unit::Closes,
        of: |figures| figures.open,
    },
    Column {
        title: "Reset after",
        meaning: "the connection was reset after the close",
        unit: Unit::Closes,
        of: |figures| figures.reset_after,
    },
    Column {
        title: "Lost",
        meaning: "of these, bytes of ours had not been acknowledged",
        unit: Unit::Closes,
        of: |figures| figures.lost,
    },
];

/// The last two are of `--follow`.
fn columns(report: &Report) -> &'static [Column] {
    match report.run.follow_ms {
        Some(_) => &COLUMNS,
        None => &COLUMNS[..5],
    }
}

pub fn write(report: &Report) -> String {
    let mut out = String::new();
    let program = report.run.program.join(" ");
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Closes of {program}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Which closes lose data?</h1>\n<p class=\"program\"><code>{program}</code></p>\n",
        program = Escaped(&program),
    );
    summary(&mut out, report);
    for words in followed(report).iter().flatten() {
        let _ = writeln!(out, "<p class=\"followed\">{}</p>", Escaped(words));
    }
    table(&mut out, report);
    logged(&mut out, report);
    kernel(&mut out, report);
    close_wait(&mut out, report);
    for note in &report.notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", Escaped(note));
    }
    let _ = write!(
        out,
        "<footer>graceful-close {} observe</footer>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        report.graceful_close
    );
    out
}

fn summary(out: &mut String, report: &Report) {
    let totals = &report.totals;
    let bytes = amount(Unit::Bytes, totals.bytes_at_stake());
    let time = duration(report.run.milliseconds);
    let boxes: [(&str, &dyn Display); 6] = [
        ("resets for certain", &totals.resets()),
        ("of ours at stake", &bytes),
        ("call sites that may lose data", &report.losing().count()),
        ("closes of connected TCP", &totals.closes),
        ("call sites", &report.sites.len()),
        (
            if report.run.unfinished {
                "so far"
            } else {
                "in all"
            },
            &time,
        ),
    ];
    out.push_str("<ul class=\"summary\">\n");
    for (words, number) in boxes {
        let _ = writeln!(out, "<li><b>{number}</b> {words}</li>");
    }
    out.push_str("</ul>\n");
}

fn table(out: &mut String, report: &Report) {
    let columns = columns(report);
    out.push_str("<table id=\"sites\">\n<thead>\n<tr><th scope=\"col\">No.</th><th scope=\"col\">Call site</th>");
    for column in columns {
        let _ = write!(
            out,
            "<th scope=\"col\" class=\"number\" title=\"{}\">{}</th>",
            column.meaning, column.title
        );
    }
    out.push_str("<th class=\"picture\">What a close left behind</th></tr>\n</thead>\n<tbody>\n");
    for site in &report.sites {
        row(out, site, columns);
    }
    out.push_str("</tbody>\n</table>\n");
}

fn row(out: &mut String, site: &Site, columns: &[Column]) {
    let chain = call_chain(site, 3);
    let _ = write!(
        out,
        "<tr id=\"site-{number}\"><td data-value=\"{number}\">{number}</td>\n<td class=\"site\" data-value=\"{chain}\"><code>{chain}</code>\n",
        number = site.number,
        chain = Escaped(&chain),
    );
    advice(out, site);
    details(out, site);
    out.push_str("</td>\n");
    for column in columns {
        let number = (column.of)(&site.figures);
        let _ = write!(
            out,
            "<td class=\"number{}\" data-value=\"{number}\" data-title=\"{}\">{}</td>",
            if number == 0 { " none" } else { "" },
            column.title,
            amount(column.unit, number),
        );
    }
    let picture = picture::draw(&site.figures);
    let _ = writeln!(out, "\n<td class=\"picture\">{picture}</td></tr>");
}

fn advice(out: &mut String, site: &Site) {
    for advice in &site.advice {
        let _ = write!(out, "<p class=\"advice\">{}.", Escaped(&advice.source));
        if let Some(run) = advice.run {
            let _ = write!(out, " {}.", Escaped(run));
        }
        let _ = writeln!(out, " <span>{}</span></p>", Escaped(&advice.why.join(" ")));
    }
}

fn details(out: &mut String, site: &Site) {
    out.push_str("<details><summary>All figures and callers</summary>\n<dl>\n");
    if site.figures.closes > 0 {
        let _ = writeln!(
            out,
            "<dt>peers <b>{}</b></dt><dd>addresses, without their ports</dd>",
            peers(site)
        );
    }
    for kind in present(&site.figures) {
        let number = (kind.of)(&site.figures);
        let _ = writeln!(
            out,
            "<dt>{} <b data-key=\"{}\" data-value=\"{number}\">{}</b></dt><dd>{}</dd>",
            kind.title,
            kind.key,
            amount(kind.unit, number),
            Escaped(kind.meaning)
        );
    }
    out.push_str("</dl>\n");
    if let Some(words) = closed_before(site) {
        let _ = writeln!(out, "<p>{words}</p>");
    }
    out.push_str("<ul class=\"callers\">\n");
    for frame in &site.frames {
        caller(out, frame);
    }
    out.push_str("</ul>\n</details>\n");
}

fn caller(out: &mut String, frame: &Frame) {
    let module = frame.module.as_deref().unwrap_or("no module");
    for function in &frame.functions {
        let _ = write!(out, "<li><code>{}</code>", Escaped(&function.name));
        if let Some(file) = &function.file {
            let line = function
                .line
                .map_or(String::new(), |line| format!(":{line}"));
            let _ = write!(out, " {}{line}", Escaped(file));
        }
        if function.inlined {
            out.push_str(" (inlined)");
        }
        out.push_str("</li>\n");
    }
    let tag = if frame.functions.is_empty() {
        "li"
    } else {
        "li class=\"module\""
    };
    let _ = writeln!(out, "<{tag}>{}+{:#x}</li>", Escaped(module), frame.offset);
}

fn logged(out: &mut String, report: &Report) {
    let Some(logged) = &report.logged else {
        return;
    };
    let _ = writeln!(
        out,
        "<h2>Closes by graceful_close that were not graceful</h2>\n<p>As {} tells:</p>\n<ul class=\"kernel logged\">",
        Escaped(&logged.file)
    );
    for site in &logged.sites {
        let _ = writeln!(
            out,
            "<li><code>{}</code> <b>{}</b></li>",
            Escaped(&logged_chain(site)),
            Escaped(&outcomes(site))
        );
    }
    out.push_str("</ul>\n");
}

fn kernel(out: &mut String, report: &Report) {
    let Some(counters) = &report.run.kernel else {
        return;
    };
    let _ = writeln!(
        out,
        "<h2>Counted by the kernel</h2>\n<p>Meanwhile, {}:</p>\n<ul class=\"kernel\">",
        counted_for(&report.run)
    );
    for (name, number) in counters.iter() {
        let _ = writeln!(out, "<li><code>{name}</code> <b>{number}</b></li>");
    }
    out.push_str("</ul>\n");
}

fn close_wait(out: &mut String, report: &Report) {
    if report.run.close_wait.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Closed by the peer, held by the program (CLOSE_WAIT)</h2>\n<ul class=\"waiting\">\n",
    );
    for waiting in &report.run.close_wait {
        let _ = writeln!(
            out,
            "<li>process {}: {} from {}, for {} or longer, {} unread</li>",
            waiting.process,
            waiting.local,
            waiting.peer,
            duration(waiting.milliseconds),
            amount(Unit::Bytes, waiting.unread_bytes)
        );
    }
    out.push_str("</ul>\n");
}

/// Names of functions have < and >, and paths may have anything.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '&' => out.write_str("&amp;")?,
                '"' => out.write_str("&quot;")?,
                // what a terminal or a browser would act on, or not show
                letter if letter.is_control() => out.write_char('\u{fffd}')?,
                letter => out.write_char(letter)?,
            }
        }
        Ok(())
    }
}
