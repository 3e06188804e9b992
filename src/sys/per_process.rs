//! One value for each process of a chain of forks, however deep: what a child finds
//! of its parent's it leaves alone, for no thread of the parent's is there to keep
//! it going, and its locks may be in any state. No lock is taken here, so that none
//! can be found locked.

use super::room::boxed;
use super::system::process_generation;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The values, none of which is ever freed.
pub(crate) struct PerProcess<T> {
    newest: AtomicPtr<Node<T>>,
}

struct Node<T> {
    process: usize,
    value: T,
    /// The parent's; kept for the eyes of leak checkers.
    _older: AtomicPtr<Node<T>>,
}

impl<T: Send + Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess {
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// This process's, if it has been set.
    pub(crate) fn get(&self) -> Option<&'static T> {
        self.of(self.newest.load(Ordering::Acquire))
    }

    fn of(&self, node: *mut Node<T>) -> Option<&'static T> {
        // SAFETY: NULL, or what `set` has leaked: valid for ever, and never changed.
        let node: &'static Node<T> = unsafe { node.as_ref() }?;
        (node.process == process_generation()).then_some(&node.value)
    }

    /// Sets this process's; or gives it back: another thread was faster, or there is no memory.
    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let newest = self.newest.load(Ordering::Acquire);
        if self.of(newest).is_some() {
            return Err(value);
        }
        let node = boxed(Node {
            process: process_generation(),
            value,
            _older: AtomicPtr::new(newest),
        });
        let node = Box::into_raw(node.map_err(|node| node.value)?);
        match self
            .newest
            .compare_exchange(newest, node, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Ok(()),
            // SAFETY: made by `Box::into_raw` just now, and nobody else has it.
            Err(_) => Err(unsafe { Box::from_raw(node) }.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PerProcess;

    // Static, as every one is: what a local one holds would be lost, and a leak checker says so.

    #[test]
    fn the_first_one_stays() {
        static VALUES: PerProcess<&str> = PerProcess::new();
        assert_eq!(VALUES.get(), None);
        assert_eq!(VALUES.set("first"), Ok(()));
        assert_eq!(VALUES.set("second"), Err("second"));
        assert_eq!(VALUES.get(), Some(&"first"));
    }

    #[test]
    fn of_many_threads_one_is_first() {
        static VALUES: PerProcess<i32> = PerProcess::new();
        let set = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| scope.spawn(move || VALUES.set(number).is_ok().then_some(number)))
                .collect();
            let all = threads.into_iter().filter_map(|it| it.join().unwrap());
            all.collect::<Vec<i32>>()
        });
        assert_eq!(set, Vec::from_iter(VALUES.get().copied()));
    }

    /// A hundred generations, each of which sets its own.
    #[cfg(unix)]
    #[test]
    fn a_chain_of_forks_may_be_deep() {
        static DEPTH: PerProcess<usize> = PerProcess::new();
        fn descend(depth: usize) -> i32 {
            if DEPTH.get().is_some() || DEPTH.set(depth).is_err() || DEPTH.get() != Some(&depth) {
                return 1;
            }
            if depth == 100 {
                return 0;
            }
            let mut status = 0;
            // SAFETY: the child calls nothing but close(), this function and `_exit`, all safe
            // there: glibc and its like keep malloc usable after a fork.
            unsafe {
                match libc::fork() {
                    -1 => return 2,
                    0 => {
                        // Connections of other tests, which end with their last holder.
                        for fd in 3..256 {
                            libc::close(fd);
                        }
                        libc::_exit(descend(depth + 1))
                    }
                    child => libc::waitpid(child, &mut status, 0),
                };
            }
            libc::WEXITSTATUS(status) | status & 0x7f
        }
        // The handler that counts the forks is there from now on.
        crate::sys::process_generation();
        assert_eq!(descend(0), 0);
    }
}
