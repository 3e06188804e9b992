//! Writes the manual pages in `man` anew from the comments of `include/graceful_close.h` and the
//! help text of the command, and docs/reference.md: `make man`.

#[path = "../tests/support/man/mod.rs"]
mod man;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("man");
    std::fs::create_dir_all(&folder)?;
    // what is no longer in the header goes
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|section| section == "3") {
            std::fs::remove_file(path)?;
        }
    }
    for (name, text) in man::generate(root) {
        std::fs::write(folder.join(name), text)?;
    }
    std::fs::write(root.join("docs/reference.md"), man::reference(root))?;
    Ok(())
}
