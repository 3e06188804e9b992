//! Who holds a socket, by looking at every descriptor of every process: dear, and for the
//! doubtful cases only. By system call, without asking for memory.

use crate::sys;
use crate::table;
use libc::c_int;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Who holds it besides our parked duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nobody,
    ThisProcess,
    OtherProcess(c_int),
    /// A process that may have it does not let us look.
    Unknown,
}

/// "socket:[4026531993]", as the links in /proc/PID/fd read.
type Target = [u8; 40];

/// When this program was started, in the ticks of /proc/PID/stat (100 a second for every program).
/// A child of fork() has its parent's: what it has may have been made there.
static STARTED: AtomicU64 = AtomicU64::new(0);
const TICK_MS: u64 = 10;

pub fn begins() {
    STARTED.store(sys::up_for_ms() / TICK_MS, Relaxed);
}

/// `is_inherited`: the connection may be older than this program.
pub fn others_hold(fd: c_int, is_inherited: bool) -> Found {
    look(fd, is_inherited).unwrap_or(Found::Unknown)
}

fn look(fd: c_int, is_inherited: bool) -> Result<Found, sys::Error> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let mut digits = [0u8; 12];
    let target = link(own.fd, decimal(fd, &mut digits)).ok_or(sys::Error(libc::EBADF))?;
    // a process that ends holds nothing but what is parked
    if !crate::exit::is_under_way() && is_held_here(&mut own, &target)? {
        return Ok(Found::ThisProcess);
    }
    is_held_elsewhere(&target, is_inherited)
}

