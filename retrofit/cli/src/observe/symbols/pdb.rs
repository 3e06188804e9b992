//! Lines from the program database that Microsoft's linker writes.

use super::image::File;
use super::{Failure, Function};
use object::Object;
use pdb_addr2line::pdb::PDB;
use pdb_addr2line::ContextPdbData;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Beside the module, or where it was linked. One of another build is not taken.
pub fn find(module: &Path, file: &File) -> Option<PathBuf> {
    let info = file.pdb_info().ok().flatten()?;
    let linked = String::from_utf8_lossy(info.path()).into_owned();
    let name = linked.rsplit(['/', '\\']).next()?.to_owned();
    let candidates = [
        module.with_file_name(name),
        module.with_extension("pdb"),
        PathBuf::from(linked),
    ];
    let guid = guid(&info.guid());
    candidates
        .into_iter()
        .find(|path| is_of(path, &guid, info.age()).unwrap_or(false))
}

/// As the crate that reads the database prints it.
fn guid(bytes: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    ORDER
        .iter()
        .map(|at| format!("{:02x}", bytes[*at]))
        .collect()
}

fn is_of(path: &Path, expected: &str, age: u32) -> Result<bool, Failure> {
    let mut database = PDB::open(fs::File::open(path)?)?;
    let information = database.pdb_information()?;
    let guid: String = information.guid.to_string().replace('-', "").to_lowercase();
    // tools that strip a database write a larger age into it
    Ok(guid == expected && information.age >= age.min(1))
}

pub fn add(
    database: &Path,
    base: u64,
    addresses: &BTreeMap<u64, u64>,
    functions: &mut BTreeMap<u64, Vec<Function>>,
) -> Result<(), Failure> {
    let data = ContextPdbData::try_from_pdb(PDB::open(fs::File::open(database)?)?)?;
    let context = data.make_context()?;
    for (&offset, &address) in addresses {
        let relative = u32::try_from(address.wrapping_sub(base))?;
        let Ok(Some(found)) = context.find_frames(relative) else {
            continue;
        };
        let last = found.frames.len().saturating_sub(1);
        let found: Vec<Function> = found
            .frames
            .into_iter()
            .enumerate()
            .filter_map(|(at, frame)| {
                Some(Function {
                    name: frame.function?,
                    file: frame.file.map(|file| file.into_owned()),
                    line: frame.line.filter(|line| *line != 0),
                    inlined: at < last,
                })
            })
            .collect();
        if !found.is_empty() {
            functions.insert(offset, found);
        }
    }
    Ok(())
}
