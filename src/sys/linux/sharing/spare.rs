//! Looking while the program has no descriptor to spare, which is when it needs its
//! closes most. Keeping some in reserve would take them from the program, and a daemon
//! that closes all numbers there are would take them from us; raising RLIMIT_NOFILE for
//! a moment would give other threads numbers above FD_SETSIZE. So a thread looks that
//! has a descriptor table of its own, and an empty one: the limit counts in each table
//! by itself.

use super::folder::{link, Folder, Path};
use crate::connection::Fault;
use crate::sys::room::boxed;
use crate::sys::unix::{fault, process_generation, syscall, Thread, BORROWED};
use std::panic::{catch_unwind, AssertUnwindSafe};

const STACK: usize = 64 * 1024;

/// linux/close_range.h. The new table is made without what would be closed in it at
/// once (but for the first 64 numbers, whose copies live for some microseconds, as in
/// every child that closes what it has inherited). Linux 5.9.
const CLOSE_RANGE_UNSHARE: libc::c_uint = 2;
const SYS_CLOSE_RANGE: libc::c_long = 436;

/// What is handed to the thread, and back.
struct Task<F> {
    look: Option<F>,
    /// The folder of the caller's descriptors.
    own: Path,
    result: Result<(), Fault>,
}

/// Has `look` done by a thread with an empty descriptor table, which is given the folder
/// of the caller's descriptors. If that cannot be had, nothing is to be seen: `refused`.
pub(super) fn with_other_table<F>(refused: Fault, look: F) -> Result<(), Fault>
where
    F: FnOnce(Folder) -> Result<(), Fault> + Send,
{
    // A child of vfork() has the memory of its parent, whose threads these would be.
    if process_generation() == BORROWED {
        return Err(refused);
    }
    // Not gettid(): that may be another number where /proc is of an outer PID namespace.
    let mut caller = [0; 32];
    let caller = link(libc::AT_FDCWD, c"/proc/thread-self", &mut caller)?;
    let mut task = Task {
        look: Some(look),
        own: Path::new(&[b"/proc/", caller, b"/fd"]),
        result: Err(refused),
    };
    let place = std::ptr::addr_of_mut!(task) as usize;
    let body = move || {
        let task = place as *mut Task<F>;
        // SAFETY: the caller waits until this thread has ended, and leaves the task alone.
        let task = unsafe { &mut *task };
        let _ = catch_unwind(AssertUnwindSafe(|| run(task)));
    };
    let body = boxed(body).map_err(|_| fault(libc::ENOMEM))?;
    Thread::start(STACK, body)?.join();
    task.result
}

/// The thread.
fn run<F>(task: &mut Task<F>)
where
    F: FnOnce(Folder) -> Result<(), Fault>,
{
    let all = libc::c_uint::MAX;
    let emptied = syscall!(libc::syscall(
        SYS_CLOSE_RANGE,
        0 as libc::c_uint,
        all,
        CLOSE_RANGE_UNSHARE
    ));
    // Refused, this thread has the program's own table: hands off.
    if let (Ok(_), Some(look)) = (emptied, task.look.take()) {
        task.result = Folder::open(libc::AT_FDCWD, task.own.as_c_str()).and_then(look);
    }
}
