//! The program's file, as CreateProcess would look for it.

use crate::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Storage::FileSystem::SearchPathW;

pub fn program(name: &OsStr) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    let found = match path.components().count() {
        1 => search(name),
        _ => as_it_stands(path),
    };
    let found = found
        .ok_or_else(|| Failure::NotFound(format!("{}: no such program", name.to_string_lossy())))?;
    let kind = found
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if kind == "bat" || kind == "cmd" {
        return Err(Failure::Cannot(format!(
            "{}: a batch file; name the program that it starts",
            found.display()
        )));
    }
    Ok(found)
}

/// A path is not searched for; it may lack its .exe.
fn as_it_stands(path: &Path) -> Option<PathBuf> {
    let mut with_exe = path.as_os_str().to_os_string();
    with_exe.push(".exe");
    let candidates = [path.to_path_buf(), PathBuf::from(with_exe)];
    candidates.into_iter().find(|candidate| candidate.is_file())
}

fn search(name: &OsStr) -> Option<PathBuf> {
    let wide = |text: &OsStr| text.encode_wide().chain([0]).collect::<Vec<u16>>();
    let (name, exe) = (wide(name), wide(OsStr::new(".exe")));
    let mut path = vec![0u16; 32768];
    // SAFETY: texts that end with a zero, a buffer as large as said; the rest may be left out.
    let length = unsafe {
        SearchPathW(
            null(),
            name.as_ptr(),
            exe.as_ptr(),
            path.len() as u32,
            path.as_mut_ptr(),
            null_mut(),
        )
    } as usize;
    let is_found = length > 0 && length < path.len();
    is_found.then(|| PathBuf::from(OsString::from_wide(&path[..length])))
}
