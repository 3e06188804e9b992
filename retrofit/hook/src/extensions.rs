//! AcceptEx and ConnectEx: which sockets they connect, and what these lack until their context is
//! updated. Without it the addresses are not told and shutdown() is refused ("AcceptEx",
//! "ConnectEx"); many servers with completion ports do without.

use crate::clients;
use std::ffi::c_void;
use std::mem::{size_of, transmute};
use std::ptr::{addr_of, addr_of_mut, null};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use windows_sys::core::{BOOL, GUID};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::IO::OVERLAPPED;

/// Type of ConnectEx, which is had from WSAIoctl alone.
type ConnectEx = unsafe extern "system" fn(
    ws::SOCKET,
    *const ws::SOCKADDR,
    i32,
    *const c_void,
    u32,
    *mut u32,
    *mut OVERLAPPED,
) -> BOOL;

/// Type of AcceptEx, which mswsock.dll exports, too.
type AcceptEx = unsafe extern "system" fn(
    ws::SOCKET,
    ws::SOCKET,
    *mut c_void,
    u32,
    u32,
    u32,
    *mut u32,
    *mut OVERLAPPED,
) -> BOOL;

/// The system's, once the program has asked for it.
static CONNECT_EX: AtomicUsize = AtomicUsize::new(0);
static ACCEPT_EX: AtomicUsize = AtomicUsize::new(0);
/// That of mswsock.dll's export table, which is another one.
static EXPORTED_ACCEPT_EX: AtomicUsize = AtomicUsize::new(0);

/// Sockets that AcceptEx was to connect, and their listeners; sorted by the former.
static ACCEPTED: Mutex<Vec<(ws::SOCKET, ws::SOCKET)>> = Mutex::new(Vec::new());

fn accepted() -> MutexGuard<'static, Vec<(ws::SOCKET, ws::SOCKET)>> {
    ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that was another socket's before has this listener from now on.
fn note_accept(socket: ws::SOCKET, listener: ws::SOCKET) {
    let mut accepted = accepted();
    match accepted.binary_search_by_key(&socket, |&(socket, _)| socket) {
        Ok(place) => accepted[place].1 = listener,
        Err(place) => accepted.insert(place, (socket, listener)),
    }
}

/// Its listener, if AcceptEx was to connect it. The number is free for another one from now on.
pub(crate) fn forget(socket: ws::SOCKET) -> Option<ws::SOCKET> {
    let mut accepted = accepted();
    let place = accepted.binary_search_by_key(&socket, |&(socket, _)| socket);
    place.ok().map(|place| accepted.remove(place).1)
}

unsafe extern "system" fn connect_ex(
    socket: ws::SOCKET,
    name: *const ws::SOCKADDR,
    length: i32,
    data: *const c_void,
    data_length: u32,
    sent: *mut u32,
    overlapped: *mut OVERLAPPED,
) -> BOOL {
    clients::note_connect(socket);
    let real = CONNECT_EX.load(Ordering::Acquire);
    // SAFETY: this function is handed out only after the real one has been stored, which has
    // this type; the caller's arguments.
    unsafe {
        let real = transmute::<usize, ConnectEx>(real);
        real(socket, name, length, data, data_length, sent, overlapped)
    }
}

/// A function with AcceptEx's arguments that calls the one of this address.
macro_rules! accept_ex {
    ($name:ident, $real:ident) => {
        #[allow(clippy::too_many_arguments)] // they are Winsock's
        pub(crate) unsafe extern "system" fn $name(
            listener: ws::SOCKET,
            socket: ws::SOCKET,
            buffer: *mut c_void,
            data_length: u32,
            local_length: u32,
            remote_length: u32,
            received: *mut u32,
            overlapped: *mut OVERLAPPED,
        ) -> BOOL {
            note_accept(socket, listener);
            let real = $real.load(Ordering::Acquire);
            // SAFETY: this function is handed out only after the real one has been stored,
            // which has this type; the caller's arguments.
            unsafe {
                let real = transmute::<usize, AcceptEx>(real);
                real(
                    listener,
                    socket,
                    buffer,
                    data_length,
                    local_length,
                    remote_length,
                    received,
                    overlapped,
                )
            }
        }
    };
}
accept_ex!(accept_ex, ACCEPT_EX);
accept_ex!(exported_accept_ex, EXPORTED_ACCEPT_EX);

