//! Raw descriptors: what is open, how many, and the thread's last error.

pub use system::*;

/// The descriptor is still what it was; a number may have been reused since by
/// another thread of the tests.
pub fn is_still(raw: Raw, before: Identity) -> bool {
    before.is_some() && identity(raw) == before
}

#[cfg(unix)]
mod system {
    use socket2::SockRef;
    use std::mem::zeroed;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

    pub type Raw = std::ffi::c_int;
    pub type Owned = OwnedFd;
    /// Device and inode.
    pub type Identity = Option<(u64, u64)>;
    pub const NONE: Raw = -1;

    pub fn raw(of: &impl AsRawFd) -> Raw {
        of.as_raw_fd()
    }

    pub fn into_raw(of: impl IntoRawFd) -> Raw {
        of.into_raw_fd()
    }

    /// Takes it into possession.
    pub fn own(raw: Raw) -> Owned {
        assert!(identity(raw).is_some(), "{raw} is not open");
        // SAFETY: it is open, and the tests hand a number to one owner only.
        unsafe { OwnedFd::from_raw_fd(raw) }
    }

    pub fn with_ref<T>(raw: Raw, act: impl FnOnce(SockRef<'_>) -> T) -> T {
        assert!(identity(raw).is_some(), "{raw} is not open");
        // SAFETY: it is open, and stays so during the call.
        let fd = unsafe { BorrowedFd::borrow_raw(raw) };
        act(SockRef::from(&fd))
    }

    pub fn identity(raw: Raw) -> Identity {
        // SAFETY: fstat fills the struct, or fails for a number that is not open.
        unsafe {
            let mut of: libc::stat = zeroed();
            (libc::fstat(raw, &mut of) == 0).then_some((of.st_dev as u64, of.st_ino as u64))
        }
    }

    /// Data, the end or an error is there to be seen.
    pub fn has_news(of: &impl AsFd) -> bool {
        let mut entry = libc::pollfd {
            fd: of.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid entry, as the count says.
        unsafe { libc::poll(&mut entry, 1, 0) == 1 }
    }

    /// Open descriptors of this process.
    pub fn count() -> usize {
        let folder = match cfg!(target_os = "linux") {
            true => "/proc/self/fd",
            false => "/dev/fd",
        };
        std::fs::read_dir(folder).unwrap().count()
    }

    #[cfg(target_os = "linux")]
    fn errno() -> *mut i32 {
        // SAFETY: takes nothing, returns the calling thread's own location.
        unsafe { libc::__errno_location() }
    }

    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    fn errno() -> *mut i32 {
        // SAFETY: takes nothing, returns the calling thread's own location.
        unsafe { libc::__error() }
    }

    pub fn last_error() -> i32 {
        // SAFETY: valid in this thread.
        unsafe { *errno() }
    }

    pub fn set_last_error(code: i32) {
        // SAFETY: valid in this thread.
        unsafe { *errno() = code }
    }
}

#[cfg(windows)]
mod system {
    use socket2::SockRef;
    use std::os::windows::io::{AsRawSocket, BorrowedSocket, FromRawSocket};
    use std::os::windows::io::{IntoRawSocket, OwnedSocket, RawSocket};
    use windows_sys::Win32::Networking::WinSock as ws;
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

    pub type Raw = usize;
    pub type Owned = OwnedSocket;
    /// Handles have none: open, or not. Tests that look at it run alone.
    pub type Identity = Option<()>;
    pub const NONE: Raw = usize::MAX;

    pub fn raw(of: &impl AsRawSocket) -> Raw {
        of.as_raw_socket() as Raw
    }

    pub fn into_raw(of: impl IntoRawSocket) -> Raw {
        of.into_raw_socket() as Raw
    }

    /// Takes it into possession.
    pub fn own(raw: Raw) -> Owned {
        assert!(identity(raw).is_some(), "{raw} is not open");
        // SAFETY: it is open, and the tests hand a handle to one owner only.
        unsafe { OwnedSocket::from_raw_socket(raw as RawSocket) }
    }

    pub fn with_ref<T>(raw: Raw, act: impl FnOnce(SockRef<'_>) -> T) -> T {
        assert!(identity(raw).is_some(), "{raw} is not open");
        // SAFETY: it is open, and stays so during the call.
        let socket = unsafe { BorrowedSocket::borrow_raw(raw as RawSocket) };
        act(SockRef::from(&socket))
    }

    pub fn identity(raw: Raw) -> Identity {
        let (mut kind, mut size) = (0i32, 4i32);
        let place = (&mut kind as *mut i32).cast();
        // SAFETY: four bytes to write to; a number that is no socket fails.
        let result = unsafe { ws::getsockopt(raw, ws::SOL_SOCKET, ws::SO_TYPE, place, &mut size) };
        (result == 0).then_some(())
    }

    /// Data, the end or an error is there to be seen.
    pub fn has_news(of: &impl AsRawSocket) -> bool {
        let mut entry = ws::WSAPOLLFD {
            fd: raw(of),
            events: ws::POLLRDNORM,
            revents: 0,
        };
        // SAFETY: one valid entry, as the count says.
        unsafe { ws::WSAPoll(&mut entry, 1, 0) == 1 }
    }

    /// Open handles of this process.
    pub fn count() -> usize {
        let mut count = 0;
        // SAFETY: this process, and a place for the number.
        let told = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
        assert_ne!(told, 0);
        count as usize
    }

    pub fn last_error() -> i32 {
        // SAFETY: takes nothing.
        unsafe { ws::WSAGetLastError() }
    }

    pub fn set_last_error(code: i32) {
        // SAFETY: takes a number.
        unsafe { ws::WSASetLastError(code) }
    }
}
