//! Is a thread of the program blocked in a call on a descriptor?
//!
//! close() wakes nobody: a thread in accept() or in recv() on a datagram socket stays there, and a
//! listening port stays open as long. shutdown() would wake it, but hits everybody who holds the
//! socket, so the holders have to be looked for before, which is expensive. Most programs have
//! nobody who could be blocked, and /proc tells that cheaply: by one stat() where no other thread
//! is, by three calls for each one that is.

use super::sharing::Folder;
use crate::sys::unix::{
    close_raw, count_ours_and_this, process_generation, syscall, RawSocket, FD_SETSIZE,
};
use libc::c_int;
use std::ffi::CStr;

/// What /proc/PID/task/TID/syscall says in its first words: a number and its arguments.
const ROOM: usize = 64;

/// A thread may be blocked in a call on this descriptor. What cannot be read counts as one that
/// may be; without /proc there is no telling, and then nobody can say who holds it either.
pub(super) fn may_be(fd: RawSocket) -> bool {
    if !is_anybody_else() {
        return false;
    }
    let Ok(mut tasks) = Folder::open(libc::AT_FDCWD, c"/proc/self/task") else {
        return true;
    };
    let folder = tasks.number();
    loop {
        match tasks.next_number() {
            Ok(Some(task)) if is_blocked(folder, task, fd) => return true,
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// The program has other threads than the calling one.
pub(super) fn is_anybody_else() -> bool {
    // Threads of ours that were its parent's are not here.
    process_generation();
    // Those of ours, and the calling one.
    count_threads().is_some_and(|threads| threads > count_ours_and_this())
}

/// Of this process: the folder has a link for each, and two of its own.
fn count_threads() -> Option<usize> {
    // SAFETY: all zeroes is a valid stat to be overwritten.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let tasks = c"/proc/self/task";
    syscall!(libc::stat(tasks.as_ptr(), &mut stat)).ok()?;
    (stat.st_nlink as usize).checked_sub(2)
}

fn is_blocked(tasks: RawSocket, task: &CStr, fd: RawSocket) -> bool {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let folder = match syscall!(libc::openat(tasks, task.as_ptr(), flags)) {
        Ok(folder) => folder,
        // It has ended meanwhile.
        Err(fault) => return fault.code != libc::ENOENT,
    };
    let mut text = [0u8; ROOM];
    let got = read_file(folder, c"syscall", &mut text);
    let _ = close_raw(folder);
    match got {
        Ok(got) => is_call_on(text.get(..got).unwrap_or_default(), fd),
        Err(code) => code != libc::ENOENT && code != libc::ESRCH,
    }
}

fn read_file(folder: RawSocket, name: &CStr, into: &mut [u8; ROOM]) -> Result<usize, c_int> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let file = syscall!(libc::openat(folder, name.as_ptr(), flags)).map_err(|fault| fault.code)?;
    let got = syscall!(libc::read(file, into.as_mut_ptr().cast(), ROOM));
    let _ = close_raw(file);
    got.map(|got| got as usize).map_err(|fault| fault.code)
}

/// Whether such a call may be one on this descriptor.
fn is_call_on(text: &[u8], fd: RawSocket) -> bool {
    match first_argument(text) {
        // Upper halves may hold anything where an int is passed.
        Some(first) if first as u32 == fd as u32 => true,
        // It may have been moved since, from a number that is free now.
        Some(first) if fd >= FD_SETSIZE && first < FD_SETSIZE as u64 => {
            !is_open(first as RawSocket)
        }
        _ => false,
    }
}

fn is_open(fd: RawSocket) -> bool {
    syscall!(libc::fcntl(fd, libc::F_GETFD)).is_ok()
}

/// "45 0x7 0x7ffd..." is a recvfrom() on descriptor 7. Which call it is does not matter: those
/// that have a descriptor have it first. One that runs is in none.
fn first_argument(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let call = words.next().filter(|&call| call != "-1")?;
    let first = words.next()?.strip_prefix("0x")?;
    // SYS_socketcall on 32-bit x86: the descriptor lies in memory, behind the second argument.
    let is_hidden = cfg!(target_arch = "x86") && call == "102";
    u64::from_str_radix(first, 16).ok().filter(|_| !is_hidden)
}

#[cfg(test)]
mod tests {
    use super::{is_call_on, may_be};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    #[test]
    fn the_first_argument_counts() {
        assert!(is_call_on(b"45 0x7 0x7ffd2c 0x64 0x0", 7));
        assert!(!is_call_on(b"45 0x17 0x7 0x64 0x0", 7));
        assert!(!is_call_on(b"running\n", 7));
        assert!(!is_call_on(b"-1 0x7 0x0", 7));
        assert!(!is_call_on(b"", 7));
        assert!(
            is_call_on(b"45 0x3ff 0x0", 1024),
            "moved, and closed under its old number"
        );
        assert!(!is_call_on(b"45 0x0 0x0", 1024), "that number is open");
    }

    #[test]
    fn a_blocked_thread_is_seen() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = socket.as_raw_fd();
        std::thread::scope(|scope| {
            scope.spawn(|| socket.recv(&mut [0; 8]));
            let mut tries = 0;
            while !may_be(fd) && tries < 500 {
                std::thread::sleep(Duration::from_millis(2));
                tries += 1;
            }
            let seen = may_be(fd);
            let others_are = may_be(other.as_raw_fd());
            other.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            assert!(seen && !others_are);
        });
    }
}
