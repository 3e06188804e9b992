//! The committed header is the generated one, and agrees with the library.

#![cfg(not(windows))] // the source tree is the same; cbindgen need not run twice

#[path = "support/header.rs"]
mod header;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn committed() -> String {
    let path = root().join("include/graceful_close.h");
    let text = std::fs::read_to_string(path).expect("include/graceful_close.h");
    text.replace("\r\n", "\n")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let (committed, generated) = (committed(), header::generate(root()));
    for (number, (is, should)) in committed.lines().zip(generated.lines()).enumerate() {
        assert_eq!(is, should, "line {}: run `make header`", number + 1);
    }
    assert_eq!(committed.len(), generated.len(), "run `make header`");
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = env!("CARGO_PKG_VERSION");
    let in_words = format!("#define GRACEFUL_CLOSE_VERSION_STRING \"{version}\"");
    assert!(committed().lines().any(|line| line == in_words));

    let parts: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    let number = parts[0] * 10_000 + parts[1] * 100 + parts[2];
    let in_figures = format!("#define GRACEFUL_CLOSE_VERSION_NUMBER {number}");
    assert!(committed().lines().any(|line| line == in_figures));
}

#[test]
fn every_macro_has_one_of_our_prefixes() {
    for line in committed().lines() {
        if let Some(rest) = line.strip_prefix("#define ") {
            let ours = rest.starts_with("GC_") || rest.starts_with("GRACEFUL_CLOSE_");
            assert!(ours, "{line}");
        }
    }
}

#[test]
fn no_public_constant_leaks_into_the_header() {
    let expected = [
        "GRACEFUL",
        "TIMED_OUT",
        "RESET",
        "LOST",
        "DRAIN_LIMIT",
        "STOPPED",
        "NOT_CONNECTED",
        "UNCERTAIN",
        "EVICTED",
        "RELEASED",
        "DELIVERED",
        "CONTINUED",
        "ERR_NOT_A_SOCKET",
        "ERR_ARGUMENT",
        "ERR_RESOURCES",
        "ERR_STOPPED",
        "ERR_SYSTEM",
        "ERR_INTERNAL",
        "THEN_CLOSE",
        "THEN_ABORT",
        "THEN_KEEP",
        "THEN_BACKGROUND",
        "SHARED_SHUTDOWN",
        "SHARED_RELEASE",
        "DEFERRED",
        "UNTIL_ACKED",
        "KEEP_OPEN",
        "PENDING",
        "INFINITE",
        "UNKNOWN",
        "OPTIONS_INIT",
        "OPTIONS_SERVER_INIT",
        "REPORT_INIT",
        "FULL_EVICT_OLDEST",
        "FULL_REFUSE",
        "REAPER_OPTIONS_INIT",
        "STATS_INIT",
    ];
    for line in committed().lines() {
        if let Some(rest) = line.strip_prefix("#define GC_") {
            let name = rest.split(' ').next().unwrap();
            assert!(expected.contains(&name), "GC_{name}");
        }
    }
}

#[test]
fn the_comments_are_plain_words() {
    for line in committed().lines() {
        assert!(!line.contains('`') && !line.contains("[`"), "{line}");
        assert!(line.is_ascii(), "{line}");
        assert!(line.len() <= 100, "{line}");
    }
}
