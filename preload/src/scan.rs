//! Who holds a socket, by looking at every descriptor of every process: dear, and for the
//! doubtful cases only. By system call, without asking for memory.

use crate::sys;
use crate::table;
use libc::c_int;
use std::ffi::CStr;

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

pub fn others_hold(fd: c_int) -> Found {
    look(fd).unwrap_or(Found::Unknown)
}

fn look(fd: c_int) -> Result<Found, sys::Error> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let mut digits = [0u8; 12];
    let target = link(own.fd, decimal(fd, &mut digits)).ok_or(sys::Error(libc::EBADF))?;
    // a process that ends holds nothing but what is parked
    if !crate::process::is_ending() && is_held_here(&mut own, &target)? {
        return Ok(Found::ThisProcess);
    }
    is_held_elsewhere(&target)
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

fn is_held_elsewhere(target: &Target) -> Result<Found, sys::Error> {
    let mut processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
    let proc = processes.fd;
    let own = own_number(proc).ok_or(sys::Error(libc::ENOENT))?;
    let kin = Kin::of(proc, own);
    // whom we do not see may hold it all the same
    let mut found = if kin.is_complete {
        Found::Nobody
    } else {
        Found::Unknown
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
            Err(_) if kin.could_have_it(proc, name) => found = Found::Unknown,
            // another user's, whom nobody has given it, or it has ended
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Whether this process has the socket under a number besides this one that is not ours.
pub fn is_held_under_another_number(fd: c_int) -> Result<bool, sys::Error> {
    let mut digits = [0u8; 12];
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let target = link(own.fd, decimal(fd, &mut digits)).ok_or(sys::Error(libc::EBADF))?;
    let folder = own.fd;
    while let Some(name) = own.next()? {
        let is_other = number(name).is_some_and(|other| other != fd && !table::is_internal(other));
        if is_other && link(folder, name).as_ref() == Some(&target) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Every open number of this process but ours.
pub fn for_each_number(mut work: impl FnMut(c_int)) -> Result<(), sys::Error> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let folder = own.fd;
    while let Some(name) = own.next()? {
        if let Some(fd) = number(name).filter(|fd| *fd != folder && !table::is_internal(*fd)) {
            work(fd);
        }
    }
    Ok(())
}

/// The process with this number has started us, or its parent has, and so on: while we live it may
/// well wait for our end.
pub fn is_ancestor(pid: c_int) -> bool {
    let Ok(proc) = Folder::open(libc::AT_FDCWD, c"/proc") else {
        return false;
    };
    own_number(proc.fd).is_some_and(|own| Kin::of(proc.fd, own).is_ancestor(pid))
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

/// Longer lines of ancestors are not followed.
const GENERATIONS: usize = 32;

/// The first process of a PID namespace.
const INIT: c_int = 1;

/// This process, and those it comes from, without the first one of all.
struct Kin {
    line: [c_int; GENERATIONS],
    count: usize,
    session: c_int,
    /// All of them are seen. Not where /proc hides the processes of others (hidepid), nor in the
    /// first process of a PID namespace, whose parent is outside.
    is_complete: bool,
}

impl Kin {
    fn of(proc: c_int, own: c_int) -> Kin {
        let mut kin = Kin {
            line: [own; GENERATIONS],
            count: 1,
            session: 0,
            is_complete: false,
        };
        let Some(mut status) = Status::of_number(proc, own) else {
            return kin;
        };
        kin.session = status.session;
        while kin.count < GENERATIONS && status.parent > INIT {
            kin.line[kin.count] = status.parent;
            kin.count += 1;
            match Status::of_number(proc, status.parent) {
                Some(parent) => status = parent,
                None => return kin,
            }
        }
        kin.is_complete = status.parent == INIT && Status::of_number(proc, INIT).is_some();
        kin
    }

    fn is_ancestor(&self, pid: c_int) -> bool {
        self.line[1..self.count].contains(&pid)
    }

    /// It started us, or one of these has started it, or it is of our session: so it may have
    /// inherited the socket, or have left it to us.
    fn could_have_it(&self, proc: c_int, process: &CStr) -> bool {
        let Some(mut theirs) = Status::of(proc, process) else {
            // it has ended, or nothing of it may be seen
            return !self.is_complete;
        };
        if theirs.session == self.session
            || number(process).is_some_and(|pid| self.is_ancestor(pid))
        {
            return true;
        }
        for _ in 0..GENERATIONS {
            if self.line[..self.count].contains(&theirs.parent) {
                return true;
            }
            if theirs.parent <= INIT {
                return false;
            }
            match Status::of_number(proc, theirs.parent) {
                Some(parent) => theirs = parent,
                None => return false,
            }
        }
        true
    }
}

/// The parts of /proc/PID/stat that are needed.
struct Status {
    parent: c_int,
    session: c_int,
}

impl Status {
    fn of_number(proc: c_int, pid: c_int) -> Option<Status> {
        let mut digits = [0u8; 12];
        Status::of(proc, decimal(pid, &mut digits))
    }

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
        let mut words = rest.split_ascii_whitespace().skip(1);
        Some(Status {
            parent: words.next()?.parse().ok()?,
            session: words.nth(1)?.parse().ok()?,
        })
    }
}

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
    fn the_parent_and_the_session() {
        let status = Status::parse(b"42 (a) b (c) S 7 42 9 0 -1 4194560").unwrap();
        assert_eq!((status.parent, status.session), (7, 9));
        assert!(Status::parse(b"42 (a").is_none());
    }
}
