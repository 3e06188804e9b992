//! The system calls that the library makes, each safe to call from a signal handler.

use crate::raw::call;
use libc::{c_int, c_long};
use std::ffi::CStr;
use std::mem::size_of;
use std::sync::atomic::AtomicU32;

/// An `errno` number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub c_int);

pub fn result(value: isize) -> Result<usize, Error> {
    match value {
        -4095..=-1 => Err(Error(-value as c_int)),
        _ => Ok(value as usize),
    }
}

/// A call whose arguments are numbers only.
pub fn plain(number: c_long, a: usize, b: usize, c: usize) -> Result<usize, Error> {
    // SAFETY: the callers in this file pass no pointers through here; a bad number makes the
    // call fail.
    result(unsafe { call(number, [a, b, c, 0, 0, 0]) })
}

pub fn pid() -> c_int {
    plain(libc::SYS_getpid, 0, 0, 0).unwrap_or(0) as c_int
}

pub fn parent_pid() -> c_int {
    plain(libc::SYS_getppid, 0, 0, 0).unwrap_or(0) as c_int
}

pub fn thread_id() -> c_int {
    plain(libc::SYS_gettid, 0, 0, 0).unwrap_or(0) as c_int
}

pub fn end(status: c_int) {
    let _ = plain(libc::SYS_exit_group, status as usize, 0, 0);
}

pub fn close(fd: c_int) -> Result<usize, Error> {
    plain(libc::SYS_close, fd as usize, 0, 0)
}

/// A duplicate at `from` or above, close-on-exec.
pub fn duplicate_above(fd: c_int, from: c_int) -> Result<c_int, Error> {
    let command = libc::F_DUPFD_CLOEXEC as usize;
    plain(libc::SYS_fcntl, fd as usize, command, from as usize).map(|fd| fd as c_int)
}

pub fn descriptor_flags(fd: c_int) -> Result<usize, Error> {
    plain(libc::SYS_fcntl, fd as usize, libc::F_GETFD as usize, 0)
}

/// Of the open file: O_NONBLOCK and others.
pub fn flags(fd: c_int) -> Result<c_int, Error> {
    plain(libc::SYS_fcntl, fd as usize, libc::F_GETFL as usize, 0).map(|flags| flags as c_int)
}

/// Ends delivery of signals for it (O_ASYNC), which a duplicate would go on with.
pub fn end_signals(fd: c_int) {
    if let Ok(flags) = flags(fd) {
        if flags & libc::O_ASYNC != 0 {
            let flags = (flags & !libc::O_ASYNC) as usize;
            let _ = plain(libc::SYS_fcntl, fd as usize, libc::F_SETFL as usize, flags);
        }
    }
}

/// A socket with a name of its own in the abstract namespace; an error if it is taken. The name is
/// free again when the socket is closed, at the latest by the end of the process.
pub fn named_socket(name: &[u8]) -> Result<c_int, Error> {
    let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize;
    let fd = plain(libc::SYS_socket, libc::AF_UNIX as usize, kind, 0)? as c_int;
    // SAFETY: all zeroes is a valid address without a name.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // the first byte stays zero
    let room = address.sun_path.iter_mut().skip(1);
    for (to, from) in room.zip(name) {
        *to = *from as _;
    }
    let at = (&address as *const libc::sockaddr_un) as usize;
    let size = std::mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
    // SAFETY: so much of the address is filled, and it lives through the call.
    let bound = result(unsafe { call(libc::SYS_bind, [fd as usize, at, size, 0, 0, 0]) });
    if bound.is_err() {
        let _ = close(fd);
    }
    bound.map(|_| fd)
}

/// It tells of the system's sockets (man 7 sock_diag). Nothing waits there.
pub fn diagnosis_socket() -> Result<c_int, Error> {
    let kind = (libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as usize;
    let of_sockets = libc::NETLINK_SOCK_DIAG as usize;
    plain(
        libc::SYS_socket,
        libc::AF_NETLINK as usize,
        kind,
        of_sockets,
    )
    .map(|fd| fd as c_int)
}

pub fn shutdown(fd: c_int, how: c_int) -> Result<usize, Error> {
    plain(libc::SYS_shutdown, fd as usize, how as usize, 0)
}

/// Takes what has come in and throws it away, up to `most` bytes, without waiting.
pub fn discard(fd: c_int, most: usize) -> Result<usize, Error> {
    let flags = (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as usize;
    // SAFETY: with MSG_TRUNC the kernel writes nothing of a TCP stream, so that no buffer is
    // needed; the callers know that it is one.
    result(unsafe { call(libc::SYS_recvfrom, [fd as usize, 0, most, flags, 0, 0]) })
}

/// An option's value; how many bytes of it the kernel filled.
pub fn option<T: Copy>(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: &mut T,
) -> Result<usize, Error> {
    let mut size = size_of::<T>() as libc::socklen_t;
    let at = (value as *mut T) as usize;
    let size_at = (&mut size as *mut libc::socklen_t) as usize;
    // SAFETY: the kernel writes at most `size` bytes, which is the room that there is; the
    // callers use types for which every bit pattern is a value.
    let told = unsafe {
        call(
            libc::SYS_getsockopt,
            [fd as usize, level as usize, name as usize, at, size_at, 0],
        )
    };
    result(told).map(|_| size as usize)
}

/// Whether there is something to be read at this place of the memory. Asked by a call that reads a
/// set of signals before it refuses to do with it what there is no such thing as.
pub fn is_readable<T>(place: *const T) -> bool {
    let word = place as usize & !7;
    // SAFETY: the kernel reads 8 bytes, if they are there, and changes nothing.
    let told = unsafe { call(libc::SYS_rt_sigprocmask, [usize::MAX, word, 0, 8, 0, 0]) };
    word != 0 && told != -(libc::EFAULT as isize)
}

fn timespec(ms: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ms / 1000) as _,
        tv_nsec: (ms % 1000 * 1_000_000) as _,
    }
}

