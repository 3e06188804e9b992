//! Makes the manual pages, from the comments of `include/graceful_close.h` and from the help text
//! of the command; used by the program beside it and by `tests/man.rs`.

mod command;
mod examples;
mod items;
mod reference;
mod roff;

use items::{Item, Kind};
use std::path::Path;

/// Name and text of every file that is a page.
pub fn generate(root: &Path) -> Vec<(String, String)> {
    let header = read(root, "include/graceful_close.h").expect("include/graceful_close.h");
    let items = items::items(&header);
    let version = version(&items);

    let mut pages = vec![overview(&items::introduction(&header), &items, &version)];
    pages.extend(
        items
            .iter()
            .filter(|item| has_page(item))
            .map(|item| page(root, item, &items, &version)),
    );
    // not part of the crate on crates.io
    if let Some(source) = read(root, "retrofit/cli/src/help.rs") {
        pages.push((
            "graceful-close.1".to_string(),
            command::page(&source, &version),
        ));
    }
    pages
}

/// The text of docs/reference.md.
pub fn reference(root: &Path) -> String {
    let header = read(root, "include/graceful_close.h").expect("include/graceful_close.h");
    reference::page(root, &header)
}

fn read(root: &Path, file: &str) -> Option<String> {
    let text = std::fs::read_to_string(root.join(file)).ok()?;
    Some(text.replace("\r\n", "\n"))
}

fn version(items: &[Item]) -> String {
    items
        .iter()
        .find(|item| item.name == "GRACEFUL_CLOSE_VERSION_STRING")
        .and_then(|item| item.declaration[0].split('"').nth(1))
        .expect("the version")
        .to_string()
}

fn has_page(item: &Item) -> bool {
    !matches!(item.kind, Kind::Constant | Kind::Opaque)
}

fn overview(introduction: &[String], items: &[Item], version: &str) -> (String, String) {
    let first = &introduction[0];
    let (_, summary) = first.split_once(": ").expect("a summary");
    let body: Vec<&str> = introduction[1..]
        .iter()
        .map(String::as_str)
        .skip_while(|line| line.is_empty())
        .collect();
    let mut out = roff::heading("graceful_close", 3, version);
    out += &format!(
        ".SH NAME\ngraceful_close \\- {}\n",
        roff::text(summary.trim_end_matches('.'))
    );
    out += ".SH SYNOPSIS\n.nf\n.B #include <graceful_close.h>\n.PP\n";
    out += "cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs graceful_close)\n.fi\n";
    out += &roff::paragraphs(&body, ".SH DESCRIPTION\n");
    for (title, kinds) in [
        ("FUNCTIONS", &[Kind::Function, Kind::Macro][..]),
        ("TYPES", &[Kind::Struct, Kind::Callback, Kind::Opaque]),
    ] {
        out += &format!(".SH {title}\n");
        for item in items {
            if kinds.contains(&item.kind) {
                let section = if has_page(item) { " (3)" } else { "" };
                let words = summary_of(item);
                out += &format!(".TP\n.BR {}{section}\n{}\n", item.name, roff::text(&words));
            }
        }
    }
    out += ".SH CONSTANTS\n";
    for item in items.iter().filter(|item| item.kind == Kind::Constant) {
        out += &constant(item);
    }
    out += ".SH SEE ALSO\n.BR graceful\\-close (1),\n.BR shutdown (2),\n.BR tcp (7)\n";
    ("graceful_close.3".to_string(), out)
}

/// `.TP` with the value, where it is a plain one, and the comment.
fn constant(item: &Item) -> String {
    let value = item.declaration[0]
        .split_whitespace()
        .skip(2)
        .collect::<Vec<_>>()
        .join(" ");
    let number = value.trim_matches(['(', ')']).trim_end_matches('U');
    let value = if number
        .trim_start_matches(['-', '"'])
        .starts_with(|c: char| c.is_ascii_digit())
    {
        format!(" ({})", roff::code(number))
    } else {
        String::new()
    };
    let doc: Vec<&str> = item.doc.iter().map(String::as_str).collect();
    format!(
        ".TP\n\\fB{}\\fP{value}\n{}",
        item.name,
        roff::paragraphs(&doc, "")
    )
}

