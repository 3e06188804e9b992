//! docs/reference.md: the header for a browser.

use super::examples as blocks;
use super::items::{self, Item, Kind};
use std::collections::BTreeSet;
use std::path::Path;

const HEAD: &str = "# Reference

<!-- Written by `make man` from the comments of include/graceful_close.h; do not edit. -->

Everything on this page is there since version 0.2.0, the first one whose interface is kept. Times are in
milliseconds, sizes in bytes; `elapsed_us` alone is in microseconds. What is said of each function holds on all
systems unless a system is named; [Platforms](platforms.md) says what differs. The same text is in the manual
pages (`man gc_close`).

";

const SECTIONS: [(&str, &[Kind]); 3] = [
    ("Functions", &[Kind::Function, Kind::Macro]),
    (
        "Structs and callbacks",
        &[Kind::Struct, Kind::Callback, Kind::Opaque],
    ),
    ("Constants", &[Kind::Constant]),
];

pub fn page(root: &Path, header: &str) -> String {
    let items = items::items(header);
    let names: BTreeSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let examples = examples(root);
    let mut out = HEAD.to_string();
    for (title, kinds) in SECTIONS {
        out += &format!("## {title}\n\n");
        for item in items.iter().filter(|item| kinds.contains(&item.kind)) {
            out += &entry(root, item, &names, &examples);
        }
    }
    out.trim_end().to_string() + "\n"
}

/// Name and text of each example in C.
fn examples(root: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(root.join("examples-c"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.to_string();
            let is_program = name.ends_with(".c") || name.ends_with(".cpp");
            is_program.then(|| Some((name, std::fs::read_to_string(path).ok()?)))?
        })
        .collect();
    found.sort();
    found
}

fn entry(
    root: &Path,
    item: &Item,
    names: &BTreeSet<&str>,
    examples: &[(String, String)],
) -> String {
    let mut out = format!("### {}\n\n", item.name);
    // not "c": a declaration alone is no fragment of a program
    out += &format!("```cpp\n{}\n```\n\n", item.declaration.join("\n"));
    out += &paragraphs(&item.doc, &item.name, names);
    for member in &item.members {
        out += &format!("`{}`\n\n", member.declaration);
        out += &paragraphs(&member.doc, &item.name, names);
    }
    let block = blocks::of(root, &item.name);
    if item.kind == Kind::Function && !block.is_empty() {
        out += &format!("For example:\n\n```cpp\n{}\n```\n\n", block.join("\n"));
    }
    let used: Vec<String> = examples
        .iter()
        .filter(|(_, text)| {
            item.kind != Kind::Constant && text.contains(&format!("{}(", item.name))
        })
        .map(|(name, _)| format!("[{name}](../examples-c/{name})"))
        .collect();
    if !used.is_empty() {
        out += &format!("Programs: {}\n\n", used.join(", "));
    }
    out
}

/// Lines that are set in are code.
fn paragraphs(doc: &[String], own: &str, names: &BTreeSet<&str>) -> String {
    let mut out = String::new();
    let mut code = false;
    for line in doc {
        let is_code = line.starts_with("  ");
        if is_code != code && !line.is_empty() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
            code = is_code;
        }
        if code {
            out += &format!("    {}\n", line.trim_start());
        } else {
            out += &linked(line, own, names);
            out.push('\n');
        }
    }
    out.trim_end().to_string() + "\n\n"
}

/// Names of the header lead to their entries.
fn linked(line: &str, own: &str, names: &BTreeSet<&str>) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        match names.contains(word.as_str()) {
            true if word != own => out += &format!("[{word}](#{})", word.to_lowercase()),
            _ => out += &word,
        }
        word.clear();
        match c {
            '\n' => {}
            '*' | '<' | '[' | '|' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}
