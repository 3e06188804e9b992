//! What is so on the calling thread for a while.

/// True of a thread, or not.
#[derive(Clone, Copy)]
pub(crate) enum ThreadFlag {
    /// It is inside a function of the C interface.
    #[cfg_attr(not(feature = "capi"), allow(dead_code))]
    InCall = 1,
    /// It is inside the program's logger.
    InLogger = 2,
}

impl ThreadFlag {
    pub(crate) fn is_set(self) -> bool {
        storage::get() & self as usize != 0
    }

    /// Sets it, or takes it back; whether it was set.
    pub(crate) fn replace(self, is_set: bool) -> bool {
        let (all, own) = (storage::get(), self as usize);
        storage::set(match is_set {
            true => all | own,
            false => all & !own,
        });
        all & own != 0
    }
}

#[cfg(unix)]
mod storage {
    use std::cell::Cell;

    thread_local! {
        static FLAGS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn get() -> usize {
        FLAGS.with(Cell::get)
    }

    pub(super) fn set(flags: usize) {
        FLAGS.with(|own| own.set(flags));
    }
}

/// Not `thread_local!`: with mingw-w64 a thread's first use of such a variable takes memory from
/// the heap, and ends the program where there is none. A slot of the system's holds a pointer, and
/// a few bits are no larger. Without a slot nothing is ever set: a panic of ours is printed then.
#[cfg(windows)]
mod storage {
    use std::sync::atomic::{AtomicU32, Ordering};
    use windows_sys::Win32::System::Threading::{
        TlsAlloc, TlsFree, TlsGetValue, TlsSetValue, TLS_OUT_OF_INDEXES,
    };

    static SLOT: AtomicU32 = AtomicU32::new(TLS_OUT_OF_INDEXES);

    fn slot() -> Option<u32> {
        let known = SLOT.load(Ordering::Acquire);
        if known != TLS_OUT_OF_INDEXES {
            return Some(known);
        }
        // SAFETY: takes nothing.
        let new = unsafe { TlsAlloc() };
        if new == TLS_OUT_OF_INDEXES {
            return None;
        }
        match SLOT.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(new),
            // Another thread was faster.
            Err(first) => {
                // SAFETY: ours, and nobody else has heard of it.
                unsafe { TlsFree(new) };
                Some(first)
            }
        }
    }

    pub(super) fn get() -> usize {
        // SAFETY: the slot is never given back. What was never set is NULL.
        slot().map_or(0, |slot| unsafe { TlsGetValue(slot) } as usize)
    }

    pub(super) fn set(flags: usize) {
        if let Some(slot) = slot() {
            // SAFETY: as above; nobody takes the number for a pointer.
            unsafe { TlsSetValue(slot, flags as *const _) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ThreadFlag::{InCall, InLogger};

    #[test]
    fn each_is_by_itself_and_each_threads_own() {
        assert!(!InCall.replace(true));
        assert!(InCall.is_set() && !InLogger.is_set());
        assert!(!InLogger.replace(true));
        assert!(InCall.replace(true) && InLogger.is_set());
        std::thread::spawn(|| assert!(!InCall.is_set() && !InLogger.is_set()))
            .join()
            .unwrap();
        assert!(InCall.replace(false));
        assert!(!InCall.is_set() && InLogger.replace(false) && !InLogger.is_set());
    }
}
