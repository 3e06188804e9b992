//! What /proc says of a process.

use super::folder::{number, read, status, Path};
use crate::connection::Fault;
use crate::sys::unix::{fault, RawSocket};
use std::ffi::CStr;

/// include/linux/sched.h, PF_KTHREAD: shown in /proc/PID/stat.
const OF_THE_KERNEL: u64 = 0x0020_0000;

/// What /proc/PID/stat says (proc_pid_stat(5)).
#[derive(Clone, Copy)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) has_ended: bool,
    pub(super) parent: u32,
    pub(super) session: u64,
    pub(super) flags: u64,
    pub(super) threads: u64,
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

    pub(super) fn of_number(proc: RawSocket, pid: u32) -> Result<Stat, Fault> {
        Stat::of(proc, Path::with_number(b"", pid, b"").as_c_str().to_bytes())
    }

    pub(super) fn parse(text: &[u8]) -> Option<Stat> {
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
    pub(super) fn holds_nothing(&self) -> bool {
        self.flags & OF_THE_KERNEL != 0 || (self.has_ended && self.threads <= 1)
    }
}

/// Real, effective, saved and file system user of a process.
pub(super) struct Users([u32; 4]);

impl Users {
    pub(super) fn of(proc: RawSocket, process: &CStr) -> Result<Users, Fault> {
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

    pub(super) fn parse(text: &[u8]) -> Option<Users> {
        let mut lines = text.split(|&byte| byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(b"Uid:\t"))?;
        let mut users = [0; 4];
        let mut words = line.split(|&byte| byte == b'\t');
        for user in &mut users {
            *user = number(words.next()?) as u32;
        }
        Some(Users(users))
    }

    pub(super) fn have(&self, is_it: impl Fn(u32) -> bool) -> bool {
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
