//! Whether each test that docs/proof.md names has run: from what scripts/test keeps of its legs.
//! `N.log` is what a leg said, `N.leg` its title and its command. A test is asked for only where the leg that
//! has it was in this run.

use super::{all_named, Named};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

struct Leg {
    title: String,
    command: String,
    log: String,
}

fn legs_below(folder: &Path) -> Vec<Leg> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "leg"))
        .map(|path| {
            let leg = fs::read_to_string(&path).expect("a leg");
            let (title, command) = leg.trim_end().split_once('|').expect("title|command");
            let log = fs::read(path.with_extension("log")).unwrap_or_default();
            Leg {
                title: title.to_string(),
                command: command.to_string(),
                log: String::from_utf8_lossy(&log).replace('\r', ""),
            }
        })
        .collect()
}

/// What a file's path begins with, and the leg in which its tests must run.
const LEGS: [(&str, &str); 16] = [
    ("tests/vanished.rs", "a machine that vanishes (two minutes)"),
    (
        "retrofit/hook/",
        "unit tests of the hook and the command, Windows",
    ),
    (
        "retrofit/",
        "unit tests of the preload library and the command",
    ),
    (
        "tests/c/win_strict.c",
        "C and C++ tests behind a stricter Winsock",
    ),
    (
        "tests/c/win_stdcall.c",
        "C and C++ tests on Windows with 32 bits",
    ),
    ("tests/c/win_", "C and C++ tests on Windows"),
    ("tests/preload/", "preloading"),
    ("tests/retrofit/", "preloading"),
    ("scripts/hook-tests", "hooking on Windows"),
    ("tests/override/linux.sh", "overriding at link time"),
    ("scripts/override-tests", "overriding at link time"),
    (
        "tests/override/windows.sh",
        "overriding at link time, real programs on Windows",
    ),
    ("tests/network/", "transfers over a wire that does harm"),
    ("tests/real/harness/observed.py", "observing real programs"),
    ("tests/real/harness/", "real programs"),
    ("tests/real/starters", "services that others start"),
];

const RUST: &str = "Rust tests";
const C: &str = "C and C++ tests";

fn title_of(test: &Named) -> &'static str {
    if let Some((_, title)) = LEGS.iter().find(|(file, _)| test.file.starts_with(file)) {
        return title;
    }
    match test.file.rsplit('.').next() {
        Some("rs") => RUST,
        Some("c" | "cpp") => C,
        _ => "",
    }
}

fn stem(file: &str) -> &str {
    Path::new(file)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("")
}

/// Whether one of the lines says that it ran and passed.
fn is_in(test: &Named, log: &str) -> bool {
    match test.file.rsplit('.').next() {
        Some("rs") => is_in_cargo_test(test, log),
        Some("c") if test.file.starts_with("tests/preload/") => {
            is_ok(log, &format!("{}:", test.name))
        }
        Some("c" | "cpp") => is_in_ctest(test, log),
        Some("txt") if test.file.starts_with("tests/retrofit/") => {
            is_ok(log, "each kind of socket")
        }
        _ => is_ok(log, &test.name),
    }
}

fn is_ok(log: &str, words: &str) -> bool {
    log.lines()
        .any(|line| line.starts_with("ok ") && line.contains(words))
}

/// `Running tests/a.rs (...)`, or `Running unittests src/lib.rs (...)`, and below it `test a::b::name ... ok`.
fn is_in_cargo_test(test: &Named, log: &str) -> bool {
    let is_file = test.file.starts_with("tests/");
    let mut is_here = false;
    for line in log.lines() {
        if let Some(running) = line.trim_start().strip_prefix("Running ") {
            is_here = match is_file {
                true => running.starts_with(&format!("{} ", test.file)),
                false => running.starts_with("unittests "),
            };
        }
        let path = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... ok"));
        let Some(path) = path.filter(|_| is_here) else {
            continue;
        };
        let parts: Vec<&str> = path.split("::").collect();
        let is_module = is_file || parts.contains(&module(&test.file));
        if parts.last() == Some(&test.name.as_str()) && is_module {
            return true;
        }
    }
    false
}

