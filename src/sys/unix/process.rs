//! Which process is this? A forked child has the memory of its parent and none of its
//! threads, and not every fork runs the handlers of pthread_atfork(): glibc's _Fork() and a
//! bare fork or clone system call do not. A vfork() child even shares the memory, but not
//! the descriptors.
//!
//! So there are three witnesses. A page that the kernel wipes in a child (madvise(2),
//! MADV_WIPEONFORK, Linux 4.14) tells every child with memory of its own, also one with the
//! same process id in another PID namespace. The process id tells one that shares the memory,
//! and stands in for the page where there is none. The handler of pthread_atfork() is left for
//! such systems, where the process ids of a long chain of forks may come round again.

use super::fault::LastError;
use libc::pid_t;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::OnceLock;

/// The generation of a process that only borrows the memory: no other is equal to it, not
/// even that of another such process.
pub(crate) const BORROWED: usize = usize::MAX;

/// What a new process has to forget of its parent's.
static FORGET: OnceLock<fn()> = OnceLock::new();

/// Has `forget` called in every process that begins as a copy of this one. The first one alone.
pub(crate) fn when_forked(forget: fn()) {
    let _ = FORGET.set(forget);
}

/// Takes no lock: a child may find it taken.
fn forget() {
    if let Some(forget) = FORGET.get() {
        forget();
    }
}

/// Somebody is finding out.
const BUSY: usize = usize::MAX - 1;

/// What is known of the process that this memory belongs to.
struct Witness {
    /// Its generation, counted from one; 0 in a new child.
    generation: AtomicUsize,
    pid: AtomicUsize,
}

/// Generations given out so far, in memory that a child inherits.
static LAST: AtomicUsize = AtomicUsize::new(0);

static WITNESS: AtomicPtr<Witness> = AtomicPtr::new(null_mut());

/// Stands in for the page.
static UNWIPED: Witness = Witness {
    generation: AtomicUsize::new(0),
    pid: AtomicUsize::new(0),
};

/// Another number in every child that has memory of its own, from the first question on, and
/// [`BORROWED`] in one that has not. Takes no lock: a child may find it taken.
pub(crate) fn process_generation() -> usize {
    let witness = witness();
    let this = own_pid();
    loop {
        match witness.generation.load(Ordering::Acquire) {
            0 if borrows_its_thread() => return BORROWED,
            0 => begin(witness, this),
            BUSY => std::thread::yield_now(),
            generation if witness.pid.load(Ordering::Relaxed) == this => return generation,
            _ if !std::ptr::eq(witness, &UNWIPED) || borrows_its_thread() => return BORROWED,
            generation => {
                let (set, fail) = (Ordering::AcqRel, Ordering::Relaxed);
                let _ = witness
                    .generation
                    .compare_exchange(generation, 0, set, fail);
            }
        }
    }
}

/// The first question in this process, by whichever thread is first.
fn begin(witness: &Witness, this: usize) {
    let (set, fail) = (Ordering::AcqRel, Ordering::Relaxed);
    if witness
        .generation
        .compare_exchange(0, BUSY, set, fail)
        .is_err()
    {
        return;
    }
    let generation = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    if generation > 1 {
        forget();
        super::thread::none_is_ours();
    }
    witness.pid.store(this, Ordering::Relaxed);
    witness.generation.store(generation, Ordering::Release);
}

/// The thread is not the one that the C library knows it for: this is a vfork() child, whose
/// parent must not find the child's number in its own memory. (Or the child of a bare fork
/// system call, which the C library has not heard of either; a thread started there would not
/// be safe.) Asked before the first answer in a process only.
#[cfg(linux_calls)]
fn borrows_its_thread() -> bool {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the calling thread's own number, and a place for the answer.
    let answer = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
    // SAFETY: takes nothing and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) } as pid_t;
    // linux/posix-timers.h: the complement of the thread's number, above three bits of kind.
    answer == 0 && !(clock >> 3) != thread
}

#[cfg(not(linux_calls))]
fn borrows_its_thread() -> bool {
    false
}

/// By system call: glibc before 2.25 kept the number, and a bare clone did not tell it.
fn own_pid() -> usize {
    #[cfg(linux_calls)]
    // SAFETY: takes nothing and cannot fail.
    let pid = unsafe { libc::syscall(libc::SYS_getpid) } as pid_t;
    #[cfg(not(linux_calls))]
    // SAFETY: as above.
    let pid: pid_t = unsafe { libc::getpid() };
    pid as usize
}

