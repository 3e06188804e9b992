//! Each measured figure in README.md and docs/ has the command that made it.
//!
//! A section is what stands between two headings. A section with a measured figure needs a line
//! `Made by: ` with commands in back quotes (Korean: `측정 명령: `), or, where a figure only looks
//! measured, `<!-- not measured: why -->` in that paragraph or table. The commands must exist.

use super::commands::{self, Tree};
use super::verdict;
use regex_lite::Regex;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const MADE_BY: [&str; 2] = ["Made by: ", "측정 명령: "];
const NOT_MEASURED: &str = "<!-- not measured: ";

/// What a measured figure looks like, outside of a table's columns of numbers.
const MEASURED: [&str; 6] = [
    // 3 of 200, 3 / 200, 200개 중 5개
    r"(^|[^\d.,])\d[\d,]* of \d[\d,]*\b",
    r"(^|[^\d./])\d+/\d+\b",
    r"\d[\d,]*개 중 \d",
    // nobody sets a limit with a decimal point, and no limit is given in microseconds
    r"\b\d+\.\d+ ?(s|ms|seconds|minutes|[KMG]i?B(/s)?|GB/s|x|times|%|초|배)(\W|$)",
    r"\b\d[\d,.]* ?(us|ns|microseconds|nanoseconds)\b",
    // a number, and in the same sentence the word
    r"(?i)\bmeasured\b[^.]*\d|\d[^.]*\bmeasured\b|측정[^.]*\d",
];

/// A paragraph, a list, a table, or a block of text between back quotes.
struct Block {
    line: usize,
    lines: Vec<String>,
    is_code: bool,
}

struct Section {
    blocks: Vec<Block>,
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section { blocks: Vec::new() }];
    let mut is_code = false;
    let mut is_new = true;
    for (at, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        if fence {
            is_code = !is_code;
            is_new = true;
            continue;
        }
        if !is_code && line.starts_with('#') {
            sections.push(Section { blocks: Vec::new() });
            is_new = true;
            continue;
        }
        if line.trim().is_empty() && !is_code {
            is_new = true;
            continue;
        }
        let blocks = &mut sections.last_mut().expect("a section").blocks;
        if is_new {
            blocks.push(Block {
                line: at + 1,
                lines: Vec::new(),
                is_code,
            });
            is_new = false;
        }
        blocks
            .last_mut()
            .expect("a block")
            .lines
            .push(line.to_string());
    }
    sections
}

impl Block {
    fn text(&self) -> String {
        self.lines.join(" ")
    }

    fn is_table(&self) -> bool {
        !self.is_code
            && self
                .lines
                .iter()
                .all(|line| line.trim_start().starts_with('|') || line.starts_with("<!--"))
    }

    /// Why it is taken for a measurement.
    fn measured(&self, patterns: &[Regex]) -> Option<String> {
        let text = self.text();
        if text.contains(NOT_MEASURED) {
            return None;
        }
        if self.is_table() {
            if let Some(column) = self.column_of_numbers() {
                return Some(format!("the column '{column}'"));
            }
        }
        let plain = without_code(&text, self.is_code);
        let found = patterns.iter().find_map(|pattern| pattern.find(&plain))?;
        Some(format!("'{}'", found.as_str().trim()))
    }

