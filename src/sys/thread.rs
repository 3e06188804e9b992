//! A thread of ours in somebody else's process.

use super::unix::fault;
use crate::connection::Fault;
use libc::{c_int, c_void};
use std::cell::Cell;
use std::mem::{zeroed, MaybeUninit};

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
    body();
    std::ptr::null_mut()
}

thread_local! {
    /// Of a thread of ours: the signals that were blocked where it was started.
    static STARTERS_MASK: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// While it lives, a thread of ours has the signal mask of the thread that started it: for the
/// program's callbacks. What they start (fork, posix_spawn, system, popen) inherits the mask,
/// and could not be ended by SIGTERM otherwise. On the program's own threads it does nothing.
pub(crate) struct ProgramSignals(bool);

impl ProgramSignals {
    pub(crate) fn admit() -> ProgramSignals {
        let mask = STARTERS_MASK.with(Cell::get);
        if let Some(mask) = &mask {
            set_mask(mask);
        }
        ProgramSignals(mask.is_some())
    }
}

impl Drop for ProgramSignals {
    fn drop(&mut self) {
        if self.0 {
            set_mask(&all_signals());
        }
    }
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
        // It inherits the signal mask.
        let mask = set_mask(&all_signals());
        let start = Box::into_raw(Box::new(Start { body, mask })).cast();
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