/// Before [`exported_accept_ex`] stands in any slot.
pub(crate) fn set_exported_accept_ex(real: usize) {
    EXPORTED_ACCEPT_EX.store(real, Ordering::Release);
}

fn is_same(one: &GUID, other: &GUID) -> bool {
    one.data1 == other.data1
        && one.data2 == other.data2
        && one.data3 == other.data3
        && one.data4 == other.data4
}

/// Puts ours in the place of what SIO_GET_EXTENSION_FUNCTION_POINTER has answered.
///
/// # Safety
/// Both point to what their types say, aligned or not.
pub(crate) unsafe fn exchange(asked: *const GUID, answer: *mut usize) {
    // SAFETY: the caller's.
    let (asked, real) = unsafe { (asked.read_unaligned(), answer.read_unaligned()) };
    let (place, ours) = if is_same(&asked, &ws::WSAID_CONNECTEX) {
        (&CONNECT_EX, connect_ex as *const () as usize)
    } else if is_same(&asked, &ws::WSAID_ACCEPTEX) {
        (&ACCEPT_EX, accept_ex as *const () as usize)
    } else {
        return;
    };
    if real == 0 || real == ours {
        return;
    }
    // One provider per address family may answer with a function of its own: ours stands for
    // the first alone.
    let known = place.compare_exchange(0, real, Ordering::AcqRel, Ordering::Acquire);
    if known.is_ok() || known == Err(real) {
        // SAFETY: the caller's.
        unsafe { answer.write_unaligned(ours) };
    }
}

/// What the program has left out: without it the socket cannot be finished. A refusal changes
/// nothing. SO_UPDATE_ACCEPT_CONTEXT takes over what is set on the listener; what the program
/// has set on the socket about lingering stays.
pub(crate) fn complete(socket: ws::SOCKET, listener: Option<ws::SOCKET>) {
    let linger = linger_of(socket);
    match listener {
        Some(listener) => {
            let size = size_of::<ws::SOCKET>();
            let place = addr_of!(listener).cast();
            set(socket, ws::SO_UPDATE_ACCEPT_CONTEXT, place, size);
        }
        None => set(socket, ws::SO_UPDATE_CONNECT_CONTEXT, null(), 0),
    }
    if let Some(linger) = linger {
        let size = size_of::<ws::LINGER>();
        set(socket, ws::SO_LINGER, addr_of!(linger).cast(), size);
    }
}

fn set(socket: ws::SOCKET, option: i32, value: *const u8, size: usize) {
    // SAFETY: `value` is as large as said, or null without a size; what is no socket makes it
    // fail.
    unsafe { ws::setsockopt(socket, ws::SOL_SOCKET, option, value, size as i32) };
}

fn linger_of(socket: ws::SOCKET) -> Option<ws::LINGER> {
    let mut linger = ws::LINGER {
        l_onoff: 0,
        l_linger: 0,
    };
    let mut size = size_of::<ws::LINGER>() as i32;
    // SAFETY: `linger` is as large as said; what is no socket makes it fail.
    let result = unsafe {
        let place = addr_of_mut!(linger).cast();
        ws::getsockopt(socket, ws::SOL_SOCKET, ws::SO_LINGER, place, &mut size)
    };
    (result == 0).then_some(linger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_listener_of_a_number_counts_and_is_forgotten() {
        note_accept(0x7e04, 1);
        note_accept(0x7e00, 2);
        note_accept(0x7e04, 3);
        assert_eq!(forget(0x7e04), Some(3));
        assert_eq!(forget(0x7e04), None);
        assert_eq!(forget(0x7e00), Some(2));
    }
}
