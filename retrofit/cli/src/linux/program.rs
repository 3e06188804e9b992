//! The program that is to be started: where it is, and whether a library can be put into it.

use crate::failure::Failure;
use graceful_close_retrofit::image::{self as elf, Kind};
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// As execvp() looks for it.
pub fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match path.metadata() {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => Ok(path),
            Ok(_) => Err(Failure::Cannot(format!(
                "{}: not a program, or no permission to run it",
                path.display()
            ))),
            Err(error) => Err(Failure::NotFound(format!("{}: {error}", path.display()))),
        };
    }
    let folders = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut denied = None;
    for folder in env::split_paths(&folders) {
        let path = folder.join(name);
        match path.metadata() {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => {
                return Ok(path)
            }
            Ok(file) if file.is_file() => denied = Some(path),
            _ => {}
        }
    }
    match denied {
        Some(path) => Err(Failure::Cannot(format!(
            "{}: not executable",
            path.display()
        ))),
        None => Err(Failure::NotFound(format!(
            "{}: no such program",
            name.to_string_lossy()
        ))),
    }
}

/// A script's interpreter may be a script.
const MOST_SCRIPTS: usize = 4;

/// The file whose code would run: the program, or the interpreter of a script.
#[derive(Debug)]
pub struct Image {
    pub path: PathBuf,
    /// `None`: it may be run and not read.
    pub elf: Option<elf::Image>,
    is_go: bool,
    /// How one comes to it from a script.
    behind: String,
}

pub fn image(path: &Path) -> Image {
    let mut path = path.to_owned();
    let mut behind = String::new();
    for _ in 0..=MOST_SCRIPTS {
        let Ok(file) = File::open(&path) else { break };
        if let Some(elf) = elf::read(&bytes(&file)) {
            return Image {
                path,
                elf: Some(elf),
                is_go: elf::is_go(&bytes(&file)),
                behind,
            };
        }
        path = interpreter(&file).unwrap_or_else(|| "/bin/sh".into());
        behind.push_str(&format!("a script for {}, which is ", path.display()));
    }
    Image {
        path,
        elf: None,
        is_go: false,
        behind,
    }
}

/// For a reader of a file's places.
pub fn bytes(file: &File) -> impl Fn(u64, &mut [u8]) -> usize + '_ {
    |at, room| file.read_at(room, at).unwrap_or(0)
}

impl Image {
    /// Why a library of this kind cannot be put into it; `None`: nothing is known against it.
    pub fn obstacle(&self, library: Kind) -> Option<String> {
        let why = self.elf.as_ref().and_then(|elf| self.why_not(elf, library));
        why.or_else(|| privileges(&self.path))
            .map(|why| format!("{}{why}", self.behind))
    }

    fn why_not(&self, elf: &elf::Image, library: Kind) -> Option<String> {
        if elf.kind != library {
            let bits = if elf.kind.0 == 1 { 32 } else { 64 };
            return Some(format!(
                "for another processor or word size ({bits} bits) than the library"
            ));
        }
        if self.is_go {
            return Some("a Go program, which does not close by way of the C library".into());
        }
        match &elf.linker {
            None => Some("statically linked, so that no library can be preloaded".into()),
            Some(linker) if linker.is_musl() => Some(
                "linked to musl, and the library is for the GNU C library: it would not start"
                    .into(),
            ),
            Some(_) => None,
        }
    }

    pub fn needs_asan(&self) -> bool {
        self.elf.as_ref().is_some_and(|elf| elf.needs_asan)
    }
}

/// With another user's rights the dynamic linker ignores LD_PRELOAD.
fn privileges(path: &Path) -> Option<String> {
    let file = path.metadata().ok()?;
    if changes_rights(&file) {
        return Some("set-user-ID or set-group-ID, for which the system ignores LD_PRELOAD".into());
    }
    if !is_root() && has_capabilities(path) {
        return Some("given file capabilities, for which the system ignores LD_PRELOAD".into());
    }
    None
}

fn changes_rights(file: &Metadata) -> bool {
    let mode = file.mode();
    // SAFETY: these take nothing and cannot fail.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let set_user = mode & libc::S_ISUID != 0 && file.uid() != user;
    let set_group = mode & libc::S_ISGID != 0 && mode & libc::S_IXGRP != 0 && file.gid() != group;
    set_user || set_group
}

pub fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getuid() == 0 }
}

fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let name = c"security.capability";
    // SAFETY: two strings that end with a zero; no room for the value is given.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}

/// What "#!" says; `None`: nothing, and a shell would be tried.
fn interpreter(file: &File) -> Option<PathBuf> {
    let mut start = [0u8; 256];
    let size = file.read_at(&mut start, 0).ok()?;
    let line = start.get(..size)?.split(|byte| *byte == b'\n').next()?;
    let words = line.strip_prefix(b"#!")?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let mut words = words.split(is_blank).filter(|word| !word.is_empty());
    let first = PathBuf::from(OsString::from_vec(words.next()?.to_vec()));
    if first.file_name() != Some(OsStr::new("env")) {
        return Some(first);
    }
    // env's own options, and variables, stand before the name
    let is_name = |word: &&[u8]| !word.starts_with(b"-") && !word.contains(&b'=');
    let name = words.find(is_name)?;
    find(OsStr::from_bytes(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::{find, image, interpreter};
    use crate::failure::Failure;
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};

    fn script(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    fn interpreter_of(text: &str) -> Option<PathBuf> {
        let path = script("interpreter", text);
        let found = interpreter(&File::open(&path).unwrap());
        fs::remove_file(path).unwrap();
        found
    }

    #[test]
    fn what_a_script_asks_for() {
        let sh = find(OsStr::new("sh")).unwrap();
        assert_eq!(interpreter_of("#!/bin/sh -e\nexit"), Some("/bin/sh".into()));
        assert_eq!(interpreter_of("#! /usr/bin/env sh\n"), Some(sh.clone()));
        assert_eq!(interpreter_of("#!/usr/bin/env -S A=1 sh -e\n"), Some(sh));
        assert_eq!(interpreter_of("exit\n"), None);
    }

    #[test]
    fn a_dynamic_program_is_fine() {
        let own = image(Path::new("/proc/self/exe"));
        let kind = own.elf.as_ref().unwrap().kind;
        assert_eq!(own.obstacle(kind), None);
    }

    #[test]
    fn another_processor_is_that_of_the_library() {
        let own = image(Path::new("/proc/self/exe"));
        let (class, data, machine) = own.elf.as_ref().unwrap().kind;
        let why = own.obstacle((class, data, machine + 1)).unwrap();
        assert!(why.starts_with("for another processor"), "{why}");
    }

    #[test]
    fn behind_a_script() {
        let path = script("behind", "#!/proc/self/exe\n");
        let behind = image(&path);
        fs::remove_file(path).unwrap();
        assert_eq!(behind.path, Path::new("/proc/self/exe"));
        let why = behind.obstacle((0, 0, 0)).unwrap();
        assert!(
            why.starts_with("a script for /proc/self/exe, which is for"),
            "{why}"
        );
    }

    #[test]
    fn what_is_not_there() {
        assert!(matches!(
            find(OsStr::new("no-such-program")),
            Err(Failure::NotFound(_))
        ));
        assert!(matches!(
            find(OsStr::new("/no/such")),
            Err(Failure::NotFound(_))
        ));
    }
}
