//! Which processes may have a socket of ours, by how it came to us. A descriptor goes from parent
//! to child; all else is a message, and of those that we send we know.

use crate::folder::{self, Folder};
use crate::process;
use crate::sys;
use libc::c_int;
use std::ffi::CStr;

/// How a socket came to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Made by this program, whose forked processes count it: only what they have started is in
    /// doubt.
    Counted,
    /// Made by this program, whose forked processes may have it uncounted.
    Made,
    /// There when the program began: those that it comes from have had it.
    Inherited,
    /// In a message, from any process.
    Received,
}

/// How a process is related to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It counts what it has.
    Counts,
    /// It may have the socket.
    MayHave,
    /// It may, but its descriptors are not shown.
    MayHaveUnseen,
    /// Nobody has given it the socket, other than in a message.
    Foreign,
}

/// Longer lines of ancestors are not followed.
const GENERATIONS: usize = 32;

/// The first process of a PID namespace.
const INIT: c_int = 1;

/// This process and those it comes from, without the first one of all, unless the program was
/// started in that.
pub struct Ancestry {
    line: [c_int; GENERATIONS],
    count: usize,
    /// So many of them may have had the socket: to the process in which the program was started,
    /// or all.
    family: usize,
    /// When the oldest of these began.
    since: u64,
    session: c_int,
    arrival: Arrival,
    group: Group,
    /// All that may have it are seen. Not where /proc hides the processes of others (hidepid), nor
    /// in the first process of a PID namespace, whose parent is outside.
    pub is_complete: bool,
}

impl Ancestry {
    pub fn of(proc: c_int, own: c_int, arrival: Arrival) -> Ancestry {
        let mut ancestry = Ancestry {
            line: [own; GENERATIONS],
            count: 1,
            family: 1,
            since: 0,
            session: 0,
            arrival,
            group: Group::of(proc, own),
            is_complete: false,
        };
        if let Some(status) = Status::of_number(proc, own) {
            ancestry.session = status.session;
            ancestry.since = status.begun;
            ancestry.follow(proc, status);
        }
        ancestry
    }

    fn follow(&mut self, proc: c_int, mut status: Status) {
        let root = self.root();
        let mut root_is_seen = root == Some(self.line[0]);
        while self.count < GENERATIONS {
            let parent = status.parent;
            if parent < INIT || parent == INIT && root != Some(INIT) {
                break;
            }
            self.line[self.count] = parent;
            self.count += 1;
            let Some(of_parent) = Status::of_number(proc, parent) else {
                self.is_complete = root_is_seen;
                return;
            };
            status = of_parent;
            if !root_is_seen {
                self.family = self.count;
                self.since = status.begun;
                root_is_seen = root == Some(parent);
            }
        }
        let is_whole = status.parent == INIT && Status::of_number(proc, INIT).is_some();
        self.is_complete = root_is_seen || is_whole;
        if root.is_some() && !root_is_seen {
            // it has ended, and whoever it has started may be anywhere
            self.since = 0;
        }
    }

    /// The process in which the program was started that has made the socket; `None`: it was there
    /// before, or processes have other numbers for us than /proc has.
    fn root(&self) -> Option<c_int> {
        let is_made_here = matches!(self.arrival, Arrival::Counted | Arrival::Made);
        (is_made_here && self.line[0] == process::own_pid()).then(process::root_pid)
    }

    /// It has started us, or its child has, and so on: while we live it may well wait for our end.
    pub fn is_ancestor(&self, pid: c_int) -> bool {
        self.line[1..self.count].contains(&pid)
    }

    /// Those that we come from and that may have it, the nearest first.
    pub fn ancestors(&self) -> &[c_int] {
        match self.arrival {
            Arrival::Counted => &[],
            _ => &self.line[1..self.family],
        }
    }

    pub fn relation(&self, proc: c_int, process: &CStr) -> Relation {
        let pid = folder::number(process).unwrap_or(0);
        if self.is_of_family(pid) {
            return match self.arrival {
                Arrival::Counted => Relation::Counts,
                _ => Relation::MayHave,
            };
        }
        let Some(theirs) = Status::of(proc, process) else {
            // it has ended, or nothing of it may be seen
            return match self.is_complete {
                true => Relation::Foreign,
                false => Relation::MayHave,
            };
        };
        let life = theirs.life;
        let is_of_session = self.arrival == Arrival::Inherited && theirs.session == self.session;
        match (is_of_session || self.is_from_us(proc, pid, theirs), life) {
            (false, _) | (_, Life::Ended) => Relation::Foreign,
            (true, Life::Headless) => Relation::MayHaveUnseen,
            (true, Life::Whole) => Relation::MayHave,
        }
    }

