//! Who else holds a socket?

use crate::connection::Sharing;
use crate::sys::unix::Socket;

/// The kernel says whether the open file behind a descriptor has more than one
/// reference, wherever the others are: libproc's PROC_PIDFDSOCKETINFO begins with a
/// struct proc_fileinfo, whose fi_status has PROC_FP_SHARED then (sys/proc_info.h; XNU,
/// bsd/kern/proc_info.c, fill_fileinfo).
#[cfg(target_os = "macos")]
pub(super) fn of(socket: Socket) -> Sharing {
    use crate::sys::unix::{fault, last_fault};

    const PROC_PIDFDSOCKETINFO: libc::c_int = 3;
    const PROC_FP_SHARED: u32 = 1;
    /// More than a struct socket_fdinfo takes: with less room the call fails.
    const ROOM: usize = 1024;
    /// Of struct proc_fileinfo: fi_openflags, fi_status.
    const STATUS: usize = 1;

    let mut info = [0u32; ROOM / 4];
    let room = info.as_mut_ptr().cast();
    // SAFETY: `info` is as large as said; a number that is no socket makes it fail.
    let filled = unsafe {
        libc::proc_pidfdinfo(
            libc::getpid(),
            socket.0,
            PROC_PIDFDSOCKETINFO,
            room,
            ROOM as libc::c_int,
        )
    };
    match usize::try_from(filled) {
        Ok(0) | Err(_) => Sharing::Unknown(last_fault()),
        Ok(bytes) if bytes < (STATUS + 1) * 4 => Sharing::Unknown(fault(libc::ENOTSUP)),
        Ok(_) if info[STATUS] & PROC_FP_SHARED != 0 => Sharing::Shared,
        Ok(_) => Sharing::Alone,
    }
}

/// There is nothing to ask that would be exact.
#[cfg(not(target_os = "macos"))]
pub(super) fn of(_: Socket) -> Sharing {
    Sharing::Unknown(crate::sys::unix::fault(libc::EOPNOTSUPP))
}
