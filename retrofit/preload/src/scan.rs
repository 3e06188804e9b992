//! Who holds a socket, by looking at the descriptors of processes: expensive, and for the doubtful
//! cases only. By system call, without asking for memory.

use crate::ancestry::{Ancestry, Arrival, Relation};
use crate::fd_table;
use crate::folder::{decimal, link, number, Folder, Target};
use crate::process;
use crate::sys;
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

/// So many descriptors are looked at of processes that may have it: beyond that nobody knows.
const MOST: u32 = 1 << 16;
/// And so many of those to which it could have come in a message only. A machine may have any
/// number of them, and each takes its microsecond.
const MOST_OF_OTHERS: u32 = 1 << 12;

fn most_of_others(arrival: Arrival) -> u32 {
    match arrival {
        // of messages with what is made here we know
        Arrival::Counted | Arrival::Made => 0,
        Arrival::Inherited | Arrival::Received => MOST_OF_OTHERS,
    }
}

pub fn others_hold(fd: c_int, arrival: Arrival) -> Found {
    look(fd, arrival).unwrap_or(Found::Unknown)
}

fn look(fd: c_int, arrival: Arrival) -> Result<Found, sys::Error> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let mut digits = [0u8; 12];
    let target = link(own.fd, decimal(fd, &mut digits))?;
    // what we have ourselves is counted; and a process that ends holds nothing but what is parked
    let is_known = arrival == Arrival::Counted || process::is_ending();
    if !is_known && is_held_here(&mut own, &target)? {
        return Ok(Found::ThisProcess);
    }
    let processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
    let own = own_number(processes.fd).ok_or(sys::Error(libc::ENOENT))?;
    let ancestry = Ancestry::of(processes.fd, own, arrival);
    let search = Search {
        proc: processes.fd,
        // whom we do not see may hold it all the same
        is_unsure: !ancestry.is_complete,
        ancestry,
        target,
        left: MOST,
        left_of_others: most_of_others(arrival),
        may_be_anybody: arrival == Arrival::Received,
    };
    search.run(processes, own)
}

/// Under a number of the program's.
fn is_held_here(own: &mut Folder, target: &Target) -> Result<bool, sys::Error> {
    let mut all = u32::MAX;
    has_link(own, target, &mut all, |fd| !fd_table::is_internal(fd))
}

struct Search {
    proc: c_int,
    ancestry: Ancestry,
    target: Target,
    left: u32,
    left_of_others: u32,
    may_be_anybody: bool,
    /// Somebody may have it whom we cannot look at.
    is_unsure: bool,
}

impl Search {
    fn run(mut self, mut processes: Folder, own: c_int) -> Result<Found, sys::Error> {
        // the one who most often does is found without looking at all the others
        for at in 0..self.ancestry.ancestors().len() {
            let pid = self.ancestry.ancestors()[at];
            let mut digits = [0u8; 12];
            if self.holds(decimal(pid, &mut digits), Relation::MayHave)? {
                return Ok(Found::OtherProcess(pid));
            }
        }
        while let Some(name) = processes.next()? {
            let Some(pid) = number(name).filter(|pid| *pid != own) else {
                continue;
            };
            if self.ancestry.ancestors().contains(&pid) {
                continue;
            }
            let is_held = match self.ancestry.relation(self.proc, name) {
                Relation::Counts => false,
                // most often it is about to end, and the next look does not find it
                Relation::MayHaveUnseen => true,
                relation => self.holds(name, relation)?,
            };
            if is_held {
                return Ok(Found::OtherProcess(pid));
            }
        }
        Ok(match self.is_unsure {
            true => Found::Unknown,
            false => Found::Nobody,
        })
    }

    fn holds(&mut self, process: &CStr, relation: Relation) -> Result<bool, sys::Error> {
        let may_have = relation == Relation::MayHave;
        let counts = may_have || self.may_be_anybody;
        if !counts && self.left_of_others == 0 {
            return Ok(false);
        }
        let left = match counts {
            true => &mut self.left,
            false => &mut self.left_of_others,
        };
        match is_held_by(self.proc, process, &self.target, left) {
            Ok(is_held) => {
                self.is_unsure |= !is_held && counts && *left == 0;
                Ok(is_held)
            }
            Err(sys::Error(error @ (libc::EMFILE | libc::ENFILE | libc::ENOMEM))) => {
                Err(sys::Error(error))
            }
            // another user's, or one that may do more than we; or it has ended
            Err(_) => {
                self.is_unsure |= may_have && Folder::open(self.proc, process).is_ok();
                Ok(false)
            }
        }
    }
}

/// Whether this process has the socket under a number besides this one that is not ours.
pub fn is_held_under_another_number(fd: c_int) -> Result<bool, sys::Error> {
    let mut digits = [0u8; 12];
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let target = link(own.fd, decimal(fd, &mut digits))?;
    let is_other = |other| other != fd && !fd_table::is_internal(other);
    let mut all = u32::MAX;
    has_link(&mut own, &target, &mut all, is_other)
}

/// Every open number of this process but ours.
pub fn for_each_number(mut work: impl FnMut(c_int)) -> Result<(), sys::Error> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd")?;
    let folder = own.fd;
    while let Some(name) = own.next()? {
        if let Some(fd) = number(name).filter(|fd| *fd != folder && !fd_table::is_internal(*fd)) {
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
    own_number(proc.fd)
        .is_some_and(|own| Ancestry::of(proc.fd, own, Arrival::Inherited).is_ancestor(pid))
}

/// The process with this number has been started by us, or by one that we have started, and so on.
pub fn is_descendant(pid: c_int) -> bool {
    let Ok(proc) = Folder::open(libc::AT_FDCWD, c"/proc") else {
        return false;
    };
    own_number(proc.fd)
        .is_some_and(|own| Ancestry::of(proc.fd, pid, Arrival::Inherited).is_ancestor(own))
}

/// Not getpid(): that may be another where /proc is of an outer PID namespace.
fn own_number(proc: c_int) -> Option<c_int> {
    let target = link(proc, c"self").ok()?;
    number(CStr::from_bytes_until_nul(&target).ok()?)
}

/// Whether one of its descriptors is this one, of which at most so many are looked at.
fn is_held_by(
    proc: c_int,
    process: &CStr,
    target: &Target,
    left: &mut u32,
) -> Result<bool, sys::Error> {
    let process = Folder::open(proc, process)?;
    let mut fds = Folder::open(process.fd, c"fd")?;
    has_link(&mut fds, target, left, |_| true)
}

/// Whether one of these numbers leads there, of which at most so many are looked at. An error, too,
/// where the numbers are shown and where they lead is not: to who has fewer capabilities, or is in
/// a user namespace of its own.
fn has_link(
    fds: &mut Folder,
    target: &Target,
    left: &mut u32,
    counts: impl Fn(c_int) -> bool,
) -> Result<bool, sys::Error> {
    let folder = fds.fd;
    while *left > 0 {
        let Some(name) = fds.next()? else {
            return Ok(false);
        };
        *left -= 1;
        if !number(name).is_some_and(&counts) {
            continue;
        }
        match link(folder, name) {
            Ok(found) if found == *target => return Ok(true),
            // another, or it has been closed meanwhile
            Ok(_) | Err(sys::Error(libc::ENOENT)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
