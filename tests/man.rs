//! The committed manual pages are the generated ones.

#![cfg(not(windows))] // the source tree is the same

#[path = "support/man/mod.rs"]
mod man;

use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_pages_are_up_to_date() {
    for (name, generated) in man::generate(root()) {
        let path = root().join("man").join(&name);
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let committed = committed.replace("\r\n", "\n");
        for (number, (is, should)) in committed.lines().zip(generated.lines()).enumerate() {
            assert_eq!(is, should, "{name}, line {}: run `make man`", number + 1);
        }
        assert_eq!(committed.len(), generated.len(), "{name}: run `make man`");
    }
}

#[test]
fn the_reference_in_docs_is_up_to_date() {
    let committed = std::fs::read_to_string(root().join("docs/reference.md")).unwrap_or_default();
    assert!(
        committed.replace("\r\n", "\n") == man::reference(root()),
        "run `make man`"
    );
}

#[test]
fn there_are_no_other_pages() {
    let generated: BTreeSet<String> = man::generate(root())
        .into_iter()
        .map(|page| page.0)
        .collect();
    for entry in std::fs::read_dir(root().join("man")).expect("man") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("plain letters").to_string();
        if name.ends_with(".3") {
            assert!(generated.contains(&name), "{name}: run `make man`");
        }
    }
}

/// A declaration that the reader of the header does not understand must not vanish silently.
#[test]
fn every_function_has_a_page() {
    let header = std::fs::read_to_string(root().join("include/graceful_close.h")).expect("header");
    let pages: BTreeSet<String> = man::generate(root())
        .into_iter()
        .map(|page| page.0)
        .collect();
    let mut functions = 0;
    // the macro's own definition is none
    let declarations = header
        .split("GRACEFUL_CLOSE_API")
        .skip(1)
        .filter(|text| !text.starts_with(" GRACEFUL_CLOSE_IMPORT") && !text.starts_with("\n#"));
    for text in declarations {
        let before = text.split('(').next().expect("a declaration");
        let name = before.rsplit([' ', '*', '\n']).next().expect("a name");
        assert!(pages.contains(&format!("{name}.3")), "{name}");
        functions += 1;
    }
    assert!(functions >= 20, "{functions} functions");
    assert!(pages.contains("gc_closesocket.3"));
}
