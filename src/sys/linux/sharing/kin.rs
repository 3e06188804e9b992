//! Which of the processes whose descriptors may not be read could hold a connection of
//! ours? There are such processes on every machine (init, the kernel's, other users'),
//! and if each of them counted, hardly anybody but root would ever close gracefully. A
//! descriptor comes to another process by fork() or by SCM_RIGHTS. So these count:
//!
//! - ancestors that run this program, too, and those that started it if the program held
//!   the socket when it was loaded; but not if it was made by a user who is ours and not
//!   theirs, as in the worker of a master that is root. Otherwise it may only have been
//!   passed by the parent;
//! - descendants of the program, by their parents' numbers, and orphans among them. An
//!   orphan falls to one of our ancestors. It is younger than the program, and in our
//!   session or control group: only a service manager moves a process out of both;
//! - all others of the same user, whatever they are (after setuid() or PR_SET_DUMPABLE
//!   not even those may be read).
//!
//! Not the kernel's own, nor those that have ended.

use super::folder::{number, read, status, Path};
use super::{load, Sought};
use crate::connection::Fault;
use crate::sys::unix::{fault, RawSocket};
use std::ffi::CStr;

/// Longer lines of ancestors than this are not followed.
const GENERATIONS: usize = 48;

/// include/linux/sched.h, PF_KTHREAD: shown in /proc/PID/stat.
const OF_THE_KERNEL: u64 = 0x0020_0000;

/// This process and its relations.
pub(super) struct Kin {
    this: Stat,
    ancestors: [u32; GENERATIONS],
    count: usize,
    /// When the oldest of them began that this /proc shows, or this process itself.
    pub(super) oldest: u64,
    user: u32,
}

impl Kin {
    pub(super) fn of(proc: RawSocket, this: &[u8]) -> Result<Kin, Fault> {
        let mut kin = Kin {
            this: Stat::of(proc, this)?,
            ancestors: [0; GENERATIONS],
            count: 0,
            oldest: 0,
            // The effective one: with root as the real one, all that is root's would count.
            // SAFETY: takes nothing.
            user: unsafe { libc::geteuid() },
        };
        kin.oldest = kin.this.began;
        let mut parent = kin.this.parent;
        while parent != 0 {
            let Some(place) = kin.ancestors.get_mut(kin.count) else {
                return Err(fault(libc::ELOOP));
            };
            *place = parent;
            kin.count += 1;
            let stat = Stat::of_number(proc, parent)?;
            (parent, kin.oldest) = (stat.parent, stat.began);
        }
        Ok(kin)
    }

    /// Whether this process could hold one of these sockets.
    pub(super) fn could_hold(
        &self,
        proc: RawSocket,
        process: &CStr,
        sought: &[Sought],
    ) -> Result<bool, Fault> {
        let stat = Stat::of(proc, process.to_bytes())?;
        if stat.holds_nothing() {
            return Ok(false);
        }
        let users = Users::of(proc, process)?;
        if self.is_ancestor(stat.pid) {
            return Ok(self.ancestor_could_hold(stat, users, sought));
        }
        Ok(users.have(|user| user == self.user) || self.may_be_the_programs(proc, stat)?)
    }

    fn ancestor_could_hold(&self, stat: Stat, users: Users, sought: &[Sought]) -> bool {
        let is_ours = |user| user == self.user;
        let has_left_it = stat.began >= load::began() || sought.iter().any(load::had);
        let is_related = |user| is_ours(user) || sought.iter().any(|one| one.owner == user);
        match users.have(is_related) {
            // Passed, and kept: not by init.
            true => has_left_it || (stat.pid == self.this.parent && stat.pid != 1),
            // What our own user had made is not another user's.
            false => has_left_it && sought.iter().any(|one| !is_ours(one.owner)),
        }
    }

    fn is_ancestor(&self, pid: u32) -> bool {
        self.ancestors[..self.count].contains(&pid)
    }

    fn may_be_the_programs(&self, proc: RawSocket, mut stat: Stat) -> Result<bool, Fault> {
        for _ in 0..GENERATIONS {
            if stat.parent == self.this.pid {
                return Ok(true);
            }
            if stat.parent == 0 {
                return Ok(false);
            }
            if self.is_ancestor(stat.parent) {
                // Time is counted in hundredths of a second: the same one may be later.
                let is_younger = stat.began >= load::began();
                return Ok(is_younger && self.belongs_to_us(proc, stat));
            }
            stat = Stat::of_number(proc, stat.parent)?;
        }
        Ok(true)
    }

