//! Are there processes that /proc does not even list? Those that the mount option
//! hidepid hides, and those outside of this PID namespace.

use super::folder::{namespace, number, status};
use super::kin::Kin;
use super::load;
use crate::connection::Fault;
use crate::sys::unix::{close_raw, fault, syscall, RawSocket};

/// linux/nsfs.h: the namespaces that the system has started with.
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// linux/capability.h
const CAPABILITIES: u32 = 0x2008_0522;
const CAP_SYS_PTRACE: u32 = 19;

/// Fails if somebody who holds a connection of ours may be among them. With hidepid
/// those are hidden whose descriptors may not be read: so whoever has seen one of these
/// sees all. `is_inherited`: one of them may have been there when the program began.
pub(super) fn check(
    proc: RawSocket,
    this: &[u8],
    is_inherited: bool,
    saw_unreadable: bool,
) -> Result<(), Fault> {
    let namespace = namespace(b"pid");
    let is_first = namespace == FIRST_PID_NAMESPACE;
    let hides = !is_first && (is_inherited || !shows_the_program(proc, this, namespace)?)
        || !saw_unreadable && !may_read_all() && has_hidepid(proc)?;
    match hides {
        false => Ok(()),
        true => Err(fault(libc::EACCES)),
    }
}

/// The process that loaded the program is in our PID namespace, or would be shown by this
/// /proc, which then is of one further out. What it did not hold then, those who started it
/// do not hold either: all that runs in a container has relations outside.
fn shows_the_program(proc: RawSocket, this: &[u8], namespace: u64) -> Result<bool, Fault> {
    Ok(load::pid_namespace() == namespace || Kin::of(proc, this)?.oldest < load::began())
}

/// Root, as long as it has not been fenced in: nothing is hidden from it.
fn may_read_all() -> bool {
    let header = [CAPABILITIES, 0];
    // Two sets of effective, permitted and inheritable ones, each a half of the bits.
    let mut sets = [0u32; 6];
    let got = syscall!(libc::syscall(
        libc::SYS_capget,
        header.as_ptr(),
        sets.as_mut_ptr()
    ));
    got.is_ok()
        && sets[0] & (1 << CAP_SYS_PTRACE) != 0
        && namespace(b"user") == FIRST_USER_NAMESPACE
}

/// Whether this /proc is mounted with hidepid: its line among the mounts says so.
fn has_hidepid(proc: RawSocket) -> Result<bool, Fault> {
    let device = status(proc, c".")?.st_dev;
    let device = (libc::major(device) as u64, libc::minor(device) as u64);
    let mut lines = Lines::open()?;
    let mut answer = Err(fault(libc::ENOENT));
    while let Some(line) = lines.next()? {
        if of_device(line) == Some(device) {
            if is_hiding(line) {
                return Ok(true);
            }
            answer = Ok(false);
        }
    }
    answer
}

/// The third word of a line of /proc/self/mountinfo, major:minor.
fn of_device(line: &[u8]) -> Option<(u64, u64)> {
    let word = line.split(|&byte| byte == b' ').nth(2)?;
    let colon = word.iter().position(|&byte| byte == b':')?;
    Some((number(word), number(&word[colon + 1..])))
}

/// "hidepid=2" or, from Linux 5.8 on, "hidepid=invisible"; not "0" or "off".
fn is_hiding(line: &[u8]) -> bool {
    let options = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let mut options = options.split(|&byte| byte == b',');
    let value = options.find_map(|option| option.strip_prefix(b"hidepid="));
    value.is_some_and(|value| value != b"0" && value != b"off")
}

/// The lines of /proc/self/mountinfo. A longer one than there is room for is given in
/// pieces; that of a /proc is short.
struct Lines {
    fd: RawSocket,
    room: [u8; 2048],
    at: usize,
    end: usize,
}

impl Lines {
    fn open() -> Result<Lines, Fault> {
        let path = c"/proc/thread-self/mountinfo";
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        let fd = syscall!(libc::openat(libc::AT_FDCWD, path.as_ptr(), flags))?;
        Ok(Lines {
            fd,
            room: [0; 2048],
            at: 0,
            end: 0,
        })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Fault> {
        let mut length = self.line();
        while length.is_none() && self.fill()? {
            length = self.line();
        }
        let from = self.at;
        let to = length.map_or(self.end, |length| from + length);
        self.at = (to + 1).min(self.end);
        Ok((from < to).then(|| &self.room[from..to]))
    }

    /// The length of the next line, if all of it is there.
    fn line(&self) -> Option<usize> {
        let rest = &self.room[self.at..self.end];
        rest.iter().position(|&byte| byte == b'\n')
    }

    /// Reads on; whether there was more, and room for it.
    fn fill(&mut self) -> Result<bool, Fault> {
        self.room.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        let room = &mut self.room[self.end..];
        if room.is_empty() {
            return Ok(false);
        }
        let more = syscall!(libc::read(self.fd, room.as_mut_ptr().cast(), room.len()))? as usize;
        self.end += more;
        Ok(more > 0)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = close_raw(self.fd);
    }
}

#[cfg(test)]
mod tests {
    use super::{is_hiding, of_device, Lines};

    #[test]
    fn what_the_line_of_a_mount_says() {
        let of = |options: &str| format!("22 27 0:21 / /proc rw,relatime - proc proc {options}");
        assert_eq!(of_device(of("rw").as_bytes()), Some((0, 21)));
        for (options, hides) in [
            ("rw", false),
            ("rw,hidepid=off", false),
            ("rw,hidepid=0,gid=5", false),
            ("rw,gid=5,hidepid=2", true),
            ("rw,hidepid=invisible", true),
            ("rw,hidepid=ptraceable,subset=pid", true),
        ] {
            assert_eq!(is_hiding(of(options).as_bytes()), hides, "{options}");
        }
    }

    #[test]
    fn all_lines_are_read() {
        let mut lines = Lines::open().unwrap();
        let mut count = 0;
        while let Some(line) = lines.next().unwrap() {
            assert!(of_device(line).is_some());
            count += 1;
        }
        let text = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert_eq!(count, text.lines().count());
    }
}
