//! For tests alone (scripts/generic-tests): /proc tells what macOS's kernel does, whether the open
//! file behind a descriptor has more than one reference. Without memory of Rust's: some tests
//! have none left.

use crate::connection::{Fault, Sharing};
use crate::sys::unix::{close_raw, syscall, Socket};
use libc::{c_char, c_int};
use std::ffi::CStr;

/// A symbolic link of /proc, "socket:[inode]".
type Name = [u8; 32];

pub(super) fn of(socket: Socket) -> Sharing {
    let found = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")
        .and_then(|own| link_of(&own, number(socket.0, &mut [0; 12])))
        .and_then(|name| count(&name));
    match found {
        Ok(0 | 1) => Sharing::Alone,
        Ok(_) => Sharing::Shared,
        Err(fault) => Sharing::Unknown(fault),
    }
}

/// How many descriptors of all processes are of that name. A process may have ended.
fn count(name: &Name) -> Result<usize, Fault> {
    let mut found = 0;
    Folder::open(libc::AT_FDCWD, c"/proc")?.each(|all, process| {
        if process.to_bytes().iter().all(u8::is_ascii_digit) {
            let _ = Folder::open(all.0, process)
                .and_then(|folder| Folder::open(folder.0, c"fd"))
                .and_then(|folder| {
                    folder.each(|all, one| found += usize::from(link_of(all, one) == Ok(*name)))
                });
        }
    })?;
    Ok(found)
}

fn number(fd: c_int, room: &mut [u8; 12]) -> &CStr {
    // SAFETY: at most eleven characters and a zero fit into `room`.
    unsafe {
        let text = room.as_mut_ptr().cast::<c_char>();
        libc::snprintf(text, 12, c"%d".as_ptr(), fd);
        CStr::from_ptr(text)
    }
}

fn link_of(folder: &Folder, entry: &CStr) -> Result<Name, Fault> {
    let mut name = [0; 32];
    let room = name.as_mut_ptr().cast();
    syscall!(libc::readlinkat(folder.0, entry.as_ptr(), room, 32))?;
    Ok(name)
}

struct Folder(c_int);

/// struct linux_dirent64: where its size and its name stand (getdents(2)).
const SIZE_AT: usize = 16;
const NAME_AT: usize = 19;

impl Folder {
    fn open(at: c_int, name: &CStr) -> Result<Folder, Fault> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        syscall!(libc::openat(at, name.as_ptr(), flags)).map(Folder)
    }

    /// Gives the names but "." and "..". Not readdir(), which takes memory.
    fn each(&self, mut entry: impl FnMut(&Folder, &CStr)) -> Result<(), Fault> {
        let mut room = [0u8; 2048];
        loop {
            let first = room.as_mut_ptr();
            let filled = syscall!(libc::syscall(libc::SYS_getdents64, self.0, first, 2048))?;
            let mut rest = &room[..filled as usize];
            if rest.is_empty() {
                return Ok(());
            }
            while !rest.is_empty() {
                let size = u16::from_ne_bytes([rest[SIZE_AT], rest[SIZE_AT + 1]]);
                let (one, others) = rest.split_at(usize::from(size));
                match CStr::from_bytes_until_nul(&one[NAME_AT..]) {
                    Ok(name) if name != c"." && name != c".." => entry(self, name),
                    _ => {}
                }
                rest = others;
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = close_raw(self.0);
    }
}
