//! Who is still sending on a connection that the program closes. A thread in a call on it, or a request of io_uring,
//! holds the connection: after the system's close it sends to its end. Our half-close would cut it off.
//! (src/sys/linux/blocked.rs looks at threads in the same way, by functions of the C library; this may run in a signal
//! handler, and leaves errno alone.)

use crate::alone;
use crate::folder::{number, Folder};
use crate::signal_state;
use crate::sys;
use crate::waiting;
use libc::{c_int, c_long};
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The program uses io_uring, whose requests are nobody's call.
static IO_URING: AtomicBool = AtomicBool::new(false);

pub fn io_uring_in_use() {
    IO_URING.store(true, Relaxed);
}

pub fn is_io_uring_in_use() -> bool {
    IO_URING.load(Relaxed)
}

/// The look takes so many bytes of stack at most, with a margin.
const STACK: usize = 8 << 10;

/// Whether somebody may be, on a connection with so much in its buffer: segments that are not acknowledged, bytes that
/// are not sent yet. Whoever sends waits for room there; or there is some since a moment, and no processor for it.
pub fn is_any(fd: c_int, in_flight: u32, not_sent: u32) -> bool {
    let is_full = not_sent > 0 || in_flight > 0 && !has_room(fd);
    let may_look = || signal_state::has_room(STACK);
    is_full && (is_io_uring_in_use() || !may_look() || is_a_thread_in_a_call_on(fd))
}

fn has_room(fd: c_int) -> bool {
    waiting::events_now(fd, libc::POLLOUT).is_ok_and(|events| events != 0)
}

/// A look at a thread takes three system calls: a close is not held up for longer than some milliseconds. Of what is
/// behind these threads one may be.
const MOST_THREADS: usize = 1024;

/// Without /proc, or where the list of threads cannot be read, one may be. Where a thread cannot be looked at (after
/// setuid() they are root's) it may be in a call that waits; a call that does not wait holds the connection until it is
/// over (lock_sock() in tcp_sendmsg(), net/ipv4/tcp.c), and our half-close comes after it.
fn is_a_thread_in_a_call_on(fd: c_int) -> bool {
    let Ok(mut tasks) = Folder::open(libc::AT_FDCWD, c"/proc/self/task") else {
        return true;
    };
    let (folder, own) = (tasks.fd, sys::thread_id());
    let mut running = Running::default();
    let mut is_untold = false;
    let mut left = MOST_THREADS;
    loop {
        let task = match tasks.next() {
            Ok(Some(name)) => number(name).filter(|&task| task != own && !alone::is_ours(task)),
            Ok(None) => break,
            Err(_) => return true,
        };
        let Some(task) = task else {
            continue;
        };
        match doing_of(folder, task, fd) {
            Doing::Sends => return true,
            Doing::Else => {}
            Doing::Runs => running.add(task),
            Doing::Untold => is_untold = true,
        }
        left -= 1;
        is_untold |= left == 0;
        if left == 0 {
            break;
        }
    }
    waits_for_room(fd) && (is_untold || running.sends(folder, fd))
}

/// Whoever sends on it waits where there is no room.
fn waits_for_room(fd: c_int) -> bool {
    sys::flags(fd).map_or(true, |flags| flags & libc::O_NONBLOCK == 0)
}

/// What a thread is at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    /// In a call on the connection.
    Sends,
    Else,
    /// On a processor or waiting for one: in which call is not told.
    Runs,
    Untold,
}

/// Those that are looked at again: in a call that waits for room they sleep again soon. What goes on running works on
/// something else, as far as is known; so do those for which there is no place.
#[derive(Default)]
struct Running {
    tasks: [c_int; 32],
    count: usize,
}

/// After so many microseconds.
const LOOK_AGAIN_US: [u32; 4] = [50, 100, 200, 400];

impl Running {
    fn add(&mut self, task: c_int) {
        if let Some(place) = self.tasks.get_mut(self.count) {
            *place = task;
            self.count += 1;
        }
    }

