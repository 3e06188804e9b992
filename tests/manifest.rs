//! What Cargo.toml promises to those who build the library.

use std::collections::BTreeSet;

/// Of `[dependencies]`, `[target.….dependencies]` and `[….dependencies.NAME]` the names; `Some("")`: they
/// stand in the lines below.
fn named_by(section: &str) -> Option<&str> {
    let section = match section.starts_with("target.") {
        true => section.split_once("'.")?.1,
        false => section,
    };
    let rest = section.strip_prefix("dependencies")?;
    Some(rest.trim_start_matches('.'))
}

fn needed(manifest: &str) -> BTreeSet<&str> {
    let mut section = None;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(title) = line.strip_prefix('[') {
            section = named_by(title.trim_end_matches(']'));
            names.extend(section.filter(|name| !name.is_empty()));
        } else if let (Some(""), Some((name, _))) = (section, line.split_once('=')) {
            names.insert(name.trim());
        }
    }
    names
}

#[test]
fn the_library_needs_three_crates_alone() {
    let found = needed(include_str!("../Cargo.toml"));
    assert_eq!(found, BTreeSet::from(["libc", "socket2", "windows-sys"]));
}

#[test]
fn each_way_to_name_a_dependency_is_understood() {
    let manifest = "[dependencies]\na = \"1\"\n[dependencies.b]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = { version = \"1\" }\n[dev-dependencies]\nx = \"1\"\n[target.'cfg(loom)'.dev-dependencies]\ny = \"1\"\n";
    assert_eq!(needed(manifest), BTreeSet::from(["a", "b", "c"]));
}
