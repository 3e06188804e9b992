//! Reading /proc by system call: the C library's opendir() asks for memory.

use crate::connection::Fault;
use crate::sys::unix::{close_raw, syscall, RawSocket};
use libc::c_char;
use std::ffi::CStr;

/// An open folder.
pub(in super::super) struct Folder(RawSocket);

/// What is read of a folder in one call: entries as getdents64 gives them, which wants them
/// aligned. It lives on the stack of a thread that may have 16 KiB in all (PTHREAD_STACK_MIN), so
/// it is small, and one serves for many folders, one after another. That makes one call more for
/// every 40 descriptors, each of which takes a call of its own.
pub(in super::super) struct Room([u64; ENTRIES]);

const ENTRIES: usize = 128;

/// The names in a folder, read in portions.
pub(in super::super) struct Names<'a> {
    folder: &'a Folder,
    room: &'a mut Room,
    at: usize,
    end: usize,
}

/// struct linux_dirent64: where the length of an entry and its name stand.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

impl Folder {
    pub(in super::super) fn open(at: RawSocket, path: &CStr) -> Result<Folder, Fault> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        syscall!(libc::openat(at, path.as_ptr(), flags)).map(Folder)
    }

    /// Its descriptor, to open what is in it.
    pub(in super::super) fn number(&self) -> RawSocket {
        self.0
    }

    /// From the first on, if none was asked for before.
    pub(in super::super) fn names<'a>(&'a self, room: &'a mut Room) -> Names<'a> {
        Names {
            folder: self,
            room,
            at: 0,
            end: 0,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = close_raw(self.0);
    }
}

impl Room {
    pub(in super::super) fn new() -> Room {
        Room([0; ENTRIES])
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the entries as bytes, no longer than they are.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>(), ENTRIES * 8) }
    }
}

impl Names<'_> {
    /// The next name in it that is a number, good until the next call.
    pub(in super::super) fn next_number(&mut self) -> Result<Option<&CStr>, Fault> {
        loop {
            if self.at >= self.end {
                self.fill()?;
            }
            if self.end == 0 {
                return Ok(None);
            }
            let entry = &self.room.bytes()[self.at..self.end];
            let length = entry.get(LENGTH_AT..LENGTH_AT + 2);
            let Some(&[low, high]) = length else {
                return Ok(None);
            };
            let name_at = self.at + NAME_AT;
            self.at += usize::from(u16::from_ne_bytes([low, high])).max(NAME_AT);
            let is_number = entry.get(NAME_AT).is_some_and(u8::is_ascii_digit);
            if is_number {
                let name = &self.room.bytes()[name_at..];
                return Ok(CStr::from_bytes_until_nul(name).ok());
            }
        }
    }

    /// The next call of `next_number` has to ask the system.
    pub(super) fn is_at_end_of_portion(&self) -> bool {
        self.at >= self.end
    }

    fn fill(&mut self) -> Result<(), Fault> {
        let room = self.room.0.as_mut_ptr();
        let size = ENTRIES * 8;
        let filled = syscall!(libc::syscall(
            libc::SYS_getdents64,
            self.folder.0,
            room,
            size
        ))?;
        self.at = 0;
        self.end = filled as usize;
        Ok(())
    }
}

/// A path below /proc, "1234/stat", put together without asking for memory.
pub(super) struct Path([u8; 48]);

impl Path {
    /// `None` if it is longer than any that there is.
    pub(super) fn new(parts: &[&[u8]]) -> Path {
        let mut path = [0; 48];
        let mut at = 0;
        for part in parts {
            // One byte is left for the end.
            let room = path.len() - 1 - at;
            let size = part.len().min(room);
            path[at..at + size].copy_from_slice(&part[..size]);
            at += size;
        }
        Path(path)
    }

    /// `before`, a number, `after`.
    pub(super) fn with_number(before: &[u8], number: u32, after: &[u8]) -> Path {
        let mut digits = [0u8; 10];
        let mut at = digits.len();
        let mut left = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        Path::new(&[before, &digits[at..], after])
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Where a link leads, cut to the room that there is.
pub(super) fn link<'a>(
    folder: RawSocket,
    name: &CStr,
    room: &'a mut [u8],
) -> Result<&'a [u8], Fault> {
    let place = room.as_mut_ptr().cast::<c_char>();
    let size = syscall!(libc::readlinkat(folder, name.as_ptr(), place, room.len()))?;
    Ok(&room[..size as usize])
}

/// The beginning of a file, as far as it fits.
pub(super) fn read<'a>(
    folder: RawSocket,
    path: &CStr,
    room: &'a mut [u8],
) -> Result<&'a [u8], Fault> {
    let fd = syscall!(libc::openat(
        folder,
        path.as_ptr(),
        libc::O_RDONLY | libc::O_CLOEXEC
    ))?;
    let size = syscall!(libc::read(fd, room.as_mut_ptr().cast(), room.len()));
    let _ = close_raw(fd);
    Ok(&room[..size? as usize])
}

/// What a path leads to.
pub(super) fn status(folder: RawSocket, path: &CStr) -> Result<libc::stat, Fault> {
    // SAFETY: `std` says nothing against zero: numbers all of them.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    syscall!(libc::fstatat(folder, path.as_ptr(), &mut status, 0))?;
    Ok(status)
}

/// The number of a namespace that we are in; 0 if there is no /proc. (That of the process
/// cannot be read once its main thread has ended.)
pub(super) fn namespace(kind: &[u8]) -> u64 {
    let path = Path::new(&[b"/proc/thread-self/ns/", kind]);
    status(libc::AT_FDCWD, path.as_c_str()).map_or(0, |status| status.st_ino as _)
}

/// The number that a text begins with; 0 if it begins with none.
pub(super) fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0u64, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'))
    })
}
