//! Whether a command that a page names is there: a target of the Makefile, a script, a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What commands may name.
pub struct Tree {
    files: BTreeSet<PathBuf>,
    targets: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl Tree {
    pub fn read() -> Tree {
        let mut files = BTreeSet::new();
        for folder in [
            "scripts",
            "tests",
            "benches",
            "examples-c",
            "src",
            "retrofit",
            "contrib",
        ] {
            files_below(Path::new(folder), &mut files);
        }
        let makefile = fs::read_to_string("Makefile").expect("the Makefile");
        let tests = files
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .flat_map(|path| functions(&fs::read_to_string(path).unwrap_or_default()))
            .collect();
        Tree {
            files,
            targets: targets(&makefile),
            tests,
        }
    }

    #[cfg(test)]
    pub fn of(files: &[&str], targets: &[&str]) -> Tree {
        Tree {
            files: files.iter().map(PathBuf::from).collect(),
            targets: targets.iter().map(|name| name.to_string()).collect(),
            tests: BTreeSet::new(),
        }
    }
}

fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.insert(path);
        }
    }
}

/// `name:` at the margin, but not `NAME := value`.
fn targets(makefile: &str) -> BTreeSet<String> {
    let rules = makefile.lines().filter_map(|line| line.split_once(':'));
    rules
        .filter(|(names, rest)| !rest.starts_with('=') && !names.starts_with(['\t', '#', '.']))
        .flat_map(|(names, _)| {
            names
                .split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The functions that stand behind `#[test]`.
pub fn functions(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let (true, Some(rest)) = (is_test, line.strip_prefix("fn ")) {
            names.extend(rest.split('(').next().map(String::from));
            is_test = false;
        }
    }
    names
}

/// Err: what is missing.
pub fn exists(command: &str, tree: &Tree) -> Result<(), String> {
    let words: Vec<&str> = command
        .split_whitespace()
        .filter(|word| !is_setting(word))
        .collect();
    match words[..] {
        ["make", target, ..] if tree.targets.contains(target) => Ok(()),
        ["make", target, ..] => Err(format!("the Makefile has no target {target}")),
        ["cargo", "test", ref rest @ ..] => cargo_test(rest, tree),
        [file, ..] if tree.files.contains(Path::new(file)) => Ok(()),
        [file, ..] => Err(format!("there is no {file}")),
        [] => Err("no command".to_string()),
    }
}

/// `NAME=value` before a command.
fn is_setting(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    })
}

/// `cargo test --test FILE NAME -- ...`: the file, and a test whose name has NAME in it.
fn cargo_test(words: &[&str], tree: &Tree) -> Result<(), String> {
    let mut words = words.iter().take_while(|word| **word != "--");
    let mut has_file = false;
    let mut name = None;
    while let Some(word) = words.next() {
        match *word {
            "--test" => {
                let file = Path::new("tests").join(format!("{}.rs", words.next().unwrap_or(&"")));
                if !tree.files.contains(&file) {
                    return Err(format!("there is no {}", file.display()));
                }
                has_file = true;
            }
            "-p" | "--target" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => name = Some(word),
        }
    }
    match name {
        Some(name) if tree.tests.iter().any(|test| test.contains(name)) => Ok(()),
        Some(name) => Err(format!("no test is called {name}")),
        None if has_file => Ok(()),
        None => Err("it names no test".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_tests_are_found() {
        let found = targets("A := b\n.PHONY: all\nlib demo: x\n\ttool: y\n");
        assert_eq!(found, ["demo".to_string(), "lib".to_string()].into());
        assert_eq!(
            functions("#[test]\n#[ignore]\nfn one() {\n}\nfn two() {\n}\n"),
            ["one"]
        );
    }

    #[test]
    fn a_command_may_begin_with_settings() {
        let tree = Tree::of(&["scripts/bench"], &["bench"]);
        assert!(exists("A_B=1 scripts/bench --all", &tree).is_ok());
        assert!(exists("make bench", &tree).is_ok());
        assert!(exists("curl x", &tree).is_err());
        assert!(exists("A=1", &tree).is_err());
    }

    #[test]
    fn a_test_is_named_by_file_or_name() {
        let mut tree = Tree::of(&["tests/costs.rs"], &[]);
        tree.tests.insert("linger_blocks".to_string());
        assert!(exists(
            "cargo test --release --test costs linger -- --nocapture",
            &tree
        )
        .is_ok());
        assert!(exists("cargo test --test costs", &tree).is_ok());
        assert!(exists("cargo test --test gone", &tree).is_err());
        assert!(exists("cargo test --test costs gone", &tree).is_err());
        assert!(exists("cargo test", &tree).is_err());
    }
}
