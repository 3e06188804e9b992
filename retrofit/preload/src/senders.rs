//! Who is still sending on a connection that the program closes. A thread in a call on it, or a request of io_uring,
//! holds the connection: after the system's close it sends to its end. Our half-close would cut it off.
//! (src/sys/linux/blocked.rs looks at threads in the same way, by functions of the C library; this may run in a signal
//! handler, and leaves errno alone.)

use crate::folder::{number, Folder};
use crate::sys;
use crate::waiting;
use libc::c_int;
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

/// Whether somebody may be, on a connection with so much in its buffer: segments that are not acknowledged, bytes that
/// are not sent yet. Whoever sends waits for room there; or there is some since a moment, and no processor for it.
pub fn is_any(fd: c_int, in_flight: u32, not_sent: u32) -> bool {
    let is_full = not_sent > 0 || in_flight > 0 && !has_room(fd);
    is_full && (is_io_uring_in_use() || is_a_thread_in_a_call_on(fd))
}

fn has_room(fd: c_int) -> bool {
    waiting::events_now(fd, libc::POLLOUT).is_ok_and(|events| events != 0)
}

/// Without /proc, or where the list of threads cannot be read, one may be.
fn is_a_thread_in_a_call_on(fd: c_int) -> bool {
    let Ok(mut tasks) = Folder::open(libc::AT_FDCWD, c"/proc/self/task") else {
        return true;
    };
    let (folder, own) = (tasks.fd, sys::thread_id());
    loop {
        let is_other = |name| number(name).is_some_and(|task| task != own);
        match tasks.next() {
            Ok(Some(name)) if is_other(name) && is_in_a_call_on(folder, name, fd) => return true,
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// So often, and after so many microseconds, it is looked again at a thread that is running: in a call that waits for
/// room it sleeps again soon. One that goes on running works on something else, as far as is known.
const LOOKS: usize = 4;
const PAUSE_US: u32 = 50;

fn is_in_a_call_on(tasks: c_int, task: &CStr, fd: c_int) -> bool {
    let Ok(folder) = sys::open_at(tasks, task, libc::O_PATH | libc::O_DIRECTORY) else {
        return false;
    };
    let mut is_in = false;
    for _ in 0..LOOKS {
        let mut text = [0u8; 160];
        match call_of(folder, &mut text).map(|text| is_on(text, fd)) {
            Some(None) => waiting::wait_us(PAUSE_US),
            answer => {
                is_in = answer.flatten().unwrap_or(false);
                break;
            }
        }
    }
    let _ = sys::close(folder);
    is_in
}

/// Of a thread that has ended: nothing.
fn call_of(folder: c_int, room: &mut [u8; 160]) -> Option<&[u8]> {
    let file = sys::open_at(folder, c"syscall", libc::O_RDONLY).ok()?;
    let got = sys::read(file, room);
    let _ = sys::close(file);
    room.get(..got.ok()?)
}

/// proc(5), /proc/PID/syscall: "running", or the number of the call and its arguments. `None`: it is running.
fn is_on(text: &[u8], fd: c_int) -> Option<bool> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    if first == "running" {
        return None;
    }
    let is_splice = first.parse() == Ok(libc::SYS_splice);
    let argument = words.nth(if is_splice { 2 } else { 0 });
    let argument = argument.and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    Some(argument.is_some_and(|argument| argument as c_int == fd))
}

#[cfg(test)]
mod tests {
    use super::is_on;

    #[test]
    fn the_call_of_a_thread() {
        assert_eq!(is_on(b"running\n", 5), None);
        assert_eq!(is_on(b"-1 0x7ffe 0x7f00\n", 5), Some(false));
        assert_eq!(
            is_on(b"44 0x5 0x7f 0x800000 0x0 0x0 0x0 0x7f 0x7f\n", 5),
            Some(true)
        );
        assert_eq!(
            is_on(b"44 0x6 0x5 0x5 0x5 0x5 0x5 0x7f 0x7f\n", 5),
            Some(false)
        );
        let splice = format!(
            "{} 0x5 0x0 0x6 0x0 0x1000 0x0 0x7f 0x7f\n",
            libc::SYS_splice
        );
        assert_eq!(is_on(splice.as_bytes(), 6), Some(true));
        assert_eq!(is_on(splice.as_bytes(), 5), Some(false));
    }
}
