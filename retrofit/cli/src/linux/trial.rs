//! Whether the library can be loaded into a program, found out without running the program.
//!
//! The program's own dynamic linker is started as ldd does it: with LD_TRACE_LOADED_OBJECTS it maps
//! the program and the libraries, names them and ends. Nothing of their code runs. (This command
//! cannot try it on itself: the one of the archives is static.)

use super::library::{preloaded, PRELOAD};
use super::program::Image;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What would change the linker's answer, or mix something into it.
const OTHER_ORDERS: [&str; 6] = [
    "LD_AUDIT",
    "LD_BIND_NOW",
    "LD_DEBUG",
    "LD_DEBUG_OUTPUT",
    "LD_VERBOSE",
    "LD_WARN",
];

/// After the name of a version, as in "libc.so.6: version `GLIBC_2.34' not found (required by ...)".
const MISSING_VERSION: &str = "' not found (required by ";

/// Why not, in words.
pub fn load(library: &Path, image: &Image) -> Result<(), String> {
    let path = image.path.display();
    let Some(elf) = &image.elf else {
        return Err(format!("{path} cannot be read, so it cannot be told"));
    };
    let Some(linker) = &elf.linker else {
        return Err(format!("{path} is statically linked"));
    };
    let linker = Path::new(OsStr::from_bytes(linker.path()));
    let mut command = Command::new(linker);
    for name in OTHER_ORDERS {
        command.env_remove(name);
    }
    let output = command
        .arg(&image.path)
        .env(PRELOAD, preloaded(library))
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            format!(
                "its dynamic linker {} cannot be run: {error}",
                linker.display()
            )
        })?;
    verdict(&output, library).map_err(|why| match why {
        Some(why) => format!("the library cannot be loaded: {why}"),
        None => format!(
            "its dynamic linker {} does not load the library and gives no reason ({})",
            linker.display(),
            output.status
        ),
    })
}

fn verdict(output: &Output, library: &Path) -> Result<(), Option<String>> {
    let library = library.to_string_lossy();
    let list = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut loaded = list.lines().map(str::trim);
    let missing_file = loaded.clone().find(|line| line.ends_with("=> not found"));
    // a tracing linker goes on after either, and ends with 0; a program would not start
    let missing_version = || errors.lines().find(|line| line.contains(MISSING_VERSION));
    if let Some(missing) = missing_file.or_else(missing_version) {
        return Err(Some(missing.into()));
    }
    let is_loaded = loaded.any(|line| line.strip_prefix(&*library).is_some_and(is_address));
    if output.status.success() && is_loaded {
        return Ok(());
    }
    // other libraries may be preloaded, and have errors of their own
    let about_it = errors.lines().find(|line| line.contains(&*library));
    let why = about_it.unwrap_or(&errors).trim();
    Err((!why.is_empty()).then(|| why.replace('\n', "; ")))
}

/// `" (0x00007f...)"`: where it was mapped.
fn is_address(text: &str) -> bool {
    text.trim_start().starts_with("(0x")
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{ExitStatus, Output};

    fn verdict_of(status: i32, stdout: &str, stderr: &str) -> Result<(), Option<String>> {
        let output = Output {
            status: ExitStatus::from_raw(status << 8),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        verdict(&output, Path::new("/lib/gc.so"))
    }

    const LIST: &str = "\tlinux-vdso.so.1 (0x00007f01)\n\t/lib/gc.so (0x00007f02)\n";

    #[test]
    fn what_was_mapped_is_loaded() {
        assert_eq!(verdict_of(0, LIST, ""), Ok(()));
        let others = "ERROR: ld.so: object 'x.so' from LD_PRELOAD cannot be preloaded: ignored.\n";
        assert_eq!(verdict_of(0, LIST, others), Ok(()));
    }

    #[test]
    fn a_name_alone_is_not() {
        assert_eq!(
            verdict_of(0, "\t/lib/gc.so.1 (0x00007f02)\n", ""),
            Err(None)
        );
        assert_eq!(verdict_of(0, "", ""), Err(None));
        assert_eq!(
            verdict_of(127, LIST, "version\n"),
            Err(Some("version".into()))
        );
    }

    #[test]
    fn the_line_about_the_library_is_the_reason() {
        let errors = "object 'x.so': ignored.\nobject '/lib/gc.so' cannot be preloaded: ignored.\n";
        let why = verdict_of(0, "\tlibc.so.6 => /lib/libc.so.6 (0x00007f01)\n", errors);
        assert_eq!(why.unwrap_err().unwrap(), errors.lines().nth(1).unwrap());
    }

    #[test]
    fn a_missing_library_is_named() {
        let list = format!("{LIST}\tlibgcc_s.so.1 => not found\n");
        let why = verdict_of(0, &list, "");
        assert_eq!(why, Err(Some("libgcc_s.so.1 => not found".into())));
    }

    #[test]
    fn a_missing_version_is_named() {
        let error = "/bin/sh: libc.so.6: version `GLIBC_9.9' not found (required by /lib/gc.so)";
        assert_eq!(verdict_of(0, LIST, error), Err(Some(error.into())));
        let warning = "sh: x.so: no version information available (required by /lib/gc.so)";
        assert_eq!(verdict_of(0, LIST, warning), Ok(()));
    }
}
