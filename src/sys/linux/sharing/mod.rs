//! Who else holds a socket? The kernel does not tell how many references a
//! connection has, so this looks through the descriptors of every process in /proc:
//! exact for what may be read. Of a process whose descriptors may not be read,
//! [`Kin`] says whether it could hold the connection; then nobody can tell. One walk
//! answers for any number of sockets; it costs about 1 us per descriptor looked at,
//! needs two descriptors, and asks for no memory.
//!
//! What stays unseen: descriptors under way in an SCM_RIGHTS message or registered
//! with io_uring, and those that were passed to a process of another user that is no
//! relation of ours. Looking and closing are two steps: a process that is forked
//! between them is not seen either.

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Fault, FaultKind, Sharing};
use crate::sys::unix::{fault, RawSocket, Socket};
use folder::{link, status, Path};
pub(super) use folder::{Folder, Room};
use kin::Kin;
use sought::{inode_in, Sought};
use std::ffi::CStr;
use std::time::Duration;

mod folder;
mod hidden;
mod kin;
mod load;
pub(super) mod messages;
mod sought;
mod spare;
mod stat;

/// A walk may take so long even if there is no time to wait for the peer: a close
/// without a time-out looks, too.
const FAIR: Duration = Duration::from_millis(250);

/// Who else holds this socket.
pub(super) fn of_one(socket: Socket, until: Time) -> Sharing {
    let mut one = match Sought::new(socket, 0) {
        Ok(one) => [one],
        Err(fault) => return Sharing::Unknown(fault),
    };
    let mut looked = look(&mut one, until);
    // SAFETY: takes nothing.
    let parent = unsafe { libc::getppid() } as u32;
    // The child of a server that forks for each connection may be faster than its parent,
    // which closes its own descriptor next.
    if one[0].holder == parent && parent != 0 {
        std::thread::yield_now();
        looked = look(&mut one, until);
    }
    match one[0].is_still(socket) {
        true => one[0].answer(1, true, looked),
        false => Sharing::Unknown(Fault::GONE),
    }
}

/// Who else holds each of these sockets: of what has one to be looked for.
pub(crate) fn look_for_sharing<T>(
    all: &mut [T],
    socket: impl Fn(&T) -> Option<Socket>,
    until: Time,
    tell: impl Fn(&mut T, Sharing),
) {
    let mut sought: Vec<Sought> = Vec::new();
    for (at, one) in all.iter_mut().enumerate() {
        let Some(socket) = socket(one) else {
            continue;
        };
        let found = match sought.try_reserve(1) {
            Ok(()) => Sought::new(socket, at),
            Err(_) => Err(fault(libc::ENOMEM)),
        };
        match found {
            Ok(found) => sought.push(found),
            Err(fault) => tell(one, Sharing::Unknown(fault)),
        }
    }
    if sought.is_empty() {
        return;
    }
    let mut sought = sought::sorted(sought);
    let looked = look(&mut sought, until);
    for same in sought.chunk_by(|one, next| one.inode == next.inode) {
        for (nth, one) in same.iter().enumerate() {
            let is_last = nth + 1 == same.len();
            tell(
                &mut all[one.at],
                same[0].answer(same.len(), is_last, looked),
            );
        }
    }
}

/// Looks for all of them, which are sorted.
fn look(all: &mut [Sought], until: Time) -> Result<(), Fault> {
    let until = until.max(SystemClock.now().plus(FAIR));
    let own = match Folder::open(libc::AT_FDCWD, c"/proc/thread-self/fd") {
        // Linux 3.17. The process's own folder cannot be read once its main thread
        // has ended.
        Err(refused) if refused.code == libc::ENOENT => {
            Folder::open(libc::AT_FDCWD, c"/proc/self/fd")
        }
        opened => opened,
    };
    let looked = match own.and_then(|own| Walk::new(all, until).run(own)) {
        Err(refused) if refused.code == libc::EMFILE => {
            spare::with_other_table(refused, |own| Walk::new(all, until).run(own))
        }
        looked => looked,
    };
    // Said of a folder of ours, which the program has closed: not of the socket.
    looked.map_err(|refused| other(refused.code))
}

fn other(code: i32) -> Fault {
    Fault {
        kind: FaultKind::Other,
        code,
    }
}

/// One look through /proc.
struct Walk<'a> {
    all: &'a mut [Sought],
    /// Those that have not been found to be shared.
    left: usize,
    until: Time,
    kin: Option<Kin>,
    /// A process that could hold one of them, and does not let itself be looked at.
    doubt: Option<Fault>,
    /// A process whose descriptors may not be read was seen all the same.
    saw_unreadable: bool,
}

