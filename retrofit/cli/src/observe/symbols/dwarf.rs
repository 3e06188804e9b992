//! Lines and inlined functions from DWARF, of ELF files and of PE files that gcc made.

use super::{Failure, Function};
use addr2line::{Frame, Loader, LoaderReader};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What DWARF knows goes before the names of the table of symbols.
pub fn add(
    file: &Path,
    addresses: &BTreeMap<u64, u64>,
    functions: &mut BTreeMap<u64, Vec<Function>>,
) -> Result<(), Failure> {
    let loader = Loader::new_with_sup(file, supplement(file))?;
    for (&offset, &address) in addresses {
        let named = functions
            .get(&offset)
            .and_then(|found| found.first())
            .map(|function| function.name.clone());
        let found = at(&loader, address, named).unwrap_or_default();
        if !found.is_empty() {
            functions.insert(offset, found);
        }
    }
    Ok(())
}

/// The innermost first.
fn at(loader: &Loader, address: u64, named: Option<String>) -> Result<Vec<Function>, Failure> {
    let mut frames = loader.find_frames(address)?;
    let mut found = Vec::new();
    while let Some(frame) = frames.next()? {
        if let Some(function) = function(&frame, named.as_deref()) {
            found.push(function);
        }
    }
    let last = found.len().saturating_sub(1);
    for function in &mut found[..last] {
        function.inlined = true;
    }
    Ok(found)
}

fn function(frame: &Frame<LoaderReader>, named: Option<&str>) -> Option<Function> {
    let in_dwarf = frame.function.as_ref();
    let name = in_dwarf.and_then(|function| Some(function.demangle().ok()?.into_owned()));
    let place = frame.location.as_ref();
    Some(Function {
        name: name.or_else(|| named.map(str::to_owned))?,
        file: place.and_then(|place| place.file).map(str::to_owned),
        line: place.and_then(|place| place.line).filter(|line| *line != 0),
        inlined: false,
    })
}

/// What dwz took out of several debug files, in a file of its own (Debian, Fedora).
fn supplement(file: &Path) -> Option<PathBuf> {
    use object::Object;
    let cache = super::image::open(file).ok()?;
    let parsed = object::File::parse(&cache).ok()?;
    let (name, _) = parsed.gnu_debugaltlink().ok()??;
    let name = std::str::from_utf8(name).ok()?;
    let path = file.parent()?.join(name);
    path.is_file().then_some(path)
}
