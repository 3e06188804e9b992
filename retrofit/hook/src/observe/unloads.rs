//! How many DLLs have been unloaded: what is loaded later may lie at the addresses of one of them.

use crate::replacements::address_of;
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// LdrDllNotification of Microsoft's documentation.
type Notified = unsafe extern "system" fn(u32, *const c_void, *mut c_void);
/// LdrRegisterDllNotification, of ntdll.dll since Windows Vista.
type Register = unsafe extern "system" fn(u32, Notified, *mut c_void, *mut *mut c_void) -> i32;

const UNLOADED: u32 = 2;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// From now on they are counted, to the end of the process; where the system does not tell of them, none is.
pub(super) fn watch() {
    let Some(register) = address_of(c"ntdll.dll", c"LdrRegisterDllNotification") else {
        return;
    };
    let mut cookie = null_mut();
    // SAFETY: the function of this name has this type. Ours is never unloaded.
    unsafe { transmute::<usize, Register>(register)(0, notified, null_mut(), &mut cookie) };
}

/// Under the loader's lock: nothing but a count.
unsafe extern "system" fn notified(reason: u32, _: *const c_void, _: *mut c_void) {
    if reason == UNLOADED {
        COUNT.fetch_add(1, Relaxed);
    }
}

pub(super) fn count() -> u64 {
    COUNT.load(Relaxed)
}
