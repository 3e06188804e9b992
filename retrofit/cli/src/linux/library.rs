//! Where the library is that is to be preloaded.

use super::program;
use crate::failure::Failure;
use graceful_close_retrofit::image::{self, Kind};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "libgraceful_close_preload.so";
/// Names the libraries that come before all others (ld.so(8)).
pub const PRELOAD: &str = "LD_PRELOAD";

const VARIABLE: &str = "GRACEFUL_CLOSE_PRELOAD";

/// The one that is asked for, or the one that was installed with this command.
pub fn find(asked: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let named = asked.map(OsStr::to_owned).or(variable);
    let found = match named {
        Some(path) => absolute(Path::new(&path)).map_err(|error| {
            Failure::Usage(format!(
                "no such library: {}: {error}\nNothing was started",
                Path::new(&path).display()
            ))
        })?,
        None => installed().ok_or_else(|| {
            Failure::Usage(format!(
                "{NAME} is not installed with this command; set {VARIABLE}"
            ))
        })?,
    };
    // ld.so parts LD_PRELOAD at these, and knows no way to escape them
    let parts = |byte: &u8| matches!(byte, b' ' | b':');
    if found.as_os_str().as_bytes().iter().any(parts) {
        return Err(Failure::Usage(format!(
            "LD_PRELOAD cannot name a file with a blank or a colon: {}",
            found.display()
        )));
    }
    Ok(found)
}

/// The processor that it is for; this command may be for another.
pub fn kind(library: &Path) -> Result<Kind, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", library.display()));
    let file = File::open(library).map_err(|error| {
        wrong(format!(
            "the library may not be read: {error}\nNothing was started; make it readable: chmod a+r"
        ))
    })?;
    let image = image::read(&program::bytes(&file)).ok_or_else(|| wrong("not a library".into()))?;
    Ok(image.kind)
}

/// What another user's program would stumble over: the library, or a folder on the way to it.
pub fn closed_to_others(library: &Path) -> Option<PathBuf> {
    let is_closed = |path: &&Path| {
        let wanted = if *path == library { 0o4 } else { 0o1 };
        let mode = path.metadata().map(|file| file.permissions().mode());
        mode.is_ok_and(|mode| mode & wanted == 0)
    };
    library.ancestors().find(is_closed).map(Path::to_owned)
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = path.canonicalize()?;
    match path.is_file() {
        true => Ok(path),
        false => Err(io::Error::other("not a file")),
    }
}

fn installed() -> Option<PathBuf> {
    let own = env::current_exe().ok()?.canonicalize().ok()?;
    let folder = own.parent()?;
    places(folder)
        .iter()
        .find_map(|place| absolute(&place.join(NAME)).ok())
}

/// Beside the command, and where a package would put it.
fn places(folder: &Path) -> Vec<PathBuf> {
    let up = folder.parent().unwrap_or(folder);
    let lib = |name: &str| up.join(name).join("graceful_close");
    let multiarch = format!("lib/{}-linux-gnu", env::consts::ARCH);
    vec![folder.to_owned(), lib("lib"), lib(&multiarch), lib("lib64")]
}

/// The library in front of those that are preloaded anyway.
pub fn preloaded(library: &Path) -> OsString {
    let mut preload = OsString::from(library);
    if let Some(others) = env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    preload
}

#[cfg(test)]
mod tests {
    use super::places;
    use std::path::{Path, PathBuf};

    #[test]
    fn where_packages_put_it() {
        let places = places(Path::new("/usr/bin"));
        assert_eq!(places[0], Path::new("/usr/bin"));
        assert!(places.contains(&PathBuf::from("/usr/lib/graceful_close")));
        assert!(places.contains(&PathBuf::from("/usr/lib64/graceful_close")));
    }
}
