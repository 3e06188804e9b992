//! Which threads the process has besides ours, without a number of a descriptor that the program
//! could miss.

use crate::files;
use crate::process;
use crate::sys;
use crate::waiting;
use libc::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::sync::OnceLock;

/// The number of our thread that was started last, which may have ended; or one of these.
static OURS: AtomicI32 = AtomicI32::new(NONE);
const NONE: c_int = 0;
const STARTING: c_int = -1;
/// The program's first thread has ended, and others were there then.
static OUTLIVED: AtomicBool = AtomicBool::new(false);

/// The number of the thread that the program has started last, which may have ended. Not the first one,
/// which is called a thread also when it has ended.
static LATEST: AtomicI32 = AtomicI32::new(NONE);

/// By a thread that the program has started.
pub fn thread_begins() {
    LATEST.store(sys::thread_id(), SeqCst);
}

pub fn is_ours(thread: c_int) -> bool {
    OURS.load(SeqCst) == thread
}

/// One of ours is about to be started.
pub fn our_thread_is_started() {
    OURS.store(STARTING, SeqCst);
}

/// It could not be.
pub fn our_thread_is_not_there() {
    OURS.store(NONE, SeqCst);
}

/// By itself; its number.
pub fn our_thread_begins() -> c_int {
    let number = sys::thread_id();
    OURS.store(number, SeqCst);
    number
}

/// A thread that is being started has its number after that at the latest.
const PATIENCE_MS: u64 = 200;

/// Whether one of ours is there besides the calling thread.
fn have_we_one() -> bool {
    let until = sys::now_ms() + PATIENCE_MS;
    while OURS.load(SeqCst) == STARTING && sys::now_ms() < until {
        waiting::wait_us(100);
    }
    let ours = OURS.load(SeqCst);
    ours > 0 && ours != sys::thread_id() && sys::is_thread(ours)
}

/// Until the one of ours that was started last has ended.
pub fn wait_for_our_thread() {
    let until = sys::now_ms() + PATIENCE_MS;
    while sys::is_thread(OURS.load(SeqCst)) && sys::now_ms() < until {
        waiting::wait_us(100);
    }
}

/// Its entry stays until the last thread has ended, without memory (exit_mm() in kernel/exit.c),
/// and so without a file that it runs.
fn is_first_gone() -> bool {
    if sys::thread_id() == sys::pid() {
        return false;
    }
    let link = sys::read_link(libc::AT_FDCWD, c"/proc/self/exe", &mut [0; 1]);
    link == Err(sys::Error(libc::ENOENT))
}

/// Of this process, the first one included even if it has ended: the folder has a link for each,
/// and two of its own.
fn count_threads() -> Option<usize> {
    files::links(c"/proc/self/task")?.checked_sub(2)
}

/// The program may have threads besides the calling one. Mostly the latest tells, by one system
/// call: behind the exit handlers each moment counts. Without /proc unshare(2) tells: it has nothing
/// to do for a process with one thread, and is refused to one with several.
pub fn may_have_others() -> bool {
    let latest = LATEST.load(SeqCst);
    let is_another = latest != NONE && latest != sys::thread_id() && !is_ours(latest);
    if is_another && sys::is_thread(latest) {
        return true;
    }
    // counted first: one of ours that ends meanwhile is one of the program's then, at worst
    let count = count_threads();
    let ours = usize::from(have_we_one());
    match count {
        Some(count) => count > 1 + ours && count > 1 + ours + usize::from(is_first_gone()),
        None => sys::plain(libc::SYS_unshare, libc::CLONE_THREAD as usize, 0, 0).is_err(),
    }
}

/// For our own thread: what wait() would say of the program's first thread, when there is nobody
/// else any more. The process would have ended with it, and the system takes the status of the last
/// thread (synchronize_group_exit() in kernel/exit.c), which is ours.
#[inline(never)]
fn left_with_status() -> Option<c_int> {
    if !process::is_awake() || !is_first_gone() {
        return None;
    }
    if count_threads()? > 2 {
        OUTLIVED.store(true, SeqCst);
        return None;
    }
    let file = sys::open_at(libc::AT_FDCWD, c"/proc/self/stat", libc::O_RDONLY).ok()?;
    let mut text = [0; 1024];
    let count = sys::read(file, &mut text);
    let _ = sys::close(file);
    let status = status_of_ended(text.get(..count.ok()?)?)?;
    // what has ended last is another one, whose status nobody tells: usually 0
    Some(if OUTLIVED.load(SeqCst) { 0 } else { status })
}

/// Is told what wait() would say of the program's first thread.
static END: OnceLock<fn(c_int)> = OnceLock::new();

/// What our own thread is to do when the program's threads have all ended.
pub fn ends_with(end: fn(c_int)) {
    let _ = END.set(end);
}

/// For our own thread, when it has nothing to drive: whether they have, and that has been done.
pub fn ends_the_process() -> bool {
    let status = left_with_status();
    if let (Some(status), Some(end)) = (status, END.get()) {
        end(status);
    }
    status.is_some()
}

/// Whether there is anybody else, looked up from time to time.
#[derive(Default)]
pub struct Checks {
    next_ms: u64,
}

impl Checks {
    pub const BETWEEN_MS: u64 = 250;

    pub fn find_nobody(&mut self, now: u64) -> bool {
        let is_time = self.next_ms <= now;
        if is_time {
            self.next_ms = now + Self::BETWEEN_MS;
        }
        is_time && left_with_status().is_some()
    }
}

/// In a forked child: its first thread is the one that has called fork().
pub fn after_fork_in_child() {
    OUTLIVED.store(false, SeqCst);
    OURS.store(NONE, SeqCst);
    LATEST.store(NONE, SeqCst);
}

/// proc_pid_stat(5): "7 (name) Z ...", the name with any characters; the status is the last word.
fn status_of_ended(text: &[u8]) -> Option<c_int> {
    let name_end = text.iter().rposition(|byte| *byte == b')')?;
    let (mut status, mut digit_is) = (0, 1);
    for byte in text.trim_ascii_end().iter().rev() {
        match byte {
            b'0'..=b'9' => status += c_int::from(byte - b'0') * digit_is,
            _ => break,
        }
        digit_is *= 10;
    }
    (text.get(name_end + 2) == Some(&b'Z')).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::status_of_ended;

    #[test]
    fn the_status_of_one_that_has_ended() {
        assert_eq!(status_of_ended(b"7 (a) Z 1 2 1792\n"), Some(7 << 8));
        assert_eq!(status_of_ended(b"7 (a) S 9) Z 1 2 0\n"), Some(0));
        assert_eq!(status_of_ended(b"7 (a) S 1 2 1792\n"), None);
        assert_eq!(status_of_ended(b"7 (a"), None);
    }
}