/// The last word that the file has in a path of modules.
fn module(file: &str) -> &str {
    match stem(file) {
        "mod" => Path::new(file)
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .unwrap_or(""),
        other => other,
    }
}

/// What ctest may call the program.
fn program_names(test: &Named) -> [String; 3] {
    let stem = stem(&test.file);
    [
        stem.to_string(),
        format!("owner_{stem}"),
        format!("tls_{stem}"),
    ]
}

/// ` 12/111 Test  #71: win_select.c89.shared ....   Passed    1.68 sec`
fn is_in_ctest(test: &Named, log: &str) -> bool {
    let names = program_names(test);
    log.lines()
        .filter(|line| line.contains(" Passed "))
        .any(|line| {
            let name = line
                .split(": ")
                .nth(1)
                .and_then(|rest| rest.split(['.', ' ']).next());
            name.is_some_and(|name| names.iter().any(|known| known == name))
        })
}

/// What a file's path begins with, and what the leg says where it skips all of these.
const SKIPPED_TOGETHER: [(&str, &str); 6] = [
    ("tests/tls/", "SKIPPED: TLS by OpenSSL:"),
    ("tests/cpp/", "SKIPPED: C++:"),
    ("tests/owners/", "SKIPPED: C++:"),
    ("tests/c", "SKIPPED: C and C++ tests,"),
    ("examples-c/", "SKIPPED: C and C++ tests,"),
    ("tests/preload/", "SKIPPED: preload library:"),
];

/// Why it may be missing: the leg, or the program, says that it was skipped.
fn is_excused(test: &Named, leg: &Leg) -> bool {
    let together = |line: &str| {
        SKIPPED_TOGETHER
            .iter()
            .any(|(file, words)| test.file.starts_with(file) && line.starts_with(words))
    };
    leg.log
        .lines()
        .any(|line| together(line) || skips_by_name(test, line))
}

/// `SKIPPED: win_strict.c89.shared: why`, `SKIPPED: T69: why`
fn skips_by_name(test: &Named, line: &str) -> bool {
    let Some(said) = line.strip_prefix("SKIPPED: ") else {
        return false;
    };
    let word = said.split(['.', ':', ' ']).next().unwrap_or("");
    let is_program =
        !test.file.ends_with(".rs") && program_names(test).iter().any(|name| name == word);
    is_program || (!test.name.is_empty() && said.starts_with(&format!("{}:", test.name)))
}

#[derive(Default)]
struct Findings {
    ran: usize,
    wrong: Vec<String>,
    skipped: Vec<String>,
    elsewhere: BTreeMap<String, usize>,
}

fn compare(tests: impl IntoIterator<Item = Named>, legs: &[Leg]) -> Findings {
    let mut findings = Findings::default();
    for test in tests {
        let what = [test.file.as_str(), test.name.as_str()].join(": ");
        let title = title_of(&test);
        let has_it = |leg: &&Leg| match title {
            "" => leg.command.contains(&test.file),
            title => leg.title == title,
        };
        if legs.iter().any(|leg| is_in(&test, &leg.log)) {
            findings.ran += 1;
        } else if let Some(leg) = legs.iter().find(has_it) {
            match is_excused(&test, leg) {
                true => findings
                    .skipped
                    .push(format!("SKIPPED: proof: {what} did not run")),
                false => findings.wrong.push(format!(
                    "FAILED  proof: {what} did not run, or did not pass"
                )),
            }
        } else {
            *findings.elsewhere.entry(title.to_string()).or_default() += 1;
        }
    }
    findings
}