    fn is_of_family(&self, pid: c_int) -> bool {
        self.line[..self.family].contains(&pid)
    }

    /// One of the family has started it; or that may be so, and it has lost its parent since: then
    /// it is a child of the first process of all, or of one that we come from.
    fn is_from_us(&self, proc: c_int, mut pid: c_int, mut theirs: Status) -> bool {
        for _ in 0..GENERATIONS {
            let parent = theirs.parent;
            if self.is_of_family(parent) {
                return true;
            }
            if parent < INIT {
                return false; // the first one, and the kernel's own
            }
            if parent == INIT || self.is_ancestor(parent) {
                let is_young = theirs.begun >= self.since;
                return is_young && Group::of(proc, pid).may_be(&self.group);
            }
            match Status::of_number(proc, parent) {
                Some(status) => theirs = status,
                None => return false,
            }
            pid = parent;
        }
        true
    }
}

/// The control groups of a process, which a child has from its parent and seldom leaves: the
/// services of one machine are told apart by them.
struct Group {
    text: [u8; 256],
    size: usize,
}

impl Group {
    fn of(proc: c_int, pid: c_int) -> Group {
        let mut group = Group {
            text: [0; 256],
            size: 0,
        };
        let mut digits = [0u8; 12];
        let name = folder::decimal(pid, &mut digits);
        group.size = read(proc, name, c"cgroup", &mut group.text).unwrap_or(0);
        group
    }

    /// What cannot be read may be the same.
    fn may_be(&self, other: &Group) -> bool {
        let is_same = self.text[..self.size] == other.text[..other.size];
        is_same || self.size == 0 || other.size == 0
    }
}

/// The parts of /proc/PID/stat that are needed.
struct Status {
    life: Life,
    parent: c_int,
    session: c_int,
    /// When it began, in ticks since the machine has.
    begun: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Whole,
    /// The first thread has ended, and with it what /proc shows; the others go on.
    Headless,
    Ended,
}

impl Status {
    fn of_number(proc: c_int, pid: c_int) -> Option<Status> {
        let mut digits = [0u8; 12];
        Status::of(proc, folder::decimal(pid, &mut digits))
    }

    fn of(proc: c_int, process: &CStr) -> Option<Status> {
        let mut text = [0u8; 512];
        let size = read(proc, process, c"stat", &mut text)?;
        Status::parse(text.get(..size)?)
    }

    /// "1234 (name) S 1 1234 1200 ...": the name may have anything in it.
    fn parse(text: &[u8]) -> Option<Status> {
        let end_of_name = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end_of_name + 1..)?).ok()?;
        let mut words = rest.split_ascii_whitespace();
        let state = words.next()?;
        let parent = words.next()?.parse().ok()?;
        let session = words.nth(1)?.parse().ok()?;
        // the 20th and the 22nd of all
        let threads: u32 = words.nth(13)?.parse().ok()?;
        let begun = words.nth(1)?.parse().ok()?;
        let life = match (state, threads) {
            ("Z" | "X", 2..) => Life::Headless,
            ("Z" | "X", _) => Life::Ended,
            _ => Life::Whole,
        };
        Some(Status {
            life,
            parent,
            session,
            begun,
        })
    }
}

fn read(proc: c_int, process: &CStr, name: &CStr, text: &mut [u8]) -> Option<usize> {
    let folder = Folder::open(proc, process).ok()?;
    let file = sys::open_at(folder.fd, name, libc::O_RDONLY).ok()?;
    let size = sys::read(file, text);
    let _ = sys::close(file);
    size.ok()
}

#[cfg(test)]
mod tests {
    use super::{Life, Status};

    #[test]
    fn what_is_read_of_a_process() {
        let rest = "7 42 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 4 0 123456 9 9";
        let status = Status::parse(format!("42 (a) b (c) S {rest}").as_bytes()).unwrap();
        assert_eq!((status.parent, status.session), (7, 9));
        assert_eq!((status.begun, status.life), (123456, Life::Whole));
        let headless = Status::parse(format!("42 (a) Z {rest}").as_bytes()).unwrap();
        assert_eq!(headless.life, Life::Headless);
        assert!(Status::parse(b"42 (a").is_none());
    }
}
