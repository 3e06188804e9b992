//! The debug file of a stripped module, where distributions and gdb have it:
//! <https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html>

use super::image::{self, File};
use object::Object;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Where debug files are looked for.
#[derive(Clone, Debug)]
pub struct Folders {
    /// As /usr/lib/debug.
    pub debug: Vec<PathBuf>,
    /// What debuginfod-find has downloaded before. Nothing is downloaded here.
    pub debuginfod: Option<PathBuf>,
}

impl Folders {
    pub fn of_the_system() -> Folders {
        let named = |name| env::var_os(name).filter(|path| !path.is_empty());
        let cache = || Some(PathBuf::from(named("HOME")?).join(".cache"));
        let debuginfod = named("DEBUGINFOD_CACHE_PATH")
            .map(PathBuf::from)
            .or_else(|| {
                let caches = named("XDG_CACHE_HOME").map(PathBuf::from).or_else(cache)?;
                Some(caches.join("debuginfod_client"))
            });
        Folders {
            debug: vec!["/usr/lib/debug".into()],
            debuginfod,
        }
    }
}

pub fn find(module: &Path, file: &File, folders: &Folders) -> Option<PathBuf> {
    if image::has_dwarf(file) {
        return None;
    }
    by_build_id(file, folders).or_else(|| by_link(module, file, folders))
}

fn by_build_id(file: &File, folders: &Folders) -> Option<PathBuf> {
    let id = image::build_id(file)?;
    let (folder, name) = id.split_at(2);
    let places = folders.debug.iter().map(|root| {
        let folder = root.join(".build-id").join(folder);
        folder.join(format!("{name}.debug"))
    });
    let downloaded = folders
        .debuginfod
        .iter()
        .map(|cache| cache.join(&id).join("debuginfo"));
    places
        .chain(downloaded)
        .find(|path| is_debug_file(path, |found| image::build_id(found).as_ref() == Some(&id)))
}

fn by_link(module: &Path, file: &File, folders: &Folders) -> Option<PathBuf> {
    let (name, checksum) = file.gnu_debuglink().ok().flatten()?;
    let name = OsStr::new(std::str::from_utf8(name).ok()?);
    let folder = module.parent()?;
    let beside = [folder.join(name), folder.join(".debug").join(name)];
    let below = folders.debug.iter().map(|root| {
        root.join(folder.strip_prefix("/").unwrap_or(folder))
            .join(name)
    });
    beside.into_iter().chain(below).find(|path| {
        path != module
            && is_debug_file(path, |_| true)
            && fs::read(path).is_ok_and(|data| crc32fast::hash(&data) == checksum)
    })
}

fn is_debug_file(path: &Path, is_right: impl Fn(&File) -> bool) -> bool {
    let Ok(cache) = image::open(path) else {
        return false;
    };
    let file = object::File::parse(&cache);
    file.is_ok_and(|file| image::has_dwarf(&file) && is_right(&file))
}
