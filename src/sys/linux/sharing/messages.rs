//! Descriptors that are under way in a message (SCM_RIGHTS, unix(7)): no process has a number for
//! them. The kernel tells how many wait at each receiving socket (net/unix/af_unix.c,
//! unix_show_fdinfo(); Linux 5.10).

use super::folder::{self, Folder, Path, Room};
use super::{has_ended, is_forbidden, other, spare, FAIR};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Fault;
use crate::sys::unix::RawSocket;
use std::ffi::CStr;
use std::time::Duration;

/// Most messages are received at once: so long it is waited for those of others.
const PAUSES_MS: [u64; 3] = [1, 4, 16];

/// Whether one may be, on its way to a process that lets itself be looked at. What cannot be found
/// out, or not in a fair time, may be.
pub(in super::super) fn are_under_way() -> bool {
    let until = SystemClock.now().plus(FAIR);
    PAUSES_MS.iter().all(|&pause| {
        let may_be = may_be_under_way(until);
        if may_be {
            std::thread::sleep(Duration::from_millis(pause));
        }
        may_be
    }) && may_be_under_way(until)
}

fn may_be_under_way(until: Time) -> bool {
    match look(until) {
        Err(refused) if refused.code == libc::EMFILE => {
            let mut may_be = true;
            let _ = spare::with_other_table(refused, |_| {
                may_be = look(until)?;
                Ok(())
            });
            may_be
        }
        looked => looked.unwrap_or(true),
    }
}

fn look(until: Time) -> Result<bool, Fault> {
    let processes = Folder::open(libc::AT_FDCWD, c"/proc")?;
    let (mut names, mut room) = (Room::new(), Room::new());
    let mut names = processes.names(&mut names);
    while let Some(process) = names.next_number()? {
        match wait_at_one_of(processes.number(), process, &mut room, until) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(refused) if has_ended(refused) || is_forbidden(refused) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(false)
}

/// At a socket of this process.
fn wait_at_one_of(
    proc: RawSocket,
    process: &CStr,
    room: &mut Room,
    until: Time,
) -> Result<bool, Fault> {
    let path = Path::new(&[process.to_bytes(), b"/fdinfo"]);
    let infos = Folder::open(proc, path.as_c_str())?;
    let mut names = infos.names(room);
    while let Some(name) = names.next_number()? {
        let mut text = [0; 256];
        match folder::read(infos.number(), name, &mut text) {
            Ok(text) if has_descriptors(text) => return Ok(true),
            _ if SystemClock.now() >= until => return Err(other(libc::ETIMEDOUT)),
            _ => {}
        }
    }
    Ok(false)
}

/// "scm_fds: 1", in a line of its own.
fn has_descriptors(info: &[u8]) -> bool {
    let mut lines = info.split(|&byte| byte == b'\n');
    let count = lines.find_map(|line| line.strip_prefix(b"scm_fds: "));
    count.map_or(0, folder::number) > 0
}

#[cfg(test)]
#[test]
fn what_the_kernel_says_of_a_socket() {
    assert!(has_descriptors(b"pos:\t0\nflags:\t02\nscm_fds: 12\n"));
    assert!(!has_descriptors(b"pos:\t0\nflags:\t02\nscm_fds: 0\n"));
    assert!(!has_descriptors(b"pos:\t0\nflags:\t02\n"));
}
