//! Programs that are linked with fewer switches than the options file has: what duplicates a
//! descriptor, what gives it to a child and what registers it in an epoll set is not seen there.
//! So each close looks at all descriptors of the process.

use crate::scan;
use crate::sys;
use libc::c_int;

/// Whether all that could share a connection is seen.
pub fn sees_all() -> bool {
    #[cfg(all(feature = "link", not(test)))]
    return crate::linked::is_whole();
    #[cfg(any(not(feature = "link"), test))]
    true
}

/// Whether the program has the socket under another number, too, or that cannot be told.
pub fn has_another_number(fd: c_int) -> bool {
    scan::is_held_under_another_number(fd).unwrap_or(true)
}

/// Takes a descriptor out of each epoll set of the process; whether all could be asked. Asking
/// each descriptor is cheaper than asking which of them are epoll sets.
pub fn leave_epoll_sets(fd: c_int) -> bool {
    scan::for_each_number(|other| {
        let _ = sys::remove_from_epoll(other, fd);
    })
    .is_ok()
}
