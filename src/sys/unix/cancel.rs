//! Thread cancellation.

use libc::c_int;

/// Holds off `pthread_cancel` while it lives: unwinding by cancellation out of
/// the middle of a close would leak the socket. A request that came meanwhile
/// is honoured at the program's next cancellation point.
pub(crate) struct CancelGuard(#[cfg_attr(target_os = "android", allow(dead_code))] c_int);

/// PTHREAD_CANCEL_DISABLE; 1 on Linux (glibc, musl), FreeBSD's value is 1 too,
/// macOS has 0.
#[cfg(not(any(target_vendor = "apple", target_os = "android")))]
const CANCEL_DISABLE: c_int = 1;
#[cfg(target_vendor = "apple")]
const CANCEL_DISABLE: c_int = 0;

#[cfg(not(target_os = "android"))]
extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

impl CancelGuard {
    #[cfg(not(target_os = "android"))]
    pub(crate) fn hold() -> CancelGuard {
        let mut old = CANCEL_DISABLE;
        // SAFETY: `old` is a valid place for the previous state.
        unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut old) };
        CancelGuard(old)
    }

    /// Android has no thread cancellation.
    #[cfg(target_os = "android")]
    pub(crate) fn hold() -> CancelGuard {
        CancelGuard(0)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        #[cfg(not(target_os = "android"))]
        {
            let mut unused = 0;
            // SAFETY: `self.0` is a state that the system itself gave.
            unsafe { pthread_setcancelstate(self.0, &mut unused) };
        }
    }
}