fn page(root: &Path, item: &Item, items: &[Item], version: &str) -> (String, String) {
    let number = items
        .iter()
        .position(|other| std::ptr::eq(other, item))
        .expect("one of them");
    let mut out = roff::heading(&item.name, 3, version);
    out += &format!(
        ".SH NAME\n{} \\- {}\n",
        item.name,
        roff::text(&summary_of(item))
    );
    out += ".SH SYNOPSIS\n.nf\n.B #include <graceful_close.h>\n.fi\n.PP\n";
    let shown: Vec<&str> = if item.kind == Kind::Macro {
        // what it stands for is nobody's business
        let line = item.declaration[0].trim_start_matches("#define ");
        vec![&line[..=line.find(')').expect("arguments")]]
    } else {
        item.declaration.iter().map(String::as_str).collect()
    };
    out += &roff::code_block(shown);

    let doc = description(items, number);
    let doc: Vec<&str> = doc.iter().map(String::as_str).collect();
    let returns = doc
        .iter()
        .position(|line| line.starts_with("Returns "))
        .unwrap_or(doc.len());
    let after = returns
        + doc[returns..]
            .iter()
            .position(|line| line.is_empty())
            .unwrap_or(doc.len() - returns);
    out += &roff::paragraphs(&doc[..returns], ".SH DESCRIPTION\n");
    if after < doc.len() {
        let more = roff::paragraphs(&doc[after + 1..], ".PP\n");
        out += if out.contains(".SH DESCRIPTION") || more.is_empty() {
            ""
        } else {
            ".SH DESCRIPTION\n"
        };
        out += &more;
    }
    out += &roff::paragraphs(&doc[returns..after], ".SH RETURN VALUE\n");
    if !item.members.is_empty() {
        out += &members(item, items);
    }
    let example = examples::of(root, &item.name);
    if !example.is_empty() {
        out += ".SH EXAMPLES\n";
        out += &roff::code_block(example.iter().map(String::as_str));
    }
    out += &see_also(item, items);
    (format!("{}.3", item.name), out)
}

/// Each member, with the constants that are said to be for it.
fn members(item: &Item, items: &[Item]) -> String {
    let mut out = String::from(".SH MEMBERS\n");
    for member in &item.members {
        let doc: Vec<&str> = member.doc.iter().map(String::as_str).collect();
        out += &format!(".TP\n.I {}\n{}", member.name, roff::paragraphs(&doc, ""));
        let prefix = format!("{}: ", member.name);
        let values: Vec<&Item> = items
            .iter()
            .filter(|other| other.kind == Kind::Constant && other.doc[0].starts_with(&prefix))
            .collect();
        if !values.is_empty() {
            out += ".RS\n";
            for value in values {
                out += &constant(value).replacen(&roff::text(&prefix), "", 1);
            }
            out += ".RE\n";
        }
    }
    out
}

/// Pages that the text or the declaration names, and the overview.
fn see_also(item: &Item, items: &[Item]) -> String {
    let mut all = item.doc.join(" ") + " " + &item.declaration.join(" ");
    for member in &item.members {
        all += &member.doc.join(" ");
    }
    let words: Vec<&str> = all
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let mut names: Vec<&str> = items
        .iter()
        .filter(|other| has_page(other) && other.name != item.name)
        .map(|other| other.name.as_str())
        .filter(|name| words.contains(name))
        .collect();
    names.sort_unstable();
    names.insert(0, "graceful_close");
    let lines: Vec<String> = names.iter().map(|name| format!(".BR {name} (3)")).collect();
    format!(".SH SEE ALSO\n{}\n", lines.join(",\n"))
}

/// The line of NAME where the first sentence of the comment is none.
const NAMES: [(&str, &str); 10] = [
    (
        "gc_close_with",
        "close gracefully, with options and a report",
    ),
    ("gc_close_async", "close gracefully in the background"),
    (
        "gc_closesocket",
        "close gracefully with closesocket's convention",
    ),
    ("gc_closing_report", "what is known of a close under way"),
    (
        "gc_closing_timeout_ms",
        "when to go on with a close at the latest",
    ),
    ("gc_closing_wants_read", "whether to watch for readability"),
    ("gc_closing_socket", "the socket to watch for readability"),
    ("gc_reaper_free", "end a reaper"),
    (
        "gc_version_number",
        "the version of the library as a number",
    ),
    (
        "GRACEFUL_CLOSE_FLUSH_AT_EXIT",
        "finish pending closes when the program ends",
    ),
];

/// The first sentence, as the line of NAME wants it: short, small, without its full stop.
fn summary_of(item: &Item) -> String {
    if let Some((_, words)) = NAMES.iter().find(|(name, _)| *name == item.name) {
        return words.to_string();
    }
    let paragraph: Vec<&str> = item
        .doc
        .iter()
        .map(String::as_str)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    let mut sentence = paragraph.split(". ").next().unwrap_or("");
    for mark in [": ", "; ", ", "] {
        if let Some((short, rest)) = sentence.split_once(mark) {
            // "For X: what it does" begins with the less important
            sentence = if short.starts_with("For ") {
                rest
            } else {
                short
            };
        }
    }
    let sentence = sentence.trim_end_matches('.');
    let mut words = sentence.chars();
    match (words.next(), sentence.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(words).collect()
        }
        _ => sentence.to_string(),
    }
}

/// The comment; in the header "the same" refers to what stands before.
fn description(items: &[Item], number: usize) -> Vec<String> {
    let mut doc = items[number].doc.clone();
    if let Some(before) = number.checked_sub(1).map(|number| &items[number].name) {
        if let Some(rest) = doc[0].strip_prefix("The same as ") {
            doc[0] = format!("What {before}() tells, as {rest}");
        } else if let Some(rest) = doc[0].strip_prefix("The same") {
            doc[0] = format!("As {before}(){rest}");
        }
    }
    doc
}
