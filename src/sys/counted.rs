//! What several threads hold, as by `Arc`, whose memory cannot be asked for: that ends the program
//! where there is none.

use super::room::boxed;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One of its holders; the last one drops it.
pub(crate) struct Counted<T>(NonNull<Inner<T>>);

struct Inner<T> {
    holders: AtomicUsize,
    value: T,
}

// SAFETY: as `Arc`: a holder gives shared access on any thread, and drops the value on any.
unsafe impl<T: Send + Sync> Send for Counted<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    /// Without memory the value comes back.
    pub(crate) fn new(value: T) -> Result<Counted<T>, T> {
        let inner = boxed(Inner {
            holders: AtomicUsize::new(1),
            value,
        });
        match inner {
            Ok(inner) => Ok(Counted(NonNull::from(Box::leak(inner)))),
            Err(inner) => Err(inner.value),
        }
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: it lives as long as this holder counts.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Counted<T> {
        // Nothing is ordered by it: this holder is proof that it lives.
        self.inner().holders.fetch_add(1, Ordering::Relaxed);
        Counted(self.0)
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        if self.inner().holders.fetch_sub(1, Ordering::Release) == 1 {
            // All that the others did with it comes before. Not by a fence: ThreadSanitizer does
            // not follow fences (`Arc` reads the count under it, too).
            self.inner().holders.load(Ordering::Acquire);
            // SAFETY: made by a box, and nobody else holds it any more.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counted;
    use std::ops::Deref;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;

    struct Drops(Arc<AtomicUsize>);

    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_last_of_many_threads_drops_it_once() {
        let drops = Arc::new(AtomicUsize::new(0));
        let first = Counted::new(Drops(Arc::clone(&drops))).ok().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let own = first.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        assert_eq!(own.clone().deref().0.load(Ordering::Relaxed), 0);
                    }
                });
            }
        });
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(first);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }
}
