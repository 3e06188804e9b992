//! Whether the log that is asked for could be written.

use crate::arguments::Request;
use crate::settings;
use graceful_close_retrofit::settings::LOG;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why not, in words. The file is not made for that.
pub fn obstacle(request: &Request) -> Option<String> {
    let path = settings::text(&LOG, &request.settings)?;
    let path = std::path::absolute(&path).unwrap_or(PathBuf::from(path));
    let why = match path.metadata() {
        Ok(file) if file.is_dir() => "it is a folder".into(),
        Ok(_) if may(&path, libc::W_OK) => return None,
        Ok(_) => "no permission to write to the file".into(),
        Err(_) => in_folder(path.parent()?)?,
    };
    Some(format!(
        "there will be no log in {}: {why}. Connections end gracefully without it",
        path.display()
    ))
}

fn in_folder(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        return Some(format!("there is no folder {}", folder.display()));
    }
    let may = may(folder, libc::W_OK | libc::X_OK);
    (!may).then(|| format!("no permission to make a file in {}", folder.display()))
}

fn may(path: &Path, what: i32) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: a string that ends with a zero, and a number.
    unsafe { libc::access(path.as_ptr(), what) == 0 }
}