    /// The title of a column that has nothing but numbers, and does not count 1, 2, 3 or codes.
    fn column_of_numbers(&self) -> Option<String> {
        let rows: Vec<Vec<&str>> = self
            .lines
            .iter()
            .filter(|line| line.contains('|'))
            .map(|line| cells(line))
            .collect();
        let body = rows.get(2..).filter(|body| body.len() > 1)?;
        (0..rows[0].len()).find_map(|at| {
            let column: Vec<&str> = body.iter().filter_map(|row| row.get(at).copied()).collect();
            let numbers: Vec<f64> = column.iter().filter_map(|cell| number(cell)).collect();
            let only_numbers = numbers.len() == column.len() && numbers.len() > 1;
            (only_numbers && !counts(&numbers)).then(|| rows[0][at].to_string())
        })
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

fn number(cell: &str) -> Option<f64> {
    cell.replace(',', "").parse().ok()
}

/// 1, 2, 3 are the numbers of the rows, and 0, 1, 2 or -1, -2, -3 are codes.
fn counts(numbers: &[f64]) -> bool {
    let step = numbers[1] - numbers[0];
    step.abs() == 1.0 && numbers.windows(2).all(|two| two[1] - two[0] == step)
}

/// Prose without what stands between back quotes: names, options and commands are no measurements.
fn without_code(text: &str, is_code: bool) -> String {
    match is_code {
        true => text.to_string(),
        false => text.split('`').step_by(2).collect::<Vec<_>>().join("_"),
    }
}

/// The commands that follow the words: one in back quotes, or several with commas between them.
fn commands_of(section: &Section) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    for block in section.blocks.iter().filter(|block| !block.is_code) {
        let text = block.text();
        for mark in MADE_BY {
            for rest in text.split(mark).skip(1) {
                commands.extend(
                    quoted(rest)
                        .into_iter()
                        .map(|command| (block.line, command)),
                );
            }
        }
    }
    commands
}

fn quoted(text: &str) -> Vec<String> {
    let mut parts = text.split('`');
    let mut commands = Vec::new();
    while let (Some("" | ", "), Some(command)) = (parts.next(), parts.next()) {
        commands.push(command.to_string());
    }
    commands
}

fn complaints(path: &Path, text: &str, patterns: &[Regex], tree: &Tree) -> (Vec<String>, usize) {
    let (mut wrong, mut named) = (Vec::new(), 0);
    for section in sections(text) {
        let commands = commands_of(&section);
        named += commands.len();
        for (line, command) in &commands {
            if let Err(why) = commands::exists(command, tree) {
                wrong.push(format!("{}:{line}: `{command}`: {why}", path.display()));
            }
        }
        if !commands.is_empty() {
            continue;
        }
        for block in &section.blocks {
            if let Some(why) = block.measured(patterns) {
                wrong.push(format!(
                    "{}:{}: {why} has no line 'Made by: `command`' in its section",
                    path.display(),
                    block.line
                ));
            }
        }
    }
    (wrong, named)
}

/// Whether each measured figure has its command.
pub fn check() -> ExitCode {
    let patterns = patterns();
    let tree = Tree::read();
    let (mut wrong, mut named) = (Vec::new(), 0);
    for page in super::pages().iter().filter(|page| is_checked(&page.path)) {
        let text = std::fs::read_to_string(&page.path).expect("a page");
        let (said, commands) = complaints(&page.path, &text, &patterns, &tree);
        wrong.extend(said);
        named += commands;
    }
    verdict(&wrong, &format!("{named} commands for what was measured"))
}

fn is_checked(path: &PathBuf) -> bool {
    path == Path::new("README.md") || path.starts_with("docs")
}

fn patterns() -> Vec<Regex> {
    MEASURED
        .iter()
        .map(|pattern| Regex::new(pattern).expect("a pattern"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let tree = Tree::of(&["tests/real/run"], &["demo"]);
        complaints(Path::new("a.md"), text, &patterns(), &tree).0
    }

    #[test]
    fn a_measured_figure_without_its_command_is_reported() {
        for text in [
            "lost 3 of 200 answers",
            "it took 2.03 s",
            "a search costs 10 us",
            "200개 중 5개만 온전함",
            "Measured on this machine: 40 closes",
            "```\ncurl 199/200\n```",
            "| a | b |\n|---|---|\n| x | 17 |\n| y | 1,200 |",
        ] {
            assert_eq!(wrong(&format!("# A\n\n{text}\n")).len(), 1, "{text}");
        }
    }

    #[test]
    fn constants_are_no_measurements() {
        for text in [
            "at most 5 seconds, RFC 9293, errno 10054, HTTP/2, port 8080, 64 MiB",
            "`lost 3 of 200`",
            "| a | b |\n|---|---|\n| x | 0 |\n| y | 1 |\n| z | 2 |",
            "two of the calls; version 0.2.0 of 2026-11-28",
            "waits 0.2 s <!-- not measured: a default -->",
        ] {
            assert!(wrong(&format!("# A\n\n{text}\n")).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_command_stands_in_the_same_section_and_exists() {
        assert!(
            wrong("# A\n3 of 9 arrive.\n\nMade by: `make demo`, `tests/real/run --full`.\n")
                .is_empty()
        );
        assert!(wrong("# A\n3 of 9.\n\n측정 명령: `make demo`.\n").is_empty());
        assert_eq!(
            wrong("# A\nMade by: `make demo`.\n\n# B\n3 of 9 arrive.\n").len(),
            1
        );
        assert_eq!(wrong("# A\n3 of 9.\n\nMade by: `make no-such`.\n").len(), 1);
        assert_eq!(
            wrong("# A\n3 of 9.\n\nMade by: `tests/real/gone`.\n").len(),
            1
        );
        assert_eq!(wrong("# A\n3 of 9.\n\nMade by: somebody.\n").len(), 1);
    }
}