/// SUMMARY: what scripts/test has written of its legs so far; it names those that were skipped.
pub fn check(folder: &Path, summary: &Path) -> ExitCode {
    let findings = compare(all_named(), &legs_below(folder));
    let summary = fs::read_to_string(summary).unwrap_or_default();
    for (title, count) in &findings.elsewhere {
        let is_skipped = summary.contains(&format!("SKIPPED  {title}: "));
        let word = if is_skipped {
            "SKIPPED: proof:"
        } else {
            "not in this run:"
        };
        println!("{word} {count} tests of the leg '{title}'");
    }
    for line in findings.skipped.iter().chain(&findings.wrong) {
        println!("{line}");
    }
    println!(
        "{} tests that docs/proof.md names ran, {} did not",
        findings.ran,
        findings.wrong.len()
    );
    match findings.wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(file: &str, name: &str) -> Named {
        Named {
            file: file.into(),
            name: name.into(),
        }
    }

    fn leg(title: &str, log: &str) -> Leg {
        Leg {
            title: title.into(),
            command: String::new(),
            log: log.into(),
        }
    }

    #[test]
    fn the_legs_are_those_of_the_script() {
        let script = include_str!("../../../scripts/test");
        for title in LEGS.iter().map(|(_, title)| *title).chain([RUST, C]) {
            assert!(script.contains(&format!("\n{title} | ")), "{title}");
        }
    }

    #[test]
    fn cargo_tests_are_found_in_their_file_and_module() {
        let log = "     Running unittests src/lib.rs (target/x)\ntest machine::tests::truth::one ... ok\n     Running tests/a.rs (target/y)\ntest inner::two ... ok\ntest three ... FAILED\n";
        assert!(is_in(&test("src/machine/tests/truth.rs", "one"), log));
        assert!(!is_in(&test("src/machine/tests/time.rs", "one"), log));
        assert!(is_in(&test("tests/a.rs", "two"), log));
        assert!(!is_in(&test("tests/b.rs", "two"), log));
        assert!(!is_in(&test("tests/a.rs", "three"), log));
    }

    #[test]
    fn programs_and_checks_are_found_by_what_they_print() {
        let log = " 33/111 Test  #71: win_select.c89.shared ............   Passed    1.68 sec\n 1/20 Test #3: owner_file ...   Passed 0.1 sec\nok      T05: the parent\nok      it is lost\n 2/20 Test #4: many.c89 ...***Failed 1 sec\n";
        assert!(is_in(&test("tests/c/win_select.c", "pump"), log));
        assert!(!is_in(&test("tests/c/many.c", ""), log));
        assert!(is_in(&test("tests/owners/file.c", ""), log));
        assert!(is_in(&test("tests/preload/sharing.c", "T05"), log));
        assert!(is_in(&test("scripts/hook-tests", "it is lost"), log));
        assert!(!is_in(&test("tests/preload/sharing.c", "T06"), log));
    }

    #[test]
    fn what_did_not_run_is_reported_unless_it_was_skipped_or_its_leg_is_elsewhere() {
        let legs = [leg(
            "C and C++ tests",
            "SKIPPED: linux_sharing.c89.shared: no right to do that\n",
        )];
        let tests = [
            test("tests/c/many.c", ""),
            test("tests/c/linux_sharing.c", "skip"),
            test("tests/preload/sharing.c", "T05"),
        ];
        let findings = compare(tests, &legs);
        assert_eq!(
            (findings.ran, findings.wrong.len(), findings.skipped.len()),
            (0, 1, 1)
        );
        assert!(findings.wrong[0].contains("tests/c/many.c"));
        assert_eq!(findings.elsewhere.get("preloading"), Some(&1));

        let together = leg(
            "C and C++ tests",
            "SKIPPED: TLS by OpenSSL: its headers are not installed\n",
        );
        assert!(is_excused(&test("tests/tls/tickets.c", ""), &together));
        assert!(!is_excused(&test("tests/c/many.c", ""), &together));
        let others = leg("Rust tests", "SKIPPED: how many times: no clock\n");
        assert!(!is_excused(&test("tests/many.rs", "times"), &others));
    }
}