    /// In the same session, or in the same control groups as far as anybody can tell.
    fn belongs_to_us(&self, proc: RawSocket, stat: Stat) -> bool {
        if stat.session == self.this.session {
            return true;
        }
        let (mut theirs, mut ours) = ([0; 1024], [0; 1024]);
        let path = |pid| Path::with_number(b"", pid, b"/cgroup");
        let theirs = read(proc, path(stat.pid).as_c_str(), &mut theirs);
        let ours = read(proc, path(self.this.pid).as_c_str(), &mut ours);
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            _ => true,
        }
    }
}

/// What /proc/PID/stat says (proc_pid_stat(5)).
#[derive(Clone, Copy)]
pub(super) struct Stat {
    pid: u32,
    has_ended: bool,
    pub(super) parent: u32,
    session: u64,
    flags: u64,
    threads: u64,
    pub(super) began: u64,
}

impl Stat {
    /// Of the process with this folder.
    pub(super) fn of(proc: RawSocket, process: &[u8]) -> Result<Stat, Fault> {
        let mut room = [0; 512];
        let path = Path::new(&[process, b"/stat"]);
        let text = read(proc, path.as_c_str(), &mut room)?;
        Stat::parse(text).ok_or_else(|| fault(libc::ENODATA))
    }

    fn of_number(proc: RawSocket, pid: u32) -> Result<Stat, Fault> {
        Stat::of(proc, Path::with_number(b"", pid, b"").as_c_str().to_bytes())
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name before it may have brackets and blanks itself.
        let end_of_name = text.iter().rposition(|&byte| byte == b')')?;
        // The first one is the third of the line.
        let mut fields = text.get(end_of_name + 2..)?.split(|&byte| byte == b' ');
        let state = fields.next()?;
        let parent = number(fields.next()?) as u32;
        let session = number(fields.nth(1)?);
        let flags = number(fields.nth(2)?);
        let threads = number(fields.nth(10)?);
        let began = number(fields.nth(1)?);
        Some(Stat {
            pid: number(text) as u32,
            has_ended: matches!(state, b"Z" | b"X"),
            parent,
            session,
            flags,
            threads,
            began,
        })
    }

    /// The main thread may have ended while others go on.
    fn holds_nothing(&self) -> bool {
        self.flags & OF_THE_KERNEL != 0 || (self.has_ended && self.threads <= 1)
    }
}

/// Real, effective, saved and file system user of a process.
struct Users([u32; 4]);

impl Users {
    fn of(proc: RawSocket, process: &CStr) -> Result<Users, Fault> {
        // Cheaper than its status: the folder is the effective user's, or root's if the
        // process has changed its users (fs/proc/base.c, task_dump_owner).
        let owner = status(proc, process)?.st_uid;
        if owner != 0 {
            return Ok(Users([owner; 4]));
        }
        let mut room = [0; 512];
        let path = Path::new(&[process.to_bytes(), b"/status"]);
        let text = read(proc, path.as_c_str(), &mut room)?;
        Users::parse(text).ok_or_else(|| fault(libc::ENODATA))
    }

    fn parse(text: &[u8]) -> Option<Users> {
        let mut lines = text.split(|&byte| byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(b"Uid:\t"))?;
        let mut users = [0; 4];
        let mut words = line.split(|&byte| byte == b'\t');
        for user in &mut users {
            *user = number(words.next()?) as u32;
        }
        Some(Users(users))
    }

    fn have(&self, is_it: impl Fn(u32) -> bool) -> bool {
        self.0.iter().any(|&user| is_it(user))
    }
}

#[cfg(test)]
mod tests {
    use super::{Stat, Users};

    #[test]
    fn the_line_of_a_process() {
        let line = b"7 (a) b (c)) S 5 6 4 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 987 1 2";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.session), (7, 5, 4));
        assert_eq!((stat.threads, stat.began), (3, 987));
        assert!(!stat.holds_nothing());
    }

    #[test]
    fn the_kernels_and_the_dead_hold_nothing() {
        let of = |state: &str, flags: u64, threads: u64| {
            let line =
                format!("7 (x) {state} 2 0 0 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 {threads} 0 9");
            Stat::parse(line.as_bytes()).unwrap().holds_nothing()
        };
        assert!(of("S", 0x0020_8040, 1) && of("Z", 0x40_0000, 1));
        assert!(!of("S", 0x40_0000, 1));
        assert!(!of("Z", 0x40_0000, 2), "only its main thread has ended");
    }

    #[test]
    fn the_users_of_a_process() {
        let text = b"Name:\tUid:\nUmask:\t0022\nPPid:\t1\nUid:\t1000\t0\t7\t0\nGid:\t1\t1\t1\t1\n";
        assert_eq!(Users::parse(text).unwrap().0, [1000, 0, 7, 0]);
        assert!(Users::parse(b"Name:\tx\n").is_none());
    }
}
