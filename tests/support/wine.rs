//! Which Wine this is. What Wine 8 does differently from Windows is expected there alone.

/// The major version; `None`: no Wine, but Windows or another system.
#[cfg(windows)]
pub fn version() -> Option<u32> {
    use std::ffi::{c_char, c_void, CStr};
    extern "system" {
        fn GetModuleHandleA(name: *const c_char) -> *mut c_void;
        fn GetProcAddress(module: *mut c_void, name: *const c_char) -> *mut c_void;
    }
    // SAFETY: the names end with a zero; Wine's ntdll has this function, with this type, and what
    // it returns is a literal.
    let version = unsafe {
        let ntdll = GetModuleHandleA(c"ntdll.dll".as_ptr());
        let found = GetProcAddress(ntdll, c"wine_get_version".as_ptr());
        if found.is_null() {
            return None;
        }
        type Version = unsafe extern "C" fn() -> *const c_char;
        CStr::from_ptr(std::mem::transmute::<*mut c_void, Version>(found)())
    };
    let major = version.to_str().ok()?.split('.').next()?;
    major.parse().ok()
}

#[cfg(not(windows))]
pub fn version() -> Option<u32> {
    None
}

/// Wine 8 shows a reset as an end of the stream, and forgets it once it is told.
pub fn hides_resets() -> bool {
    version().is_some_and(|version| version < 10)
}
