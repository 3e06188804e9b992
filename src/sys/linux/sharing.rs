//! Who else holds a socket? The kernel does not tell how many references a
//! connection has, so this looks through the descriptors of every process whose
//! /proc entry may be read: exact for forked children and for dup() in this
//! process, blind to other users' processes and to descriptors that are under
//! way in an SCM_RIGHTS message. It costs about 1 us per descriptor looked at,
//! needs three descriptors, and asks for no memory.
//!
//! Where looking fails for want of something, the socket counts as shared: a
//! close that only gives up its own reference does no harm to anybody else.

use super::{close_raw, RawSocket};
use crate::connection::Fault;
use crate::sys::unix::syscall;
use libc::{c_char, c_int};
use std::ffi::CStr;

/// What a link in /proc/PID/fd says of a socket: "socket:[inode]".
type Target = [u8; 40];

/// Another descriptor, here or elsewhere, refers to the same socket.
pub(super) fn is_shared(fd: RawSocket) -> bool {
    look(fd).unwrap_or_else(|fault| is_want(fault.code))
}

/// No descriptor or memory to be had; otherwise there is no /proc to look into.
fn is_want(code: c_int) -> bool {
    matches!(code, libc::EMFILE | libc::ENFILE | libc::ENOMEM)
}

fn look(fd: RawSocket) -> Result<bool, Fault> {
    // The process's own folder cannot be read once its main thread has ended.
    let own = Folder::open(libc::AT_FDCWD, c"/proc/thread-self/fd")
        .or_else(|_| Folder::open(libc::AT_FDCWD, c"/proc/self/fd"))?;
    let mut name = [0u8; 12];
    let Some(socket) = link(own.fd, decimal(fd, &mut name)) else {
        return Ok(false);
    };
    Ok(holders(own, &socket)? > 1 || is_held_by_others(&socket)?)
}

fn is_held_by_others(socket: &Target) -> Result<bool, Fault> {
    let mut processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
    let proc = processes.fd;
    // Not getpid(): that may be another number where /proc is of an outer PID namespace.
    let Some(this) = link(proc, c"self") else {
        return Ok(false);
    };
    while let Some(process) = processes.next()? {
        let name = process.to_bytes_with_nul();
        let is_process = name.first().is_some_and(u8::is_ascii_digit);
        if is_process && !this.starts_with(name) && is_held_by(proc, process, socket)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_held_by(proc: RawSocket, process: &CStr, socket: &Target) -> Result<bool, Fault> {
    let opened = Folder::open(proc, process).and_then(|process| Folder::open(process.fd, c"fd"));
    match opened.and_then(|fds| holders(fds, socket)) {
        Ok(count) => Ok(count > 0),
        Err(fault) if is_want(fault.code) => Err(fault),
        // It has ended meanwhile, or is another user's.
        Err(_) => Ok(false),
    }
}

/// How many descriptors in this folder are the socket.
fn holders(mut fds: Folder, socket: &Target) -> Result<usize, Fault> {
    let mut count = 0;
    let folder = fds.fd;
    while let Some(name) = fds.next()? {
        count += usize::from(link(folder, name).is_some_and(|target| target == *socket));
    }
    Ok(count)
}

/// Where a link leads; `None` if it is none. Longer names than a socket's are
/// cut, and equal no socket's.
fn link(folder: RawSocket, name: &CStr) -> Option<Target> {
    let mut target: Target = [0; 40];
    let room = target.as_mut_ptr().cast::<c_char>();
    syscall!(libc::readlinkat(folder, name.as_ptr(), room, target.len())).ok()?;
    Some(target)
}

/// A folder that is being read, by system call: opendir() asks for memory.
pub(super) struct Folder {
    fd: RawSocket,
    /// Entries as getdents64 gives them, which wants them aligned.
    entries: [u64; ENTRIES],
    at: usize,
    end: usize,
}

const ENTRIES: usize = 128;

/// struct linux_dirent64: where the length of an entry and its name stand.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

impl Folder {
    pub(super) fn open(at: RawSocket, path: &CStr) -> Result<Folder, Fault> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let fd = syscall!(libc::openat(at, path.as_ptr(), flags))?;
        Ok(Folder {
            fd,
            entries: [0; ENTRIES],
            at: 0,
            end: 0,
        })
    }

    /// Its descriptor, to open what is in it.
    pub(super) fn number(&self) -> RawSocket {
        self.fd
    }

    /// The next name in it; good until the next call.
    pub(super) fn next(&mut self) -> Result<Option<&CStr>, Fault> {
        if self.at >= self.end {
            let room = self.entries.as_mut_ptr();
            let size = ENTRIES * 8;
            let filled = syscall!(libc::syscall(libc::SYS_getdents64, self.fd, room, size))?;
            self.at = 0;
            self.end = filled as usize;
        }
        if self.end == 0 {
            return Ok(None);
        }
        // SAFETY: the entries as bytes, no longer than they are.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.entries.as_ptr().cast::<u8>(), ENTRIES * 8) };
        let entry = bytes.get(self.at..self.end).unwrap_or_default();
        let (Some(&[low, high]), Some(name)) =
            (entry.get(LENGTH_AT..LENGTH_AT + 2), entry.get(NAME_AT..))
        else {
            return Ok(None);
        };
        self.at += usize::from(u16::from_ne_bytes([low, high]));
        Ok(CStr::from_bytes_until_nul(name).ok())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = close_raw(self.fd);
    }
}

/// The number as text, without asking for memory.
fn decimal(number: c_int, room: &mut [u8; 12]) -> &CStr {
    let mut left = number.unsigned_abs();
    let mut at = room.len() - 1;
    room[at] = 0;
    loop {
        at -= 1;
        room[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    CStr::from_bytes_until_nul(&room[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decimal, is_shared};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn numbers_as_text() {
        let mut room = [0u8; 12];
        assert_eq!(decimal(0, &mut room), c"0");
        assert_eq!(decimal(2_147_483_647, &mut room), c"2147483647");
    }

    #[test]
    fn a_duplicate_is_seen() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(!is_shared(one.as_raw_fd()));
        let duplicate = one.try_clone().unwrap();
        assert!(is_shared(one.as_raw_fd()));
        drop(duplicate);
        assert!(!is_shared(one.as_raw_fd()));
    }
}
