//! Sizes of what is built and the libraries of the system that it needs. The limits are generous:
//! they are to notice a mistake (no link-time optimisation, a dependency that came along), not to
//! judge a compiler. No build depends on them.

use object::read::elf::{Dyn, FileHeader, SectionHeader};
use object::{elf, Endianness, Object};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// What is expected of one file.
struct Product {
    name: &'static str,
    /// Bytes, stripped.
    most: u64,
    /// Beginnings of the names of libraries that it may need, in lower case.
    may_need: &'static [&'static str],
    /// All that it exports, where nothing else compares that (scripts/abi, scripts/preload-tests).
    exports: Option<&'static str>,
}

/// glibc, the compiler's unwinder and the loader.
const LINUX: &[&str] = &["libc.so.6", "libgcc_s.so.1", "ld-linux"];
/// Rust's standard library asks for more in a program, on old systems of glibc.
const LINUX_PROGRAM: &[&str] = &[
    "libc.so.6",
    "libgcc_s.so.1",
    "ld-linux",
    "libpthread.so.0",
    "libdl.so.2",
];
/// What every Windows since 10 has, and Wine 8: no library of the compiler, no bcryptprimitives.
const WINDOWS: &[&str] = &[
    "kernel32.dll",
    "ntdll.dll",
    "ws2_32.dll",
    "msvcrt.dll",
    "api-ms-win-core-",
];

/// The command asks for random numbers, too.
const WINDOWS_PROGRAM: &[&str] = &[
    "kernel32.dll",
    "ntdll.dll",
    "ws2_32.dll",
    "msvcrt.dll",
    "api-ms-win-core-",
    "advapi32.dll",
];

const PRODUCTS: &[Product] = &[
    Product {
        name: "libgraceful_close.so",
        most: 450_000,
        may_need: LINUX,
        exports: None,
    },
    Product {
        name: "libgraceful_close_preload.so",
        most: 550_000,
        may_need: LINUX,
        exports: None,
    },
    Product {
        name: "graceful-close",
        // of which the readers of symbols take 1.3 million: DWARF, PDB, and names of C++
        most: 2_500_000,
        may_need: LINUX_PROGRAM,
        exports: None,
    },
    Product {
        name: "graceful_close.dll",
        most: 450_000,
        may_need: WINDOWS,
        exports: None,
    },
    Product {
        name: "graceful_close_hook.dll",
        most: 550_000,
        may_need: WINDOWS,
        exports: Some("graceful_close_hook_init"),
    },
    Product {
        name: "graceful-close.exe",
        most: 2_500_000,
        may_need: WINDOWS_PROGRAM,
        exports: None,
    },
];

/// Looks at all products in the folders of the targets below `artifacts`.
pub fn check(artifacts: &Path) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for target in folders(artifacts) {
        for product in PRODUCTS {
            let file = artifacts.join(&target).join(product.name);
            if !file.exists() {
                continue;
            }
            match judge(&file, product) {
                Ok(figures) => {
                    passed += 1;
                    println!("ok      {target}/{}: {figures}", product.name);
                }
                Err(why) => {
                    failed += 1;
                    println!("FAILED  {target}/{}: {why}", product.name);
                }
            }
        }
    }
    if passed + failed == 0 {
        failed = 1;
        println!(
            "FAILED  nothing is built in {}: make lib, make lib-windows",
            artifacts.display()
        );
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn folders(artifacts: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(artifacts).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn judge(file: &Path, product: &Product) -> Result<String, String> {
    let data = std::fs::read(file).map_err(|error| error.to_string())?;
    let size = data.len() as u64;
    let needs = needed(&data).map_err(|error| error.to_string())?;
    let list = needs.iter().cloned().collect::<Vec<_>>().join(", ");
    if size > product.most {
        return Err(format!("{size} bytes, more than {}", product.most));
    }
    let is_foreign = |name: &&String| !product.may_need.iter().any(|known| name.starts_with(known));
    if let Some(foreign) = needs.iter().find(is_foreign) {
        return Err(format!("it must not need {foreign} (it needs {list})"));
    }
    if let Some(wanted) = product.exports {
        let exported = exports(&data).map_err(|error| error.to_string())?;
        if exported != [wanted] {
            return Err(format!("it must export {wanted} alone, not {exported:?}"));
        }
    }
    Ok(format!(
        "{size} bytes of at most {}, needs {list}",
        product.most
    ))
}

/// The libraries that a file asks the loader for, in lower case.
fn needed(data: &[u8]) -> object::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    if data.starts_with(&elf::ELFMAG) {
        let header = elf::FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        for section in sections.iter() {
            let Some((entries, strings)) = section.dynamic(endian, data)? else {
                continue;
            };
            let strings = sections.strings(endian, data, strings)?;
            for entry in entries
                .iter()
                .filter(|entry| entry.tag(endian) == elf::DT_NEEDED)
            {
                names.insert(text(entry.string(endian, strings)?));
            }
        }
    } else {
        for import in object::File::parse(data)?.imports()? {
            names.insert(text(import.library()));
        }
    }
    Ok(names)
}

fn exports(data: &[u8]) -> object::Result<Vec<String>> {
    let exports = object::File::parse(data)?.exports()?;
    Ok(exports
        .iter()
        .map(|export| String::from_utf8_lossy(export.name()).into_owned())
        .collect())
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{judge, needed, Product};

    fn this_program() -> std::path::PathBuf {
        std::env::current_exe().unwrap()
    }

    fn product(most: u64, may_need: &'static [&'static str]) -> Product {
        Product {
            name: "",
            most,
            may_need,
            exports: None,
        }
    }

    #[test]
    fn what_this_program_needs() {
        let needs = needed(&std::fs::read(this_program()).unwrap()).unwrap();
        let system = if cfg!(windows) {
            "kernel32.dll"
        } else {
            "libc.so.6"
        };
        assert!(needs.contains(system), "{needs:?}");
    }

    #[test]
    fn too_large_or_too_needy_is_told() {
        let why = judge(&this_program(), &product(10, &[""])).unwrap_err();
        assert!(why.contains("more than 10"), "{why}");
        let why = judge(&this_program(), &product(u64::MAX, &["nothing"])).unwrap_err();
        assert!(why.contains("must not need"), "{why}");
        assert!(judge(&this_program(), &product(u64::MAX, &[""])).is_ok());
    }
}
