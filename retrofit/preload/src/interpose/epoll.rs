//! Epoll sets, and what is registered in them.

use super::{openings, real};
use crate::epoll_sets;
use crate::process;
use libc::{c_int, epoll_event};

pub fn created(epoll: c_int) -> c_int {
    if epoll >= 0 && process::is_own() {
        epoll_sets::created(epoll);
    }
    epoll
}

pub fn changed(epoll: c_int, operation: c_int, fd: c_int, result: c_int) -> c_int {
    if result == 0 && process::is_awake() {
        match operation {
            libc::EPOLL_CTL_ADD => epoll_sets::registered(epoll, fd),
            libc::EPOLL_CTL_DEL => epoll_sets::unregistered(epoll, fd),
            _ => {}
        }
    }
    result
}

/// # Safety
/// As epoll_create().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn epoll_create(size: c_int) -> c_int {
    created(openings::number(|| real!(epoll_create(size))))
}

/// # Safety
/// As epoll_create1().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn epoll_create1(flags: c_int) -> c_int {
    created(openings::number(|| real!(epoll_create1(flags))))
}

/// # Safety
/// As epoll_ctl().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn epoll_ctl(
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    changed(
        epoll,
        operation,
        fd,
        real!(epoll_ctl(epoll, operation, fd, event)),
    )
}
