//! The file of the table of `graceful-close observe`, in a folder of its own.
//!
//! Nobody else can look into the folder. A program of the superuser may change its user, and start
//! another one, which opens the file as that user: there the folder can be passed through, though not
//! listed, and whoever knows the file's name, of 128 random bits, can open it. The name is in the
//! environment of the program, which other users cannot read.

use crate::failure::Failure;
use graceful_close_retrofit::observe::Table;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Tells the library in each process of the program where the table is.
pub const VARIABLE: &str = "GRACEFUL_CLOSE_OBSERVE";

/// Processes of the program that outlive this command keep their mappings.
pub struct TableFile {
    folder: PathBuf,
    path: PathBuf,
    table: &'static Table,
}

impl TableFile {
    pub fn make() -> Result<TableFile, Failure> {
        let cannot =
            |path: &Path, error: io::Error| Failure::Cannot(format!("{}: {error}", path.display()));
        // SAFETY: takes and changes nothing.
        let rights = match unsafe { libc::geteuid() } {
            0 => Rights::OfWhoKnowsIt,
            _ => Rights::OfItsOwner,
        };
        let name = rights
            .name()
            .map_err(|error| cannot(Path::new(RANDOM), error))?;
        let folder = own_folder(rights).map_err(|error| cannot(&env::temp_dir(), error))?;
        let path = folder.join(name);
        match create(&path, rights) {
            Ok(table) => Ok(TableFile {
                folder,
                path,
                table,
            }),
            Err(error) => {
                remove(&folder, &path);
                Err(cannot(&path, error))
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        remove(&self.folder, &self.path);
    }
}

/// Who may open it.
#[derive(Clone, Copy)]
enum Rights {
    OfItsOwner,
    OfWhoKnowsIt,
}

const RANDOM: &str = "/dev/urandom";

impl Rights {
    fn name(self) -> io::Result<String> {
        match self {
            Rights::OfItsOwner => Ok("table".into()),
            Rights::OfWhoKnowsIt => {
                let mut random = [0; 16];
                fs::File::open(RANDOM)?.read_exact(&mut random)?;
                Ok(format!("table-{:032x}", u128::from_ne_bytes(random)))
            }
        }
    }

    /// Of the folder, and of the file.
    fn modes(self) -> [u32; 2] {
        match self {
            Rights::OfItsOwner => [0o700, 0o600],
            Rights::OfWhoKnowsIt => [0o711, 0o666],
        }
    }
}

fn remove(folder: &Path, path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir(folder);
}

/// One that has not been there, and that nobody else can list.
fn own_folder(rights: Rights) -> io::Result<PathBuf> {
    let within = std::path::absolute(env::temp_dir())?;
    let mut number = 0;
    loop {
        let name = format!("graceful-close-observe-{}-{number}", std::process::id());
        let folder = within.join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            result => {
                result?;
                // whatever the umask
                fs::set_permissions(&folder, Permissions::from_mode(rights.modes()[0]))?;
                return Ok(folder);
            }
        }
    }
}

fn create(path: &Path, rights: Rights) -> io::Result<&'static Table> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(path)?;
    file.set_permissions(Permissions::from_mode(rights.modes()[1]))?;
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
    use super::{create, own_folder, remove, Rights, TableFile};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn a_file_for_its_owner_alone_that_goes_with_the_command() {
        let file = TableFile::make().unwrap();
        let (path, folder) = (file.path().to_owned(), file.folder.clone());
        assert!(file.table().is_one());
        // SAFETY: takes and changes nothing.
        if unsafe { libc::geteuid() } != 0 {
            assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        }
        drop(file);
        assert!(!folder.exists());
    }

    #[test]
    fn who_changes_the_user_needs_the_name_alone() {
        for (rights, modes) in [
            (Rights::OfItsOwner, (0o700, 0o600)),
            (Rights::OfWhoKnowsIt, (0o711, 0o666)),
        ] {
            let folder = own_folder(rights).unwrap();
            let path = folder.join(rights.name().unwrap());
            create(&path, rights).unwrap();
            assert_eq!((mode(&folder), mode(&path)), modes);
            remove(&folder, &path);
            assert!(!folder.exists());
        }
        let names = [(); 2].map(|()| Rights::OfWhoKnowsIt.name().unwrap());
        assert_ne!(names[0], names[1]);
        assert_eq!(names[0].len(), "table-".len() + 32);
    }
}
