//! The manual pages, which are made from the header when they are installed, and the reference,
//! which is kept.

#![cfg(not(windows))] // the source tree is the same

#[path = "../tools/manual/src/pages/mod.rs"]
mod man;

use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_reference_in_docs_is_up_to_date() {
    let committed = std::fs::read_to_string(root().join("docs/reference.md")).unwrap_or_default();
    assert!(
        committed.replace("\r\n", "\n") == man::reference(root()),
        "run `make man`"
    );
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
