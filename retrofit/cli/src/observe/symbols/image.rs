//! The file of a module.

use object::read::ReadCache;
use object::{Object, ObjectSection, ObjectSegment, ReadRef};
use std::fs;
use std::io;
use std::path::Path;

/// Parts are read when they are asked for: debug files may have gigabytes.
pub type Cache = ReadCache<fs::File>;
pub type File<'data> = object::File<'data, &'data Cache>;

pub fn open(path: &Path) -> io::Result<Cache> {
    // what is not a file in a file system (a device, a pipe) has no symbols, and opening it may block:
    // the program has written the path, and may have fewer rights than the command
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    fs::File::open(path).map(ReadCache::new)
}

/// The address that the symbols use for an offset of the table.
pub fn address<'data, R: ReadRef<'data>>(
    file: &object::File<'data, R>,
    offset: u64,
) -> Option<u64> {
    if is_pe(file) {
        return base(file).checked_add(offset);
    }
    file.segments().find_map(|segment| {
        let (start, size) = segment.file_range();
        let within = offset.checked_sub(start).filter(|within| *within < size)?;
        segment.address().checked_add(within)
    })
}

fn is_pe<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> bool {
    matches!(
        file.format(),
        object::BinaryFormat::Pe | object::BinaryFormat::Coff
    )
}

/// Where a PE wants to be loaded; 0 for ELF, whose addresses begin there.
pub fn base<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> u64 {
    file.relative_address_base()
}

pub fn has_dwarf<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> bool {
    file.section_by_name(".debug_info")
        .is_some_and(|section| section.size() > 0)
}

/// In hexadecimal, as debuginfod and the folders of debug files have it.
pub fn build_id<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> Option<String> {
    let id = file.build_id().ok().flatten()?;
    (id.len() > 1).then(|| id.iter().map(|byte| format!("{byte:02x}")).collect())
}
