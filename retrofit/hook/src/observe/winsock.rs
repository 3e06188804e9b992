//! What stands in the slots of Winsock's functions while the program is observed: each looks, if at
//! all, and the system does what was asked. The last error is the one that the system left.

use super::{pending, record, sockets};
use graceful_close_retrofit::observe::Call;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Instant;
use windows_sys::Win32::Foundation::{GetLastError, SetLastError};
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::Threading::ExitProcess;
use windows_sys::Win32::System::IO::OVERLAPPED;

/// How many references to Winsock the program holds: the last one takes all sockets away.
static STARTED: AtomicI32 = AtomicI32::new(0);

/// Without a trace: neither the last error (Winsock's is the same) nor a panic gets into the program.
fn look<T>(what: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: takes nothing; gives a number.
    let before = unsafe { GetLastError() };
    let found = catch_unwind(AssertUnwindSafe(what)).ok();
    // SAFETY: takes a number.
    unsafe { SetLastError(before) };
    found
}

/// At the end of the process, once: what it still has open.
fn at_exit() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    if !IS_OVER.swap(true, Ordering::Relaxed) {
        look(|| record::all_that_are_open(Call::Exit).count());
    }
}

// SAFETY of the callers, of all that follow: as that of the function replaced; the arguments are
// handed on as they are.

pub(super) unsafe extern "system" fn closesocket(socket: ws::SOCKET) -> i32 {
    let close = look(|| record::before_close(socket));
    let begin = close
        .as_ref()
        .and_then(|close| close.may_block().then(Instant::now));
    // SAFETY: the program's number, whatever it is.
    let result = unsafe { ws::closesocket(socket) };
    look(|| {
        let took = begin.map_or(0, |begin| begin.elapsed().as_nanos() as u64);
        if let Some(close) = close {
            close.done(result == 0, took);
        }
    });
    result
}

pub(super) unsafe extern "system" fn shutdown(socket: ws::SOCKET, how: i32) -> i32 {
    // SAFETY: the caller's arguments.
    let result = unsafe { ws::shutdown(socket, how) };
    if result == 0 {
        sockets::note_shut(socket, how);
    }
    result
}

pub(super) unsafe extern "system" fn socket(family: i32, kind: i32, protocol: i32) -> ws::SOCKET {
    // SAFETY: the caller's arguments.
    let socket = unsafe { ws::socket(family, kind, protocol) };
    sockets::note(socket);
    socket
}

pub(super) unsafe extern "system" fn wsa_socket_a(
    family: i32,
    kind: i32,
    protocol: i32,
    info: *const ws::WSAPROTOCOL_INFOA,
    group: u32,
    flags: u32,
) -> ws::SOCKET {
    // SAFETY: the caller's arguments.
    let socket = unsafe { ws::WSASocketA(family, kind, protocol, info, group, flags) };
    sockets::note(socket);
    socket
}

pub(super) unsafe extern "system" fn wsa_socket_w(
    family: i32,
    kind: i32,
    protocol: i32,
    info: *const ws::WSAPROTOCOL_INFOW,
    group: u32,
    flags: u32,
) -> ws::SOCKET {
    // SAFETY: the caller's arguments.
    let socket = unsafe { ws::WSASocketW(family, kind, protocol, info, group, flags) };
    sockets::note(socket);
    socket
}

pub(super) unsafe extern "system" fn accept(
    listener: ws::SOCKET,
    address: *mut ws::SOCKADDR,
    length: *mut i32,
) -> ws::SOCKET {
    // SAFETY: the caller's arguments.
    let socket = unsafe { ws::accept(listener, address, length) };
    sockets::note(socket);
    socket
}

pub(super) unsafe extern "system" fn wsa_accept(
    listener: ws::SOCKET,
    address: *mut ws::SOCKADDR,
    length: *mut i32,
    condition: ws::LPCONDITIONPROC,
    user: usize,
) -> ws::SOCKET {
    // SAFETY: the caller's arguments.
    let socket = unsafe { ws::WSAAccept(listener, address, length, condition, user) };
    sockets::note(socket);
    socket
}

/// A call that the system has told to be pending.
fn note_pending(
    result: i32,
    socket: ws::SOCKET,
    overlapped: *const OVERLAPPED,
    is_send: bool,
) -> i32 {
    // SAFETY: takes nothing; gives a number.
    if result != 0 && unsafe { ws::WSAGetLastError() } == ws::WSA_IO_PENDING {
        pending::note(socket, overlapped, is_send);
    }
    result
}

pub(super) unsafe extern "system" fn wsa_recv(
    socket: ws::SOCKET,
    buffers: *const ws::WSABUF,
    count: u32,
    received: *mut u32,
    flags: *mut u32,
    overlapped: *mut OVERLAPPED,
    completion: ws::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32 {
    // SAFETY: the caller's arguments.
    let result = unsafe {
        ws::WSARecv(
            socket, buffers, count, received, flags, overlapped, completion,
        )
    };
    note_pending(result, socket, overlapped, false)
}

pub(super) unsafe extern "system" fn wsa_send(
    socket: ws::SOCKET,
    buffers: *const ws::WSABUF,
    count: u32,
    sent: *mut u32,
    flags: u32,
    overlapped: *mut OVERLAPPED,
    completion: ws::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32 {
    // SAFETY: the caller's arguments.
    let result =
        unsafe { ws::WSASend(socket, buffers, count, sent, flags, overlapped, completion) };
    note_pending(result, socket, overlapped, true)
}

pub(super) unsafe extern "system" fn wsa_startup(version: u16, data: *mut ws::WSADATA) -> i32 {
    // SAFETY: the caller's arguments.
    let result = unsafe { ws::WSAStartup(version, data) };
    if result == 0 {
        STARTED.fetch_add(1, Ordering::AcqRel);
    }
    result
}

/// The last one closes all sockets of the process. Others than the program may hold one, too: so it is
/// looked behind it whether it was the last.
pub(super) unsafe extern "system" fn wsa_cleanup() -> i32 {
    let may_be_last = STARTED.load(Ordering::Acquire) == 1;
    let open = may_be_last.then(|| look(|| record::all_that_are_open(Call::WsaCleanup)));
    // SAFETY: takes nothing.
    let result = unsafe { ws::WSACleanup() };
    if result == 0 {
        STARTED.fetch_sub(1, Ordering::AcqRel);
        look(|| {
            if let Some(open) = open.flatten().filter(record::Open::are_gone) {
                open.count();
                sockets::forget_all();
            }
        });
    }
    result
}

/// Also for RtlExitUserProcess.
pub(super) unsafe extern "system" fn exit_process(code: u32) -> ! {
    at_exit();
    // SAFETY: takes a number.
    unsafe { ExitProcess(code) }
}
