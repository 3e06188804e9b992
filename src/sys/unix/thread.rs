//! A thread of ours in somebody else's process.

use super::fault::fault;
use crate::connection::Fault;
use crate::sys::room::Room;
use libc::{c_int, c_void};
use std::cell::Cell;
use std::mem::{zeroed, MaybeUninit};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A thread of ours in somebody else's process: no signal of the program is
/// delivered to it. (That of `std` would make the library a tenth larger.)
pub(crate) struct Thread(libc::pthread_t);

// SAFETY: a thread's number may be used from any thread.
unsafe impl Send for Thread {}
// SAFETY: as above; nothing is changed through it.
unsafe impl Sync for Thread {}

/// What a thread runs.
type Body = Box<dyn FnOnce() + Send>;

struct Start {
    body: Body,
    /// The signals that were blocked in the thread that started it.
    mask: libc::sigset_t,
}

extern "C" fn run_body(start: *mut c_void) -> *mut c_void {
    // SAFETY: the pointer that `Thread::start` made, and handed to this thread.
    let Start { body, mask } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    STARTERS_MASK.with(|own| own.set(Some(mask)));
    OURS.fetch_add(1, Ordering::Relaxed);
    body();
    OURS.fetch_sub(1, Ordering::Relaxed);
    std::ptr::null_mut()
}

thread_local! {
    /// Of a thread of ours: the signals that were blocked where it was started.
    static STARTERS_MASK: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// In the child of a fork() on a thread of ours, by a callback of the program: no signal of the
/// program is delivered to our thread, but the child, and what it executes, would be deaf to
/// SIGTERM for ever. Async-signal-safe.
pub(super) fn give_child_its_signals() {
    if let Some(mask) = STARTERS_MASK.with(Cell::take) {
        set_mask(&mask);
    }
}

/// Threads of ours that are at work.
static OURS: AtomicUsize = AtomicUsize::new(0);

/// In a child: those of its parent are not there.
pub(super) fn none_is_ours() {
    OURS.store(0, Ordering::Relaxed);
}

/// Threads of ours, and the calling one if it is the program's. Those of a parent are forgotten
/// by the first look at which process this is.
#[cfg(linux_calls)]
pub(in crate::sys) fn count_ours_and_this() -> usize {
    let is_ours = STARTERS_MASK.with(|mask| mask.get().is_some());
    OURS.load(Ordering::Relaxed) + usize::from(!is_ours)
}

/// Sets which signals are blocked; which were before.
fn set_mask(mask: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both are places for a set; all zeroes is one.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, mask, before.as_mut_ptr());
        before.assume_init()
    }
}

fn all_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: a place for a set; all zeroes is one.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

/// glibc takes the thread-local variables of the program out of the stack, however many
/// they are; so it is as large there as those of the program's own threads.
///
/// # Safety
/// `body` is what `run_body` takes.
#[cfg(target_env = "gnu")]
unsafe fn create(thread: &mut libc::pthread_t, _stack: usize, body: *mut c_void) -> c_int {
    // SAFETY: `thread` is a place for its number; the caller vouches for the body.
    unsafe { libc::pthread_create(thread, std::ptr::null(), run_body, body) }
}

#[cfg(not(target_env = "gnu"))]
unsafe fn create(thread: &mut libc::pthread_t, stack: usize, body: *mut c_void) -> c_int {
    // SAFETY: overwritten before they are read; the caller vouches for the body.
    unsafe {
        let mut attributes: libc::pthread_attr_t = zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstacksize(&mut attributes, stack);
        let result = libc::pthread_create(thread, &attributes, run_body, body);
        libc::pthread_attr_destroy(&mut attributes);
        result
    }
}

impl Thread {
    /// Starts it with so much stack at least.
    pub(crate) fn start(stack: usize, body: Body) -> Result<Thread, Fault> {
        let room = Room::ask().ok_or_else(|| fault(libc::ENOMEM))?;
        // It inherits the signal mask.
        let mask = set_mask(&all_signals());
        let start = Box::into_raw(room.fill(Start { body, mask })).cast();
        // SAFETY: nothing says against zero: a number, or a pointer.
        let mut thread: libc::pthread_t = unsafe { zeroed() };
        // SAFETY: what `run_body` takes over.
        let result = unsafe { create(&mut thread, stack, start) };
        set_mask(&mask);
        if result != 0 {
            // SAFETY: no thread has taken it over.
            drop(unsafe { Box::from_raw(start.cast::<Start>()) });
            return Err(fault(result));
        }
        Ok(Thread(thread))
    }

    /// The caller is this thread.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: takes two numbers; both threads exist.
        unsafe { libc::pthread_equal(libc::pthread_self(), self.0) != 0 }
    }

    /// Nobody will join it. Once only, and instead of that.
    pub(crate) fn detach(&self) {
        // SAFETY: it has been neither joined nor detached before.
        unsafe { libc::pthread_detach(self.0) };
    }

    /// Waits until it has ended. Once only, and never by itself.
    pub(crate) fn join(&self) {
        // SAFETY: it has been neither joined nor detached before.
        unsafe { libc::pthread_join(self.0, std::ptr::null_mut()) };
    }
}
