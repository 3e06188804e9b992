//! Starting the background thread, and taking its descriptors over.

use crate::alone;
use crate::real::{self, Start};
use crate::signal_state;
use libc::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Most of it is never touched. A program's thread-local data must be in there, too: if it is not
/// enough for them the thread gets as much as the program's own.
const STACK: usize = 256 << 10;

/// What the thread that ours was started by had blocked.
static STARTER_BLOCKS: AtomicU64 = AtomicU64::new(0);

/// The C library has the last thread call exit() when it ends: the exit handlers run on its stack,
/// and with its signals. So one ends last that has both as the program's own have them.
pub fn start_last() {
    extern "C-unwind" fn body(_: *mut c_void) -> *mut c_void {
        alone::wait_for_our_thread();
        std::ptr::null_mut()
    }
    signal_state::with_blocked(STARTER_BLOCKS.load(Relaxed), || create(body, None));
}

/// With all signals blocked, but those of the C library itself.
pub fn start(body: Start) -> bool {
    STARTER_BLOCKS.store(signal_state::blocked_signals(), Relaxed);
    signal_state::with_blocked(!signal_state::OF_THE_C_LIBRARY, || {
        create(body, Some(STACK)) || create(body, None)
    })
}

/// It inherits the signals that are blocked. Without a size its stack is as the program's own.
fn create(body: Start, stack: Option<usize>) -> bool {
    // SAFETY: the objects are initialised before they are read, and live on this stack; the body
    // takes no argument.
    unsafe {
        let Some(create) = real::pthread_create() else {
            return false;
        };
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let mut thread: libc::pthread_t = std::mem::zeroed();
        if libc::pthread_attr_init(&mut attributes) != 0 {
            return false;
        }
        if let Some(stack) = stack {
            libc::pthread_attr_setstacksize(&mut attributes, stack);
        }
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let at = (&attributes as *const libc::pthread_attr_t).cast();
        let result = create(&mut thread, at, body, std::ptr::null_mut());
        libc::pthread_attr_destroy(&mut attributes);
        result == 0
    }
}

thread_local! {
    /// The signals that this thread has blocked by a call, or was started with: of none of them
    /// a handler can be running. In a library that is there from the start this takes no memory.
    static BLOCKED_BY_CALL: AtomicU64 = const { AtomicU64::new(0) };
}

/// Whether a thread may be started here: not in a signal handler, which may have interrupted the
/// C library with a lock held. A handler runs with its signal blocked, by nobody's call, and often
/// on a stack of its own.
pub fn may_start() -> bool {
    let by_call = BLOCKED_BY_CALL.with(|mask| mask.load(Relaxed));
    signal_state::blocked_signals() & !by_call == 0 && !signal_state::on_signal_stack()
}

/// The first that a thread of the program does: no handler is running.
pub fn begins() {
    BLOCKED_BY_CALL.with(|mask| mask.store(signal_state::blocked_signals(), Relaxed));
}

/// Around a call that changes the thread's blocked signals. In a handler its own one is blocked
/// before already.
pub fn blocking_by_call<R>(work: impl FnOnce() -> R) -> R {
    let before = signal_state::blocked_signals();
    let result = work();
    let after = signal_state::blocked_signals();
    BLOCKED_BY_CALL.with(|mask| {
        let kept = mask.load(Relaxed) & after;
        mask.store(kept | after & !before, Relaxed);
    });
    result
}

/// A parked duplicate, which belongs to nobody else.
pub fn own(fd: c_int) -> OwnedFd {
    // SAFETY: the number is ours: the program is refused to close it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Ends the calling thread if somebody has cancelled it.
pub fn be_cancelled_if_asked() {
    extern "C-unwind" {
        fn pthread_testcancel();
    }
    // SAFETY: takes nothing; it may unwind, and so may those who call this.
    unsafe { pthread_testcancel() }
}

/// Puts a cancellation of the calling thread off until the work is done.
pub fn not_cancelled<R>(work: impl FnOnce() -> R) -> R {
    extern "C" {
        fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    }
    const DISABLE: c_int = 1;
    let mut before = 0;
    // SAFETY: the state is one of the two that there are; the old one has a place.
    let is_off = unsafe { pthread_setcancelstate(DISABLE, &mut before) } == 0;
    let result = work();
    if is_off {
        // SAFETY: the state that it had.
        unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
    }
    result
}

/// Keeps `errno` as it is through what the C library is called for.
pub fn keeping_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the calling thread's own place.
    let before = unsafe { *libc::__errno_location() };
    let result = work();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = before };
    result
}