/// Milliseconds of the monotonic clock.
pub fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

pub fn now_ns() -> u64 {
    let mut time = timespec(0);
    // SAFETY: the C library fills the one timespec; it does so without a system call, which a
    // program that has confined itself may be refused.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Bytes that have come and were not read; bytes of ours that are not acknowledged.
pub fn unread(fd: c_int) -> u64 {
    queued(fd, libc::FIONREAD as usize)
}

pub fn unacknowledged(fd: c_int) -> u64 {
    queued(fd, libc::TIOCOUTQ as usize)
}

fn queued(fd: c_int, request: usize) -> u64 {
    let mut count: c_int = 0;
    let at = (&mut count as *mut c_int) as usize;
    // SAFETY: the kernel writes the one number.
    let told = result(unsafe { call(libc::SYS_ioctl, [fd as usize, request, at, 0, 0, 0]) });
    told.map_or(0, |_| count.max(0) as u64)
}

pub fn remove_from_epoll(epoll: c_int, fd: c_int) -> Result<usize, Error> {
    let remove = libc::EPOLL_CTL_DEL as usize;
    // SAFETY: no event is passed, as none is needed for this.
    result(unsafe {
        call(
            libc::SYS_epoll_ctl,
            [epoll as usize, remove, fd as usize, 0, 0, 0],
        )
    })
}

/// A timer: what has taken its number meanwhile refuses to be set, where a file of the program's
/// would take what is written.
pub fn new_bell() -> Result<c_int, Error> {
    let flags = (libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) as usize;
    let clock = libc::CLOCK_MONOTONIC as usize;
    plain(libc::SYS_timerfd_create, clock, flags, 0).map(|fd| fd as c_int)
}

pub fn ring(bell: c_int) {
    let mut now = libc::itimerspec {
        it_interval: timespec(0),
        it_value: timespec(0),
    };
    now.it_value.tv_nsec = 1;
    let at = (&now as *const libc::itimerspec) as usize;
    // SAFETY: the time lives through the call; the old one is not asked for.
    let _ = unsafe { call(libc::SYS_timerfd_settime, [bell as usize, 0, at, 0, 0, 0]) };
}

pub fn silence(bell: c_int) {
    let mut count = [0u8; 8];
    let _ = read(bell, &mut count);
}

pub fn write(fd: c_int, bytes: &[u8]) -> Result<usize, Error> {
    let at = bytes.as_ptr() as usize;
    // SAFETY: the bytes live through the call.
    result(unsafe { call(libc::SYS_write, [fd as usize, at, bytes.len(), 0, 0, 0]) })
}

pub fn read(fd: c_int, bytes: &mut [u8]) -> Result<usize, Error> {
    let at = bytes.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most so many bytes.
    result(unsafe { call(libc::SYS_read, [fd as usize, at, bytes.len(), 0, 0, 0]) })
}

/// From a place of the file; how many bytes there were.
pub fn read_at(fd: c_int, bytes: &mut [u8], place: u64) -> Result<usize, Error> {
    let at = bytes.as_mut_ptr() as usize;
    let arguments = [fd as usize, at, bytes.len(), place as usize, 0, 0];
    // SAFETY: the kernel writes at most so many bytes.
    result(unsafe { call(libc::SYS_pread64, arguments) })
}

/// Whether the process's user may do so with a file (R_OK, X_OK). Without the capabilities that a
/// user other than root has kept, and loses with exec().
pub fn access(path: &CStr, mode: c_int) -> Result<usize, Error> {
    let (folder, at) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
    // SAFETY: the path ends with a zero and lives through the call.
    result(unsafe { call(libc::SYS_faccessat, [folder, at, mode as usize, 0, 0, 0]) })
}

pub fn open_at(folder: c_int, path: &CStr, flags: c_int) -> Result<c_int, Error> {
    // a log says who has talked to whom: for its owner alone
    let mode = 0o600;
    let at = path.as_ptr() as usize;
    let flags = (flags | libc::O_CLOEXEC) as usize;
    // SAFETY: the path ends with a zero and lives through the call.
    result(unsafe { call(libc::SYS_openat, [folder as usize, at, flags, mode, 0, 0]) })
        .map(|fd| fd as c_int)
}

/// Where a link leads; how long that is.
pub fn read_link(folder: c_int, path: &CStr, room: &mut [u8]) -> Result<usize, Error> {
    let (path, at) = (path.as_ptr() as usize, room.as_mut_ptr() as usize);
    // SAFETY: as for open_at() and read().
    result(unsafe {
        call(
            libc::SYS_readlinkat,
            [folder as usize, path, at, room.len(), 0, 0],
        )
    })
}

/// Entries of a folder, as struct linux_dirent64.
pub fn read_folder(fd: c_int, room: &mut [u64]) -> Result<usize, Error> {
    let at = room.as_mut_ptr() as usize;
    let size = std::mem::size_of_val(room);
    // SAFETY: the kernel writes at most `size` bytes.
    result(unsafe { call(libc::SYS_getdents64, [fd as usize, at, size, 0, 0, 0]) })
}

/// The effective user.
pub fn user() -> u32 {
    plain(libc::SYS_geteuid, 0, 0, 0).unwrap_or(0) as u32
}

/// Whether the process has this thread.
pub fn is_thread(id: c_int) -> bool {
    plain(libc::SYS_tgkill, pid() as usize, id as usize, 0).is_ok()
}

/// Sleeps while the word has this value, at most so long.
pub fn sleep_while(word: &AtomicU32, value: u32, limit_ms: u64) {
    let limit = timespec(limit_ms);
    let at = (&limit as *const libc::timespec) as usize;
    let word = word.as_ptr() as usize;
    let wait = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the word and the limit live through the call.
    let _ = unsafe { call(libc::SYS_futex, [word, wait, value as usize, at, 0, 0]) };
}

pub fn wake_sleepers(word: &AtomicU32) {
    let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    let word = word.as_ptr() as usize;
    // SAFETY: the word lives through the call.
    let _ = unsafe { call(libc::SYS_futex, [word, wake, i32::MAX as usize, 0, 0, 0]) };
}

/// The soft limit of descriptor numbers.
pub fn descriptor_limit() -> u64 {
    limits(libc::RLIMIT_NOFILE as usize).rlim_cur
}

pub fn limits(which: usize) -> libc::rlimit64 {
    let mut limits = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let at = (&mut limits as *mut libc::rlimit64) as usize;
    // SAFETY: the kernel fills the one struct, and is given no new limits.
    let _ = unsafe { call(libc::SYS_prlimit64, [0, which, 0, at, 0, 0]) };
    limits
}

/// Names the calling thread for ps and top.
pub fn name_thread(name: &CStr) {
    let at = name.as_ptr() as usize;
    // SAFETY: the kernel reads at most 16 bytes, to the zero.
    let _ = unsafe {
        call(
            libc::SYS_prctl,
            [libc::PR_SET_NAME as usize, at, 0, 0, 0, 0],
        )
    };
}

/// The same memory as bytes.
pub fn bytes(words: &[u64]) -> &[u8] {
    // SAFETY: every byte of it is there, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// The address of the other end of a TCP connection, IPv4 mapped into IPv6.
pub fn peer(fd: c_int) -> Option<([u8; 16], u16)> {
    address(fd, libc::SYS_getpeername)
}

pub fn own_address(fd: c_int) -> Option<([u8; 16], u16)> {
    address(fd, libc::SYS_getsockname)
}

fn address(fd: c_int, number: c_long) -> Option<([u8; 16], u16)> {
    // SAFETY: all zeroes is a valid address of no family.
    let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    let at = (&mut address as *mut libc::sockaddr_in6) as usize;
    let size_at = (&mut size as *mut libc::socklen_t) as usize;
    // SAFETY: the kernel writes at most `size` bytes, which is the room that there is.
    result(unsafe { call(number, [fd as usize, at, size_at, 0, 0, 0]) }).ok()?;
    let port = u16::from_be(address.sin6_port);
    match c_int::from(address.sin6_family) {
        libc::AF_INET6 => Some((address.sin6_addr.s6_addr, port)),
        libc::AF_INET => {
            // sockaddr_in has its address where the other has the flow
            let mut mapped = [0u8; 16];
            mapped[10..12].copy_from_slice(&[0xff, 0xff]);
            mapped[12..].copy_from_slice(&address.sin6_flowinfo.to_ne_bytes());
            Some((mapped, port))
        }
        _ => None,
    }
}

pub fn close_range(first: u32, last: u32) -> Result<usize, Error> {
    plain(libc::SYS_close_range, first as usize, last as usize, 0)
}

/// Before Linux 5.9.
pub fn close_one_by_one(first: u32, last: u32) {
    let most = u64::from(last).min(descriptor_limit());
    for fd in u64::from(first)..=most {
        let _ = close(fd as c_int);
    }
}
