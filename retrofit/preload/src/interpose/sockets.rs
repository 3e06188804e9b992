//! Where sockets come from, and what is done with them.

use super::{openings, real};
use crate::close;
use crate::fd_table::{self, CONNECTED};
use crate::holders;
use crate::observe;
use crate::process;
use crate::room;
use crate::settings;
use crate::tcp::{self, Fate};
use libc::{c_int, c_uint, c_void, mmsghdr, msghdr, socklen_t};
use std::sync::atomic::Ordering::Relaxed;

/// A descriptor that the system makes.
pub fn make(real: impl Fn() -> c_int) -> c_int {
    if !process::is_own() {
        return real();
    }
    let birth = holders::before_birth();
    let fd = openings::number_of_own(real);
    if fd >= 0 {
        holders::born(fd, birth);
    }
    fd
}

/// # Safety
/// As socket().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int {
    make(|| real!(socket(family, kind, protocol)))
}

/// # Safety
/// As accept().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn accept(fd: c_int, address: *mut c_void, size: *mut socklen_t) -> c_int {
    make(|| real!(accept(fd, address, size)))
}

/// # Safety
/// As accept4().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn accept4(
    fd: c_int,
    address: *mut c_void,
    size: *mut socklen_t,
    flags: c_int,
) -> c_int {
    make(|| real!(accept4(fd, address, size, flags)))
}

/// Before the call, which may be the beginning only.
pub fn connects(fd: c_int) {
    if process::is_own() {
        if let Some(entry) = fd_table::get(fd) {
            entry.add_flags(fd, CONNECTED);
        }
    }
}

/// # Safety
/// As connect().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn connect(fd: c_int, address: *const c_void, size: socklen_t) -> c_int {
    connects(fd);
    real!(connect(fd, address, size))
}

/// # Safety
/// As setsockopt().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    size: socklen_t,
) -> c_int {
    tcp::option_is_set(level, name);
    real!(setsockopt(fd, level, name, value, size))
}

/// What is really shut.
pub fn shut(fd: c_int, how: c_int) -> c_int {
    if observe::is_on() {
        observe::shuts(fd, how);
        return how;
    }
    let is_half = how == libc::SHUT_RDWR
        && settings::BOTH_IS_HALF.load(Relaxed)
        && process::is_own()
        && tcp::examine(fd, close::origin(fd_table::word_of(fd)), true) == Fate::Park;
    if is_half {
        libc::SHUT_WR
    } else {
        how
    }
}

/// # Safety
/// As shutdown().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    let how = shut(fd, how);
    real!(shutdown(fd, how))
}

/// Calls `work` with each descriptor in a message's control data.
///
/// # Safety
/// The message must be one that the kernel would take, or has filled.
// the length is of another type in other C libraries
#[allow(clippy::unnecessary_cast)]
unsafe fn for_each_descriptor(message: *const msghdr, work: impl Fn(c_int)) {
    // SAFETY: as the caller promises; the macros stay within msg_controllen.
    unsafe {
        if message.is_null() || (*message).msg_control.is_null() {
            return;
        }
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(part) = header.as_ref() {
            if part.cmsg_level == libc::SOL_SOCKET && part.cmsg_type == libc::SCM_RIGHTS {
                let empty = libc::CMSG_LEN(0) as usize;
                let size = (part.cmsg_len as usize).saturating_sub(empty);
                let first = libc::CMSG_DATA(header).cast::<c_int>();
                for at in 0..size / size_of::<c_int>() {
                    work(first.add(at).read_unaligned());
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}

/// Before a message is sent.
///
/// # Safety
/// As sendmsg().
pub unsafe fn sends(message: *const msghdr) {
    if process::is_awake() {
        // SAFETY: what the caller gives to the kernel.
        unsafe { for_each_descriptor(message, holders::passed) };
    }
}

/// A message has come in.
///
/// # Safety
/// As recvmsg(), which has succeeded.
pub unsafe fn received(message: *const msghdr) {
    if process::is_awake() {
        // SAFETY: what the kernel has filled.
        unsafe {
            for_each_descriptor(message, |fd| {
                holders::received(fd);
                room::taken(fd);
            });
        }
    }
}

/// # Safety
/// As sendmsg().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> isize {
    // SAFETY: the caller's message.
    unsafe { sends(message) };
    real!(sendmsg(fd, message, flags))
}

/// # Safety
/// As recvmsg().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> isize {
    let result = real!(recvmsg(fd, message, flags));
    if result >= 0 {
        // SAFETY: the caller's message, as the kernel left it.
        unsafe { received(message) };
    }
    result
}

/// # Safety
/// As sendmmsg().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    for at in 0..count as usize {
        // SAFETY: the caller's messages, which are so many.
        unsafe { sends(&(*messages.add(at)).msg_hdr) };
    }
    real!(sendmmsg(fd, messages, count, flags))
}

/// # Safety
/// As recvmmsg().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    limit: *mut libc::timespec,
) -> c_int {
    let result = real!(recvmmsg(fd, messages, count, flags, limit));
    for at in 0..result.max(0) as usize {
        // SAFETY: so many messages the kernel has filled.
        unsafe { received(&(*messages.add(at)).msg_hdr) };
    }
    result
}
