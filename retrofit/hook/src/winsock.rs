//! What stands in the slots instead of Winsock's functions.

use crate::eligible::{self, Ends};
use crate::{clients, extensions, park, settings, shutdown};
use std::ffi::c_void;
use std::mem::size_of;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicI32, Ordering};
use windows_sys::core::GUID;
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::IO::OVERLAPPED;

/// How many references to Winsock the program holds.
static STARTED: AtomicI32 = AtomicI32::new(0);

/// closesocket: what qualifies is finished in the background, everything else is closed by the
/// real one. The thread's last error stays as it was, or is that of the real one.
pub(crate) unsafe extern "system" fn closesocket(socket: ws::SOCKET) -> i32 {
    if shutdown::is_under_way() {
        return real_close(socket);
    }
    // No panic may cross into the program, whatever its reason.
    match catch_unwind(|| close(socket)) {
        Ok(Some(result)) => result,
        Ok(None) => real_close(socket),
        // Not known whether it is still open. Rather a lost handle than somebody else's closed.
        Err(_) => 0,
    }
}

fn real_close(socket: ws::SOCKET) -> i32 {
    // SAFETY: the program's number, whatever it is.
    unsafe { ws::closesocket(socket) }
}

/// `None`: it is for the real closesocket.
fn close(socket: ws::SOCKET) -> Option<i32> {
    // SAFETY: takes nothing; gives a number.
    let before = unsafe { ws::WSAGetLastError() };
    let code = match park::holds(socket) {
        // Closed, as far as the program is concerned.
        true => Some((ws::SOCKET_ERROR, ws::WSAENOTSOCK)),
        false => close_open(socket).then_some((0, before)),
    };
    // SAFETY: takes a number.
    unsafe { ws::WSASetLastError(code.map_or(before, |(_, error)| error)) };
    code.map(|(result, _)| result)
}

/// Whether it is done.
fn close_open(socket: ws::SOCKET) -> bool {
    let is_client = clients::forget(socket);
    let listener = extensions::forget(socket);
    match eligible::left_for_what(socket, is_client) {
        None => {
            if !Ends::of(socket).are_known() {
                extensions::complete(socket, listener);
            }
            park::hand_over(socket)
        }
        Some(why) => {
            eligible::tell(socket, why);
            false
        }
    }
}

pub(crate) unsafe extern "system" fn connect(
    socket: ws::SOCKET,
    name: *const ws::SOCKADDR,
    length: i32,
) -> i32 {
    clients::note_connect(socket);
    // SAFETY: the caller's arguments.
    unsafe { ws::connect(socket, name, length) }
}

pub(crate) unsafe extern "system" fn wsa_connect(
    socket: ws::SOCKET,
    name: *const ws::SOCKADDR,
    length: i32,
    caller_data: *const ws::WSABUF,
    callee_data: *mut ws::WSABUF,
    sqos: *const ws::QOS,
    gqos: *const ws::QOS,
) -> i32 {
    clients::note_connect(socket);
    // SAFETY: the caller's arguments.
    unsafe { ws::WSAConnect(socket, name, length, caller_data, callee_data, sqos, gqos) }
}

#[allow(clippy::too_many_arguments)] // they are Winsock's
pub(crate) unsafe extern "system" fn wsa_ioctl(
    socket: ws::SOCKET,
    code: u32,
    input: *const c_void,
    input_size: u32,
    output: *mut c_void,
    output_size: u32,
    returned: *mut u32,
    overlapped: *mut OVERLAPPED,
    completion: ws::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32 {
    // SAFETY: the caller's arguments.
    let result = unsafe {
        ws::WSAIoctl(
            socket,
            code,
            input,
            input_size,
            output,
            output_size,
            returned,
            overlapped,
            completion,
        )
    };
    let is_question = result == 0 && code == ws::SIO_GET_EXTENSION_FUNCTION_POINTER;
    let has_room =
        input_size as usize >= size_of::<GUID>() && output_size as usize >= size_of::<usize>();
    if is_question && has_room && !input.is_null() && !output.is_null() {
        // SAFETY: as large as that, and the call that has just succeeded has used both.
        unsafe { extensions::exchange(input.cast(), output.cast()) };
    }
    result
}

/// Only if the settings say so: both directions means the sending one, so that what still comes
/// in does not reset the connection.
pub(crate) unsafe extern "system" fn shutdown(socket: ws::SOCKET, how: i32) -> i32 {
    let how = match how {
        ws::SD_BOTH if settings::get().both_is_half => ws::SD_SEND,
        how => how,
    };
    // SAFETY: the caller's arguments.
    unsafe { ws::shutdown(socket, how) }
}

pub(crate) unsafe extern "system" fn wsa_startup(version: u16, data: *mut ws::WSADATA) -> i32 {
    // SAFETY: the caller's arguments.
    let result = unsafe { ws::WSAStartup(version, data) };
    if result == 0 {
        STARTED.fetch_add(1, Ordering::AcqRel);
    }
    result
}

/// The reaper's thread holds a reference of its own, which outlives the program's last one and
/// keeps its sockets. A program that gives back more than it has must not take that.
pub(crate) unsafe extern "system" fn wsa_cleanup() -> i32 {
    let take = |held: i32| (held > 0).then(|| held - 1);
    let had_one = STARTED
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
        .is_ok();
    if !had_one && park::is_at_work() {
        // SAFETY: takes a number.
        unsafe { ws::WSASetLastError(ws::WSANOTINITIALISED) };
        return ws::SOCKET_ERROR;
    }
    // SAFETY: takes nothing.
    let result = unsafe { ws::WSACleanup() };
    if result != 0 && had_one {
        STARTED.fetch_add(1, Ordering::AcqRel);
    }
    result
}
