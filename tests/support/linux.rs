//! What Linux tells about a socket and a thread.

use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, RawFd};

pub const LAST_ACK: u8 = 9;
pub const CLOSING: u8 = 11;

/// tcpi_state.
pub fn tcp_state(of: &impl AsRawFd) -> u8 {
    tcp_state_of(of.as_raw_fd())
}

pub fn tcp_state_of(fd: RawFd) -> u8 {
    let mut state = [0u8; 8];
    let mut size = size_of_val(&state) as libc::socklen_t;
    // SAFETY: as many writable bytes as the size says.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            state.as_mut_ptr().cast(),
            &mut size,
        )
    };
    assert_eq!(result, 0, "TCP_INFO");
    state[0]
}

pub fn socket_option(of: &impl AsRawFd, name: i32) -> i32 {
    let (mut value, mut size) = (0i32, size_of::<i32>() as libc::socklen_t);
    let place = (&mut value as *mut i32).cast();
    // SAFETY: as many writable bytes as the size says.
    let result =
        unsafe { libc::getsockopt(of.as_raw_fd(), libc::SOL_SOCKET, name, place, &mut size) };
    assert_eq!(result, 0, "getsockopt");
    value
}

pub fn set_socket_option(of: &impl AsRawFd, name: i32, value: i32) {
    set_option(of, libc::SOL_SOCKET, name, value);
}

pub fn set_tcp_option(of: &impl AsRawFd, name: i32, value: i32) {
    set_option(of, libc::IPPROTO_TCP, name, value);
}

fn set_option(of: &impl AsRawFd, level: i32, name: i32, value: i32) {
    let (place, size) = ((&value as *const i32).cast(), size_of::<i32>());
    // SAFETY: as many readable bytes as the size says.
    let result =
        unsafe { libc::setsockopt(of.as_raw_fd(), level, name, place, size as libc::socklen_t) };
    assert_eq!(result, 0, "setsockopt");
}

/// Bytes that have arrived and are not read yet.
pub fn unread(of: &impl AsRawFd) -> usize {
    let mut bytes = 0i32;
    // SAFETY: the request writes one int.
    let result = unsafe { libc::ioctl(of.as_raw_fd(), libc::FIONREAD, &mut bytes) };
    assert_eq!(result, 0, "FIONREAD");
    bytes as usize
}

/// What the other end of a Unix socket has not read yet, in memory that it takes.
pub fn unread_by_peer(of: &impl AsRawFd) -> usize {
    let mut bytes = 0i32;
    // SAFETY: the request writes one int.
    let result = unsafe { libc::ioctl(of.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    assert_eq!(result, 0, "TIOCOUTQ");
    bytes as usize
}

/// Of the calling thread: how often it slept, and its processor time in us.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub sleeps: i64,
    pub processor_us: i64,
}

impl Usage {
    pub fn now() -> Usage {
        // SAFETY: getrusage fills the struct.
        let usage: libc::rusage = unsafe {
            let mut usage = zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
            usage
        };
        let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
        Usage {
            sleeps: usage.ru_nvcsw,
            processor_us: micros(usage.ru_utime) + micros(usage.ru_stime),
        }
    }

    pub fn since(self, before: Usage) -> Usage {
        Usage {
            sleeps: self.sleeps - before.sleeps,
            processor_us: self.processor_us - before.processor_us,
        }
    }
}