impl Walk<'_> {
    fn new(all: &mut [Sought], until: Time) -> Walk<'_> {
        all.iter_mut().for_each(|one| {
            one.own = 0;
            one.is_elsewhere = false;
            one.holder = 0;
        });
        Walk {
            left: all.len(),
            all,
            until,
            kin: None,
            doubt: None,
            saw_unreadable: false,
        }
    }

    /// `own` are the descriptors of this process.
    fn run(mut self, own: Folder) -> Result<(), Fault> {
        let mut room = Room::new();
        self.count(own, &mut room, |one| one.own += 1)?;
        self.left = 0;
        for same in self.all.chunk_by(|one, next| one.inode == next.inode) {
            if same[0].own == 0 {
                // That was not the list of our descriptors.
                return Err(fault(libc::ENOENT));
            }
            self.left += usize::from(!same[0].is_shared(same.len()));
        }
        if self.left == 0 {
            return Ok(());
        }
        let processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
        let proc = processes.number();
        let mut names = Room::new();
        let mut names = processes.names(&mut names);
        // Not getpid(): that may be another number where /proc is of an outer PID namespace.
        let mut this = [0; 12];
        let this = link(proc, c"self", &mut this)?;
        while let Some(process) = names.next_number()? {
            if process.to_bytes() == this {
                continue;
            }
            match self.visit(proc, process, this, &mut room) {
                Err(refused) if has_ended(refused) => {}
                result => result?,
            }
            if self.left == 0 {
                self.all[0].holder = folder::number(process.to_bytes()) as u32;
                return Ok(());
            }
            self.check_time()?;
        }
        self.doubt.map_or(Ok(()), Err)?;
        let is_inherited = self.all.iter().any(load::had);
        hidden::check(proc, this, is_inherited, self.saw_unreadable)
    }

    fn visit(
        &mut self,
        proc: RawSocket,
        process: &CStr,
        this: &[u8],
        room: &mut Room,
    ) -> Result<(), Fault> {
        let path = Path::new(&[process.to_bytes(), b"/fd"]);
        let found = Folder::open(proc, path.as_c_str())
            .and_then(|fds| self.count(fds, room, |one| one.is_elsewhere = true));
        match found {
            // Its main thread has ended, or it is a process of the kernel.
            Ok(0) => self.visit_threads(proc, process, room),
            Ok(_) => Ok(()),
            Err(refused) if is_forbidden(refused) => self.doubt(proc, process, this, refused),
            Err(refused) => Err(refused),
        }
    }

    /// The descriptors of one whose main thread has ended are seen by way of another. Not
    /// inlined: its room shall not be on the stack of the others.
    #[inline(never)]
    fn visit_threads(
        &mut self,
        proc: RawSocket,
        process: &CStr,
        room: &mut Room,
    ) -> Result<(), Fault> {
        let path = Path::new(&[process.to_bytes(), b"/task"]);
        // Two links more than threads (fs/proc/base.c, proc_task_getattr).
        if status(proc, path.as_c_str())?.st_nlink <= 3 {
            return Ok(());
        }
        let threads = Folder::open(proc, path.as_c_str())?;
        let folder = threads.number();
        let mut names = Room::new();
        let mut names = threads.names(&mut names);
        while let Some(thread) = names.next_number()? {
            let path = Path::new(&[thread.to_bytes(), b"/fd"]);
            let found = Folder::open(folder, path.as_c_str())
                .and_then(|fds| self.count(fds, room, |one| one.is_elsewhere = true));
            match found {
                Ok(0) => {}
                Err(refused) if has_ended(refused) => {}
                found => return found.map(drop),
            }
        }
        Ok(())
    }

    /// Its descriptors may not be read.
    fn doubt(
        &mut self,
        proc: RawSocket,
        process: &CStr,
        this: &[u8],
        refused: Fault,
    ) -> Result<(), Fault> {
        if self.doubt.is_some() {
            return Ok(());
        }
        if self.kin.is_none() {
            // An ancestor that is hidden.
            self.kin = match Kin::of(proc, this) {
                Err(hidden) if has_ended(hidden) => return Err(refused),
                known => Some(known?),
            };
        }
        match self
            .kin
            .as_ref()
            .map(|kin| kin.could_hold(proc, process, self.all))
        {
            Some(Ok(false)) => self.saw_unreadable = true,
            Some(Err(gone)) if has_ended(gone) => {}
            _ => self.doubt = Some(refused),
        }
        Ok(())
    }

    /// Notes which of these descriptors are one of the sockets; how many there are.
    fn count(
        &mut self,
        fds: Folder,
        room: &mut Room,
        note: fn(&mut Sought),
    ) -> Result<usize, Fault> {
        let mut count = 0;
        let folder = fds.number();
        let mut names = fds.names(room);
        loop {
            if names.is_at_end_of_portion() && count > 0 {
                self.check_time()?;
            }
            let Some(name) = names.next_number()? else {
                return Ok(count);
            };
            count += 1;
            let mut room = [0; 40];
            match link(folder, name, &mut room) {
                Ok(target) => self.note(target, note),
                // Closed meanwhile.
                Err(refused) if has_ended(refused) => {}
                Err(refused) => return Err(refused),
            }
        }
    }

    fn note(&mut self, target: &[u8], note: fn(&mut Sought)) {
        let Some(inode) = inode_in(target) else {
            return;
        };
        let first = self.all.partition_point(|one| one.inode < inode);
        let same = self.all[first..]
            .iter()
            .take_while(|one| one.inode == inode);
        let closing = same.count();
        if closing > 0 {
            let one = &mut self.all[first];
            let before = one.is_shared(closing);
            note(one);
            let now = one.is_shared(closing);
            self.left -= usize::from(now && !before && self.left > 0);
        }
    }

    fn check_time(&self) -> Result<(), Fault> {
        match SystemClock.now() < self.until {
            true => Ok(()),
            false => Err(other(libc::ETIMEDOUT)),
        }
    }
}

/// The process, or the descriptor, is no more.
fn has_ended(refused: Fault) -> bool {
    matches!(refused.code, libc::ENOENT | libc::ESRCH)
}

fn is_forbidden(refused: Fault) -> bool {
    matches!(refused.code, libc::EACCES | libc::EPERM)
}

#[cfg(test)]
mod tests;
