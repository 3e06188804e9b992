//! Is a thread of the program blocked in a call on a descriptor?
//!
//! close() wakes nobody: a thread in accept() or in recv() on a datagram socket stays there, and a
//! listening port stays open as long. shutdown() would wake it, but hits everybody who holds the
//! socket, so the holders have to be looked for before, which is expensive. Most programs have
//! nobody who could be blocked, and /proc tells that cheaply: by one stat() where no other thread
//! is, by three calls for each one that is.

use super::sharing::{Folder, Room};
use crate::sys::unix::{
    close_raw, count_ours_and_this, process_generation, syscall, RawSocket, FD_SETSIZE,
};
use libc::c_int;
use std::ffi::CStr;
use std::mem::size_of;

/// What /proc/PID/task/TID/syscall says in its first words: a number and its arguments.
const ROOM: usize = 64;

/// SYS_socketcall, where the C library calls accept() and recv() by way of it: its second argument is
/// the address of theirs. (glibc does so wherever Linux has had both ways only since 4.3.)
const SOCKETCALL: Option<&str> = if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    Some("206")
} else if cfg!(any(
    target_arch = "x86",
    target_arch = "s390x",
    target_arch = "m68k",
    target_arch = "powerpc",
    target_arch = "powerpc64"
)) {
    Some("102")
} else {
    None
};

/// A thread may be blocked in a call on this descriptor. What cannot be read counts as one that
/// may be; without /proc there is no telling, and then nobody can say who holds it either.
pub(super) fn may_be(fd: RawSocket) -> bool {
    if !is_anybody_else() {
        return false;
    }
    let Ok(tasks) = Folder::open(libc::AT_FDCWD, c"/proc/self/task") else {
        return true;
    };
    let folder = tasks.number();
    let mut room = Room::new();
    let mut names = tasks.names(&mut room);
    loop {
        match names.next_number() {
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
    let answer = match read_file(folder, c"syscall", &mut text) {
        Ok(got) => {
            let text = text.get(..got).unwrap_or_default();
            is_call_on(first_argument(text, SOCKETCALL), fd, |address| {
                word_at(folder, address)
            })
        }
        Err(code) => code != libc::ENOENT && code != libc::ESRCH,
    };
    let _ = close_raw(folder);
    answer
}

fn read_file(folder: RawSocket, name: &CStr, into: &mut [u8; ROOM]) -> Result<usize, c_int> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let file = syscall!(libc::openat(folder, name.as_ptr(), flags)).map_err(|fault| fault.code)?;
    let got = syscall!(libc::read(file, into.as_mut_ptr().cast(), ROOM));
    let _ = close_raw(file);
    got.map(|got| got as usize).map_err(|fault| fault.code)
}

/// A word of this process's memory. By way of /proc: that thread may have gone on meanwhile, and its
/// stack may be there no longer.
fn word_at(thread: RawSocket, address: u64) -> Option<u64> {
    let mut word = 0usize;
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let file = syscall!(libc::openat(thread, c"mem".as_ptr(), flags)).ok()?;
    let into = std::ptr::from_mut(&mut word).cast();
    let got = syscall!(libc::pread64(
        file,
        into,
        size_of::<usize>(),
        address as i64
    ));
    let _ = close_raw(file);
    (got.ok()? as usize == size_of::<usize>()).then_some(word as u64)
}

/// Whether a call with this first argument may be one on this descriptor.
fn is_call_on(first: First, fd: RawSocket, word_at: impl Fn(u64) -> Option<u64>) -> bool {
    match first {
        First::None => false,
        First::Is(number) => may_mean(number, fd),
        First::At(address) => word_at(address).map_or(true, |number| may_mean(number, fd)),
    }
}

fn may_mean(number: u64, fd: RawSocket) -> bool {
    // Upper halves may hold anything where an int is passed.
    number as u32 == fd as u32
        // It may have been moved since, from a number that is free now.
        || fd >= FD_SETSIZE && number < FD_SETSIZE as u64 && !is_open(number as RawSocket)
}

fn is_open(fd: RawSocket) -> bool {
    syscall!(libc::fcntl(fd, libc::F_GETFD)).is_ok()
}

/// The first argument of the call that a thread is in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    /// The thread runs, or the call has no argument.
    None,
    Is(u64),
    /// It lies in memory.
    At(u64),
}

/// "45 0x7 0x7ffd..." is a recvfrom() on descriptor 7. Which call it is does not matter: those
/// that have a descriptor have it first. One that runs is in none. "102 0xa 0xffd0..." is a recv() by
/// way of socketcall(2).
fn first_argument(text: &[u8], socketcall: Option<&str>) -> First {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let call = words.next().filter(|&call| call != "-1");
    let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    match (call, argument()) {
        (None, _) | (_, None) => First::None,
        (Some(_), Some(_)) if call == socketcall => argument().map_or(First::None, First::At),
        (Some(_), Some(first)) => First::Is(first),
    }
}

#[cfg(test)]
mod tests {
    use super::{first_argument, is_call_on, may_be, word_at, First};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    #[test]
    fn the_first_argument_counts() {
        let is_on = |text: &[u8], fd| is_call_on(first_argument(text, None), fd, |_| None);
        assert!(is_on(b"45 0x7 0x7ffd2c 0x64 0x0", 7));
        assert!(!is_on(b"45 0x17 0x7 0x64 0x0", 7));
        assert!(!is_on(b"running\n", 7));
        assert!(!is_on(b"-1 0x7 0x0", 7));
        assert!(!is_on(b"", 7));
        assert!(
            is_on(b"45 0x3ff 0x0", 1024),
            "moved, and closed under its old number"
        );
        assert!(!is_on(b"45 0x0 0x0", 1024), "that number is open");
    }

    #[test]
    fn arguments_that_lie_in_memory_are_fetched() {
        let first = first_argument(b"102 0xa 0xffd0 0x0", Some("102"));
        assert_eq!(first, First::At(0xffd0));
        let of_seven = |address| (address == 0xffd0).then_some(7);
        assert!(is_call_on(first, 7, of_seven));
        assert!(!is_call_on(first, 10, of_seven), "which call it is");
        assert!(is_call_on(first, 8, |_| None), "what cannot be read may be");
        let other = first_argument(b"45 0x7 0xffd0 0x0", Some("102"));
        assert_eq!(other, First::Is(7));
    }

    #[test]
    fn a_word_of_our_own_memory() {
        let folder = std::fs::File::open("/proc/thread-self").unwrap();
        let word = std::hint::black_box(0x1234_5678_usize);
        let address = std::ptr::from_ref(&word) as u64;
        assert_eq!(word_at(folder.as_raw_fd(), address), Some(0x1234_5678));
        assert_eq!(word_at(folder.as_raw_fd(), 8), None);
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
