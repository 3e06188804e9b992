//! The file of the table of `graceful-close observe`, in a folder of its own.

use crate::failure::Failure;
use graceful_close_retrofit::observe::Table;
use std::fs::{DirBuilder, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Tells the library in each process of the program where the table is.
pub const VARIABLE: &str = "GRACEFUL_CLOSE_OBSERVE";

/// Processes of the program that outlive this command keep their mappings.
pub struct TableFile {
    folder: PathBuf,
    table: &'static Table,
}

impl TableFile {
    pub fn make() -> Result<TableFile, Failure> {
        let cannot =
            |path: &Path, error: io::Error| Failure::Cannot(format!("{}: {error}", path.display()));
        let folder = own_folder().map_err(|error| cannot(&env::temp_dir(), error))?;
        let path = folder.join("table");
        match create(&path) {
            Ok(table) => Ok(TableFile { folder, table }),
            Err(error) => {
                remove(&folder);
                Err(cannot(&path, error))
            }
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("table")
    }

    pub fn table(&self) -> &Table {
        self.table
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join("table"));
    let _ = fs::remove_dir(folder);
}

/// One that has not been there, and that nobody else can look into.
fn own_folder() -> io::Result<PathBuf> {
    let within = std::path::absolute(env::temp_dir())?;
    let mut number = 0;
    loop {
        let name = format!("graceful-close-observe-{}-{number}", std::process::id());
        let folder = within.join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            result => return result.map(|()| folder),
        }
    }
}

fn create(path: &Path) -> io::Result<&'static Table> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(path)?;
    file.set_len(Table::SIZE as u64)?;
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of an open file, of all its bytes, which stays to the end of the process.
    // The table consists of atomics, for which every number is a value, and others write by them alone.
    let table = unsafe {
        let at = libc::mmap(
            std::ptr::null_mut(),
            Table::SIZE,
            rights,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        &*at.cast::<Table>()
    };
    table.begin();
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::TableFile;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_for_its_owner_alone_that_goes_with_the_command() {
        let file = TableFile::make().unwrap();
        let (path, folder) = (file.path(), file.folder.clone());
        assert!(file.table().is_one());
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        drop(file);
        assert!(!folder.exists());
    }
}
