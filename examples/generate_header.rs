//! Writes `include/graceful_close.h` anew from the doc comments in `src/capi`
//! and from `cbindgen.toml`: `make header`.

#[path = "../tests/support/header.rs"]
mod header;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(
        root.join("include/graceful_close.h"),
        header::generate(root),
    )
}