/// Under a number of the program's.
fn is_held_here(own: &mut Folder, target: &Target) -> Result<bool, sys::Error> {
    let folder = own.fd;
    while let Some(name) = own.next()? {
        let is_ours = number(name).is_some_and(table::is_internal);
        if !is_ours && link(folder, name).as_ref() == Some(target) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_held_elsewhere(target: &Target, is_inherited: bool) -> Result<Found, sys::Error> {
    let mut processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
    let proc = processes.fd;
    let own = own_number(proc).ok_or(sys::Error(libc::ENOENT))?;
    // behind hidepid others are not seen; nor is from a PID namespace who has started its first
    // process, or has put one into it
    let is_parent_hidden = own == 1 || sys::parent() == 0;
    let are_others_hidden = Folder::open(proc, c"1").is_err();
    let mut found = match are_others_hidden || is_inherited && is_parent_hidden {
        true => Found::Unknown,
        false => Found::Nobody,
    };
    while let Some(name) = processes.next()? {
        let Some(pid) = number(name).filter(|pid| *pid != own) else {
            continue;
        };
        match is_held_by(proc, name, target) {
            Ok(true) => return Ok(Found::OtherProcess(pid)),
            Ok(false) => {}
            Err(sys::Error(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
                return Ok(Found::Unknown);
            }
            Err(_) if may_hold(proc, name, is_inherited) => found = Found::Unknown,
            // it was there before the connection, or it has ended
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Not getpid(): that may be another where /proc is of an outer PID namespace.
fn own_number(proc: c_int) -> Option<c_int> {
    let target = link(proc, c"self")?;
    number(CStr::from_bytes_until_nul(&target).ok()?)
}

fn is_held_by(proc: c_int, process: &CStr, target: &Target) -> Result<bool, sys::Error> {
    let process = Folder::open(proc, process)?;
    let mut fds = Folder::open(process.fd, c"fd")?;
    let folder = fds.fd;
    while let Some(name) = fds.next()? {
        if link(folder, name).as_ref() == Some(target) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a process that cannot be read may have the connection: one that is older than this
/// program has nothing that was made here.
fn may_hold(proc: c_int, process: &CStr, is_inherited: bool) -> bool {
    // else it has ended
    Status::of(proc, process).is_some_and(|theirs| {
        !theirs.is_empty && (is_inherited || theirs.started >= STARTED.load(Relaxed))
    })
}

/// The parts of /proc/PID/stat that are needed.
struct Status {
    /// A thread of the kernel's, or a process that has ended: without descriptors.
    is_empty: bool,
    /// In ticks since the system has.
    started: u64,
}

impl Status {
    fn of(proc: c_int, process: &CStr) -> Option<Status> {
        let folder = Folder::open(proc, process).ok()?;
        let file = sys::open_at(folder.fd, c"stat", libc::O_RDONLY).ok()?;
        let mut text = [0u8; 512];
        let size = sys::read(file, &mut text);
        let _ = sys::close(file);
        Status::parse(text.get(..size.ok()?)?)
    }

    /// "1234 (name) S 1 1234 1200 ...": the name may have anything in it.
    fn parse(text: &[u8]) -> Option<Status> {
        let end_of_name = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end_of_name + 1..)?).ok()?;
        let mut words = rest.split_ascii_whitespace();
        let state = words.next()?;
        // field 9, of which PF_KTHREAD is one, and 22
        let flags: u32 = words.nth(5)?.parse().ok()?;
        let started = words.nth(12)?.parse().ok()?;
        Some(Status {
            is_empty: flags & KERNEL_THREAD != 0 || matches!(state, "Z" | "X"),
            started,
        })
    }
}

/// PF_KTHREAD (include/linux/sched.h).
const KERNEL_THREAD: u32 = 0x0020_0000;

fn link(folder: c_int, name: &CStr) -> Option<Target> {
    let mut target: Target = [0; 40];
    sys::read_link(folder, name, &mut target).ok()?;
    Some(target)
}

/// A folder that is being read.
struct Folder {
    fd: c_int,
    /// Entries as the kernel gives them, which wants them aligned.
    entries: [u64; ENTRIES],
    at: usize,
    end: usize,
}

const ENTRIES: usize = 256;

/// struct linux_dirent64: where the length of an entry and its name stand.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

impl Folder {
    fn open(at: c_int, path: &CStr) -> Result<Folder, sys::Error> {
        Ok(Folder {
            fd: sys::open_at(at, path, libc::O_RDONLY | libc::O_DIRECTORY)?,
            entries: [0; ENTRIES],
            at: 0,
            end: 0,
        })
    }

    /// The next name; good until the next call.
    fn next(&mut self) -> Result<Option<&CStr>, sys::Error> {
        if self.at >= self.end {
            self.at = 0;
            self.end = sys::read_folder(self.fd, &mut self.entries)?;
        }
        if self.end == 0 {
            return Ok(None);
        }
        let bytes = sys::bytes(&self.entries);
        let entry = bytes.get(self.at..self.end).unwrap_or_default();
        let (Some(&[low, high]), Some(name)) =
            (entry.get(LENGTH_AT..LENGTH_AT + 2), entry.get(NAME_AT..))
        else {
            return Ok(None);
        };
        self.at += usize::from(u16::from_ne_bytes([low, high])).max(1);
        Ok(CStr::from_bytes_until_nul(name).ok())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = sys::close(self.fd);
    }
}

fn number(name: &CStr) -> Option<c_int> {
    name.to_str().ok()?.parse().ok()
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
        if left == 0 || at == 0 {
            break;
        }
    }
    CStr::from_bytes_until_nul(&room[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decimal, Status};

    #[test]
    fn numbers_as_text() {
        let mut room = [0u8; 12];
        assert_eq!(decimal(0, &mut room), c"0");
        assert_eq!(decimal(i32::MAX, &mut room), c"2147483647");
    }

    #[test]
    fn the_age_and_whether_there_are_descriptors() {
        let program = b"42 (a) b (c) S 7 42 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9";
        let status = Status::parse(program).unwrap();
        assert_eq!((status.is_empty, status.started), (false, 777));
        let thread = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 31 0";
        assert!(Status::parse(thread).unwrap().is_empty);
        assert!(Status::parse(b"42 (a").is_none());
    }
}
