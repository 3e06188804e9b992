//! Says whether this compiler has naked functions (1.88), which the execl() family needs.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(has_naked_functions)");
    if minor_version().is_some_and(|minor| minor >= 88) {
        println!("cargo::rustc-cfg=has_naked_functions");
    }
}

/// Of "rustc 1.95.0 (...)".
fn minor_version() -> Option<u32> {
    let compiler = env::var_os("RUSTC")?;
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split('.').nth(1)?.parse().ok()
}
