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

use super::folder::{read, Path};
use super::load;
use super::sought::Sought;
use super::stat::{Stat, Users};
use crate::connection::Fault;
use crate::sys::unix::{fault, RawSocket};
use std::ffi::CStr;

/// Longer lines of ancestors than this are not followed.
const GENERATIONS: usize = 48;

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
