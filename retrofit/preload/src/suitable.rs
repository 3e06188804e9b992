//! Programs that cannot have the library, although they would be started with it: ld.so would tell
//! on their stderr, which may be a connection, or they would not start at all.

use crate::sys::{self, Error};
use graceful_close_retrofit::image::{self, asan, Kind};
use graceful_close_retrofit::memory;
use libc::c_int;
use std::ffi::CStr;

#[cfg(target_arch = "x86_64")]
const OWN_KIND: Kind = (2, 1, 62);
#[cfg(target_arch = "aarch64")]
const OWN_KIND: Kind = (2, 1, 183);

/// The interpreter of a script may be a script.
const MOST_SCRIPTS: usize = 4;

const LOOK: c_int = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Why a program gets an environment without the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    Kind,
    Musl,
    Asan,
    /// It has a small limit of memory (setrlimit(2), RLIMIT_DATA and RLIMIT_AS), and has counted what
    /// it needs.
    Memory,
    /// The library's file is not to be had by this user, or in this root.
    Unreadable,
}

impl Unsuitable {
    pub fn words(self) -> &'static str {
        match self {
            Unsuitable::Kind => "it is for another processor or word size",
            Unsuitable::Musl => "it is linked to musl",
            Unsuitable::Asan => "AddressSanitizer's runtime must come first",
            Unsuitable::Memory => "its limit of memory is small",
            Unsuitable::Unreadable => "the library cannot be read here by this user",
        }
    }
}

/// What the environment says besides.
pub struct Surroundings<'a> {
    /// Where this library's file is.
    pub library: &'a CStr,
    /// ASAN_OPTIONS.
    pub asan: &'a [u8],
}

fn is_short_of_memory() -> bool {
    let limit = |which| sys::limits(which as usize).rlim_cur;
    memory::is_too_little(limit(libc::RLIMIT_DATA), limit(libc::RLIMIT_AS))
}

/// For the program that is open as `fd`, which stays open. `None`: it may have the library, or that
/// cannot be told.
pub fn unsuitable(fd: c_int, around: &Surroundings) -> Option<Unsuitable> {
    if is_short_of_memory() {
        return Some(Unsuitable::Memory);
    }
    if sys::access(around.library, libc::R_OK).is_err() {
        return Some(Unsuitable::Unreadable);
    }
    let mut script = File::Given(fd);
    for _ in 0..=MOST_SCRIPTS {
        let read = |at: u64, room: &mut [u8]| sys::read_at(script.number(), room, at).unwrap_or(0);
        if let Some(image) = image::read(&read) {
            return of_image(&image, around.asan);
        }
        let mut line = [0u8; 256];
        let count = read(0, &mut line[..255]);
        script = open_at(libc::AT_FDCWD, interpreter(&mut line, count)?).ok()?;
    }
    None
}

fn of_image(image: &image::Image, asan_options: &[u8]) -> Option<Unsuitable> {
    let order = asan::NO_LINK_ORDER.as_bytes();
    let is_told = || asan_options.windows(order.len()).any(|part| part == order);
    if image.kind != OWN_KIND {
        return Some(Unsuitable::Kind);
    }
    // a static program hands the library on to what it starts
    if image.linker.as_ref()?.is_musl() {
        return Some(Unsuitable::Musl);
    }
    (image.needs_asan && !is_told()).then_some(Unsuitable::Asan)
}

/// A file that is looked at; closed at the end if it was opened for that.
enum File {
    Given(c_int),
    Opened(c_int),
}

impl File {
    fn number(&self) -> c_int {
        match self {
            File::Given(fd) | File::Opened(fd) => *fd,
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let File::Opened(fd) = self {
            let _ = sys::close(*fd);
        }
    }
}

fn open_at(folder: c_int, path: &CStr) -> Result<File, Error> {
    sys::open_at(folder, path, LOOK).map(File::Opened)
}

/// As [`unsuitable`], for a program that is named.
pub fn unsuitable_at(folder: c_int, path: &CStr, around: &Surroundings) -> Option<Unsuitable> {
    let file = open_at(folder, path).ok()?;
    unsuitable(file.number(), around)
}

/// What "#!" names in a first line of so many bytes; a zero is put behind it.
fn interpreter(line: &mut [u8; 256], count: usize) -> Option<&CStr> {
    let text = line.get_mut(..=count)?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = 2 + text
        .strip_prefix(b"#!")?
        .iter()
        .position(|byte| !is_blank(byte))?;
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0);
    let end = start + text.get(start..)?.iter().position(ends)?;
    text[end] = 0;
    CStr::from_bytes_with_nul(&text[start..=end])
        .ok()
        .filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{interpreter, unsuitable_at, Surroundings, Unsuitable};
    use std::ffi::{CStr, CString};
    use std::os::unix::fs::PermissionsExt;

    fn named(line: &[u8]) -> Option<String> {
        let mut room = [0u8; 256];
        let count = line.len().min(255);
        room[..count].copy_from_slice(&line[..count]);
        let path = interpreter(&mut room, count)?;
        Some(path.to_str().unwrap().into())
    }

    #[test]
    fn what_a_script_asks_for() {
        assert_eq!(named(b"#!/bin/sh\n"), Some("/bin/sh".into()));
        assert_eq!(named(b"#! /bin/sh -e\n"), Some("/bin/sh".into()));
        assert_eq!(named(b"#!/bin/sh"), Some("/bin/sh".into()));
        assert_eq!(named(b"echo\n"), None);
        assert_eq!(named(b"#!"), None);
        assert_eq!(named(b"#!\n"), None);
        let long = [b"#!/".as_slice(), &[b'x'; 300]].concat();
        assert_eq!(named(&long).unwrap().len(), 253);
    }

    fn look(path: &CStr, library: &CStr) -> Option<Unsuitable> {
        let asan = b"";
        unsuitable_at(libc::AT_FDCWD, path, &Surroundings { library, asan })
    }

    #[test]
    fn programs_and_scripts() {
        let own = c"/proc/self/exe";
        assert_eq!(look(own, own), None);
        assert_eq!(look(own, c"/no/such.so"), Some(Unsuitable::Unreadable));
        assert_eq!(look(c"/no/such", own), None);
        // one that is for 32 bits, and a script for it
        let folder = std::env::temp_dir().join(format!("suitable-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (narrow, script) = (folder.join("narrow"), folder.join("script"));
        let mut bytes = vec![0u8; 200];
        bytes[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        std::fs::write(&narrow, bytes).unwrap();
        std::fs::write(&script, format!("#!{}\n", narrow.display())).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        for path in [&narrow, &script] {
            let path = CString::new(path.to_str().unwrap()).unwrap();
            assert_eq!(look(&path, own), Some(Unsuitable::Kind));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
