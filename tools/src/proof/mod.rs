//! docs/proof.md: each row of a table is a rule, and its last cell names the tests that show it, in
//! back quotes (`FILE: NAME`, or `FILE` for a whole program), or says `not testable here: why`.

pub mod ran;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

const PAGE: &str = "docs/proof.md";
const NOT_TESTABLE: &str = "not testable here: ";

/// Numbers that the first cells must have, from 1 on: hazards of preloading, traps of all systems, of Linux,
/// macOS, BSD and Windows.
const NUMBERED: [(&str, usize); 6] = [
    ("H", 23),
    ("T", 18),
    ("L", 10),
    ("M", 8),
    ("B", 6),
    ("W", 16),
];

/// A test that the page names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub file: String,
    /// Empty: the whole program.
    pub name: String,
}

struct Row {
    line: usize,
    first: String,
    last: String,
}

fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut before_body = 2; // the titles, and the line below them
    for (at, line) in page.lines().enumerate() {
        if !line.starts_with('|') {
            before_body = 2;
        } else if before_body > 0 {
            before_body -= 1;
        } else {
            let cells: Vec<&str> = line
                .trim()
                .trim_matches('|')
                .split(" | ")
                .map(str::trim)
                .collect();
            let (first, last) = (cells[0].to_string(), cells[cells.len() - 1].to_string());
            rows.push(Row {
                line: at + 1,
                first,
                last,
            });
        }
    }
    rows
}

fn named(cell: &str) -> Vec<Named> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let parts = quoted.map(|text| text.split_once(": ").unwrap_or((text, "")));
    parts
        .map(|(file, name)| Named {
            file: file.to_string(),
            name: name.to_string(),
        })
        .collect()
}

/// All that the page names, once.
fn all_named() -> BTreeSet<Named> {
    let page = fs::read_to_string(PAGE).expect(PAGE);
    rows(&page)
        .iter()
        .flat_map(|row| named(&row.last))
        .collect()
}

/// Whether a file with this text has the test.
fn has(file: &str, name: &str, text: &str) -> bool {
    let end = Path::new(file)
        .extension()
        .and_then(|end| end.to_str())
        .unwrap_or("");
    match end {
        "rs" => crate::manual::test_functions(text)
            .iter()
            .any(|test| test == name),
        "c" if file.starts_with("tests/preload/") => text.contains(&format!("{{\"{name}\", ")),
        "c" | "cpp" if name.is_empty() => true,
        "c" | "cpp" => text.contains(&format!(" {name}(")),
        "txt" => text
            .lines()
            .any(|line| line.split_whitespace().next() == Some(name)),
        _ => !name.is_empty() && text.contains(name),
    }
}

fn complaint(test: &Named) -> Option<String> {
    match fs::read_to_string(&test.file) {
        Err(_) => Some(format!("there is no {}", test.file)),
        Ok(text) if !has(&test.file, &test.name, &text) => {
            Some(format!("{} has no test called '{}'", test.file, test.name))
        }
        Ok(_) => None,
    }
}

fn complaints(page: &str) -> Vec<String> {
    let rows = rows(page);
    let mut wrong = Vec::new();
    for row in &rows {
        let tests = named(&row.last);
        let is_excused = row
            .last
            .strip_prefix(NOT_TESTABLE)
            .is_some_and(|why| why.len() > 10);
        if tests.is_empty() && !is_excused {
            wrong.push(format!(
                "{PAGE}:{}: it names no test, and does not say '{NOT_TESTABLE}why'",
                row.line
            ));
        }
        wrong.extend(
            tests
                .iter()
                .filter_map(complaint)
                .map(|said| format!("{PAGE}:{}: {said}", row.line)),
        );
    }
    let firsts: BTreeSet<&str> = rows.iter().map(|row| row.first.as_str()).collect();
    for (letter, count) in NUMBERED {
        let numbers = (1..=count).map(|number| format!("{letter}{number}"));
        wrong.extend(
            numbers
                .filter(|number| !firsts.contains(number.as_str()))
                .map(|number| format!("{PAGE}: {number} is missing")),
        );
    }
    wrong
}

/// Whether each rule has a test that exists.
pub fn check() -> ExitCode {
    let page = fs::read_to_string(PAGE).expect(PAGE);
    let right = format!("{} rules, {} tests", rows(&page).len(), all_named().len());
    crate::manual::verdict(&complaints(&page), &right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_bodies_of_tables() {
        let page = "| no | by |\n|---|---|\n| H1 | `a.rs: b` |\n\n| x | y |\n|---|---|\n| H2 | not testable here: no such system |\n";
        let found = rows(page);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].first.as_str(), found[0].line), ("H1", 3));
        let test = Named {
            file: "a.rs".into(),
            name: "b".into(),
        };
        assert_eq!(named(&found[0].last), [test]);
        assert!(named(&found[1].last).is_empty());
    }

    #[test]
    fn each_kind_of_file_has_its_kind_of_test() {
        assert!(has("tests/a.rs", "one", "#[test]\n#[ignore]\nfn one() {"));
        assert!(!has(
            "tests/a.rs",
            "two",
            "#[test]\nfn one() {\n}\nfn two() {"
        ));
        assert!(has("tests/preload/a.c", "T01", "{\"T01\", early},"));
        assert!(has("tests/c/a.c", "", "int main(void)"));
        assert!(has("tests/c/a.c", "one", "static void one(void)"));
        assert!(!has("tests/c/a.c", "two", "static void one(void)"));
        assert!(has(
            "tests/retrofit/matrix.txt",
            "shared",
            "shared  IsShared"
        ));
        assert!(!has(
            "tests/retrofit/matrix.txt",
            "gone",
            "shared  IsShared"
        ));
        assert!(has(
            "scripts/hook-tests",
            "it is lost",
            "check \"it is lost\""
        ));
    }

    #[test]
    fn what_is_missing_is_reported() {
        let wrong = complaints("| no | by |\n|---|---|\n| H1 | somebody |\n| H2 | `tests/gone.rs: x` |\n| H3 | not testable here: no such system |\n");
        assert!(wrong[0].contains("names no test"));
        assert!(wrong[1].contains("there is no tests/gone.rs"));
        assert!(wrong.iter().any(|line| line.contains("H4 is missing")));
        assert!(!wrong.iter().any(|line| line.contains("H3 is missing")));
    }
}