fn witness() -> &'static Witness {
    // SAFETY: NULL, or what `install` has put there for good; only atomics in it change.
    match unsafe { WITNESS.load(Ordering::Acquire).as_ref() } {
        Some(witness) => witness,
        None => install(),
    }
}

#[cold]
fn install() -> &'static Witness {
    let error = LastError::get();
    let page = wiped_page();
    let own = match page.is_null() {
        true => std::ptr::from_ref(&UNWIPED).cast_mut(),
        false => page,
    };
    let (set, fail) = (Ordering::AcqRel, Ordering::Acquire);
    match WITNESS.compare_exchange(null_mut(), own, set, fail) {
        Ok(_) => {
            // SAFETY: the handler changes atomics and the signal mask, which is async-signal-safe.
            unsafe { libc::pthread_atfork(None, None, Some(in_the_child)) };
        }
        // Another thread was faster.
        Err(_) => drop_page(page),
    }
    LastError::set(error);
    witness()
}

extern "C" fn in_the_child() {
    // SAFETY: as in `witness`.
    if let Some(witness) = unsafe { WITNESS.load(Ordering::Acquire).as_ref() } {
        witness.generation.store(0, Ordering::Release);
    }
    forget();
    super::thread::none_is_ours();
    super::thread::give_child_its_signals();
}

/// linux/mman.h
#[cfg(linux_calls)]
const MADV_WIPEONFORK: libc::c_int = 18;

/// The kernel rounds it up to the size of its pages.
#[cfg(linux_calls)]
const SIZE: usize = 4096;

/// A page that every child finds zeroed; NULL where there is none to be had.
#[cfg(linux_calls)]
fn wiped_page() -> *mut Witness {
    // SAFETY: a new mapping, of the size said, that nobody else knows.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let page = libc::mmap(null_mut(), SIZE, access, flags, -1, 0);
        if page == libc::MAP_FAILED {
            return null_mut();
        }
        if libc::madvise(page, SIZE, MADV_WIPEONFORK) != 0 {
            libc::munmap(page, SIZE);
            return null_mut();
        }
        // All zeroes is a Witness that knows nothing yet.
        page.cast()
    }
}

#[cfg(linux_calls)]
fn drop_page(page: *mut Witness) {
    if !page.is_null() {
        // SAFETY: what `wiped_page` has mapped, and nobody else knows.
        unsafe { libc::munmap(page.cast(), SIZE) };
    }
}

#[cfg(not(linux_calls))]
fn wiped_page() -> *mut Witness {
    null_mut()
}

#[cfg(not(linux_calls))]
fn drop_page(_: *mut Witness) {}

#[cfg(test)]
mod tests {
    use super::{process_generation, BORROWED};

    /// The exit status of a child made by `make`, which ends with what `body` says.
    fn child(make: impl FnOnce() -> libc::pid_t, body: impl FnOnce() -> i32) -> i32 {
        let mut status = 0;
        // SAFETY: the child calls what `body` says and `_exit`.
        unsafe {
            match make() {
                -1 => return -1,
                0 => libc::_exit(body()),
                child => libc::waitpid(child, &mut status, 0),
            };
        }
        libc::WEXITSTATUS(status) | (status & 0x7f) << 8
    }

    #[test]
    fn a_forked_child_is_another_one_and_stays_it() {
        let parent = process_generation();
        assert_eq!(process_generation(), parent);
        assert_ne!(parent, BORROWED);
        let look = || {
            let own = process_generation();
            i32::from(own == parent || own == BORROWED || own != process_generation())
        };
        // SAFETY: see `child`.
        assert_eq!(child(|| unsafe { libc::fork() }, look), 0);
        assert_eq!(process_generation(), parent);
    }

    #[cfg(linux_calls)]
    #[test]
    fn a_child_that_no_handler_has_seen_is_another_one() {
        let parent = process_generation();
        // The stack comes first there (clone(2)).
        let (first, second) = match cfg!(target_arch = "s390x") {
            true => (0, libc::SIGCHLD),
            false => (libc::SIGCHLD, 0),
        };
        // SAFETY: see `child`; a fork() without the C library.
        let fork = || unsafe { libc::syscall(libc::SYS_clone, first, second, 0, 0, 0) as i32 };
        assert_eq!(child(fork, || i32::from(process_generation() == parent)), 0);
        assert_eq!(process_generation(), parent);
    }
}