    fn sends(mut self, folder: c_int, fd: c_int) -> bool {
        for pause in LOOK_AGAIN_US {
            if self.count == 0 {
                break;
            }
            waiting::wait_us(pause);
            let mut still = Running::default();
            for &task in self.tasks.iter().take(self.count) {
                match doing_of(folder, task, fd) {
                    Doing::Sends | Doing::Untold => return true,
                    Doing::Runs => still.add(task),
                    Doing::Else => {}
                }
            }
            self = still;
        }
        false
    }
}

/// `tasks`: the folder of the threads.
fn doing_of(tasks: c_int, task: c_int, fd: c_int) -> Doing {
    let mut text = [0u8; 160];
    match call_of(tasks, task, &mut text) {
        Ok(text) => match call(text) {
            Call::Runs => Doing::Runs,
            // the folder has the lowest number that was free
            Call::Is(number, argument) if is_on(number, argument, fd, tasks) => Doing::Sends,
            _ => Doing::Else,
        },
        // it has ended
        Err(sys::Error(libc::ENOENT | libc::ESRCH)) if !sys::is_thread(task) => Doing::Else,
        Err(_) => Doing::Untold,
    }
}

fn call_of(tasks: c_int, task: c_int, room: &mut [u8; 160]) -> Result<&[u8], sys::Error> {
    const FILE: &[u8; 9] = b"/syscall\0";
    let mut path = [0u8; 12 + FILE.len()];
    let mut digits = [0u8; 12];
    let name = crate::folder::decimal(task, &mut digits).to_bytes();
    path[..name.len()].copy_from_slice(name);
    path[name.len()..name.len() + FILE.len()].copy_from_slice(FILE);
    let path = CStr::from_bytes_until_nul(&path).unwrap_or_default();
    let file = sys::open_at(tasks, path, libc::O_RDONLY)?;
    let got = sys::read(file, room);
    let _ = sys::close(file);
    Ok(room.get(..got?).unwrap_or_default())
}

/// What proc(5) has in /proc/PID/syscall.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Runs,
    /// It sleeps, and not in a call that has a descriptor.
    None,
    /// The number of the call, and its descriptor.
    Is(c_long, c_int),
}

/// "running", or the number of the call and its arguments.
fn call(text: &[u8]) -> Call {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    if first == "running" {
        return Call::Runs;
    }
    let Ok(number) = first.parse() else {
        return Call::None;
    };
    let argument = words.nth(if number == libc::SYS_splice { 2 } else { 0 });
    let argument = argument.and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    argument.map_or(Call::None, |argument| Call::Is(number, argument as c_int))
}

const SENDING: [c_long; 7] = [
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendfile,
    libc::SYS_splice,
];

/// Or on another number of the connection, which has been closed since; `own` is a number of ours.
fn is_on(number: c_long, argument: c_int, fd: c_int, own: c_int) -> bool {
    let was_closed = || argument == own || sys::flags(argument).is_err();
    argument == fd || SENDING.contains(&number) && was_closed()
}

#[cfg(test)]
mod tests {
    use super::{call, is_on, Call};

    #[test]
    fn the_call_of_a_thread() {
        assert_eq!(call(b"running\n"), Call::Runs);
        assert_eq!(call(b""), Call::None);
        assert_eq!(
            call(b"44 0x6 0x5 0x5 0x5 0x5 0x5 0x7f 0x7f\n"),
            Call::Is(44, 6)
        );
        let splice = format!(
            "{} 0x5 0x0 0x6 0x0 0x1000 0x0 0x7f 0x7f\n",
            libc::SYS_splice
        );
        assert_eq!(call(splice.as_bytes()), Call::Is(libc::SYS_splice, 6));
    }

    #[test]
    fn a_call_on_a_number_that_is_closed_may_be_on_any_connection() {
        let (fd, open, own, closed) = (5, 0, 3, 1 << 20);
        assert!(is_on(libc::SYS_sendto, fd, fd, own));
        assert!(is_on(libc::SYS_recvfrom, fd, fd, own));
        assert!(!is_on(libc::SYS_sendto, open, fd, own));
        assert!(is_on(libc::SYS_sendto, closed, fd, own));
        assert!(is_on(libc::SYS_sendto, own, fd, own));
        assert!(
            !is_on(libc::SYS_wait4, closed, fd, own),
            "the number of a process"
        );
    }
}
