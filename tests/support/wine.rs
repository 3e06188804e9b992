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

/// SIO_TCP_INFO: Windows 10 1703 and later, and the stricter Winsock of tests/harness; no Wine.
#[cfg(windows)]
pub fn tells_state() -> bool {
    use std::ffi::c_void;
    use std::os::windows::io::AsRawSocket;
    use std::ptr::{addr_of, null, null_mut};
    #[link(name = "ws2_32")]
    extern "system" {
        fn WSAIoctl(
            socket: usize,
            code: u32,
            input: *const c_void,
            input_size: u32,
            output: *mut c_void,
            output_size: u32,
            filled: *mut u32,
            overlapped: *mut c_void,
            routine: *const c_void,
        ) -> i32;
    }
    const SIO_TCP_INFO: u32 = 0xD800_0027;
    let (ours, _peer) = super::tcp_pair();
    let (version, mut info, mut filled) = (0u32, [0u64; 32], 0u32);
    // SAFETY: both buffers are as large as said, and nothing is overlapped.
    let result = unsafe {
        WSAIoctl(
            ours.as_raw_socket() as usize,
            SIO_TCP_INFO,
            addr_of!(version).cast(),
            4,
            info.as_mut_ptr().cast(),
            std::mem::size_of_val(&info) as u32,
            &mut filled,
            null_mut(),
            null(),
        )
    };
    result == 0
}

#[cfg(not(windows))]
pub fn tells_state() -> bool {
    false
}
