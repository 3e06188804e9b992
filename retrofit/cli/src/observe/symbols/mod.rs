//! From a place in a module to functions, files and lines. Nothing of the program runs for it: the
//! files are read after the run.

mod debug_files;
mod dwarf;
mod image;
mod names;
mod pdb;

pub use debug_files::Folders;

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// One function at a place. A place in code that a compiler inlined has several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Function {
    /// As the source has it: the names of C++ and Rust are demangled.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The compiler put it into the function that follows.
    pub inlined: bool,
}

/// What is known of the code of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// Functions and lines, from this file: the module itself, or its debug file.
    Lines {
        file: PathBuf,
    },
    /// The names of functions alone. A build ID names the debug file that is missing.
    Names {
        build_id: Option<String>,
    },
    Nothing {
        build_id: Option<String>,
    },
    /// The module cannot be read now.
    Unreadable {
        why: String,
    },
}

/// What was found out about the places of one module.
pub struct Known {
    /// By offset; the innermost function first. Places of which nothing is known are not here.
    pub functions: BTreeMap<u64, Vec<Function>>,
    pub source: Source,
}

/// The offsets are those of the table: into the file for ELF, from the beginning of the image for
/// PE. They are return addresses: the call is the instruction before.
pub fn look_up(module: &Path, offsets: &BTreeSet<u64>, folders: &Folders) -> Known {
    // A damaged file must not cost the report of a long run, whatever the reading crates make of it.
    let known = catch_unwind(AssertUnwindSafe(|| try_look_up(module, offsets, folders)));
    let known = known.unwrap_or_else(|_| Err("its symbols are damaged".into()));
    known.unwrap_or_else(|why| Known {
        functions: BTreeMap::new(),
        source: Source::Unreadable {
            why: why.to_string(),
        },
    })
}

/// Behind the last separator of either system.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

type Failure = Box<dyn std::error::Error>;

fn try_look_up(
    module: &Path,
    offsets: &BTreeSet<u64>,
    folders: &Folders,
) -> Result<Known, Failure> {
    let cache = image::open(module)?;
    let file = object::File::parse(&cache)?;
    let addresses: BTreeMap<u64, u64> = offsets
        .iter()
        .filter_map(|&offset| Some((offset, image::address(&file, offset.checked_sub(1)?)?)))
        .collect();
    let debug = debug_files::find(module, &file, folders);
    // names of static functions are in the debug file of a stripped module
    let mut names = names::Names::of(&file);
    if let Some(debug_file) = debug.as_ref().filter(|_| names.are_few()) {
        names = names::Names::of(&object::File::parse(&image::open(debug_file)?)?);
    }
    let mut functions: BTreeMap<u64, Vec<Function>> = addresses
        .iter()
        .filter_map(|(&offset, &address)| Some((offset, vec![names.at(address)?])))
        .collect();
    let source = match add_lines(module, &file, debug, &addresses, &mut functions) {
        Some(file) => Source::Lines { file },
        None => {
            let build_id = image::build_id(&file);
            match functions.is_empty() {
                true => Source::Nothing { build_id },
                false => Source::Names { build_id },
            }
        }
    };
    Ok(Known { functions, source })
}

/// The file that the lines are from.
fn add_lines(
    module: &Path,
    file: &image::File,
    debug: Option<PathBuf>,
    addresses: &BTreeMap<u64, u64>,
    functions: &mut BTreeMap<u64, Vec<Function>>,
) -> Option<PathBuf> {
    let with_dwarf = match debug {
        Some(debug_file) => Some(debug_file),
        None => image::has_dwarf(file).then(|| module.to_owned()),
    };
    if let Some(with_dwarf) = with_dwarf {
        dwarf::add(&with_dwarf, addresses, functions).ok()?;
        return Some(with_dwarf);
    }
    let database = pdb::find(module, file)?;
    let base = image::base(file);
    pdb::add(&database, base, addresses, functions).ok()?;
    Some(database)
}

#[cfg(test)]
mod tests;
