//! closesocket() of a program that is linked with the archive: it stands in front of Winsock's import
//! library, so that the linker takes ours. The build gives these names their places: closesocket, and
//! __imp_closesocket for calls that were compiled against winsock2.h; inside, Winsock's own function
//! has another name (scripts/build-override). What DLLs call, and GetProcAddress, stays the system's.

use crate::{folder, log, park, settings, shutdown, winsock};
use graceful_close::internals;
use std::ffi::{c_int, c_ulong};
use std::os::windows::io::RawSocket;
use std::ptr::null;
use std::sync::OnceLock;
use windows_sys::Win32::Foundation::{GetLastError, SetLastError};
use windows_sys::Win32::Networking::WinSock::{closesocket, WSASetLastError, SOCKET, SOCKET_ERROR};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;

extern "C" {
    fn atexit(handler: extern "C" fn()) -> c_int;
}

/// # Safety
/// As closesocket().
#[no_mangle]
pub unsafe extern "system" fn graceful_close_closesocket(socket: SOCKET) -> c_int {
    if !is_on() {
        // SAFETY: the caller's number, whatever it is.
        return unsafe { closesocket(socket) };
    }
    // SAFETY: as the caller promises.
    unsafe { winsock::closesocket(socket) }
}

/// What calls through the import table read.
#[used]
#[cfg_attr(
    target_pointer_width = "64",
    export_name = "__imp_graceful_close_closesocket"
)]
#[cfg_attr(
    target_pointer_width = "32",
    export_name = "_imp__graceful_close_closesocket@4"
)]
static IMPORTED: unsafe extern "system" fn(SOCKET) -> c_int = graceful_close_closesocket;

/// Winsock's own, which is asked for at run time: the program does not import it any more. What calls
/// closesocket() inside comes here.
///
/// # Safety
/// As closesocket().
#[no_mangle]
pub unsafe extern "system" fn graceful_close_real_closesocket(socket: SOCKET) -> c_int {
    match internals::closesocket(socket as RawSocket) {
        Ok(()) => 0,
        Err(code) => {
            // SAFETY: takes a number.
            unsafe { WSASetLastError(code) };
            SOCKET_ERROR
        }
    }
}

#[used]
#[cfg_attr(
    target_pointer_width = "64",
    export_name = "__imp_graceful_close_real_closesocket"
)]
#[cfg_attr(
    target_pointer_width = "32",
    export_name = "_imp__graceful_close_real_closesocket@4"
)]
static REAL: unsafe extern "system" fn(SOCKET) -> c_int = graceful_close_real_closesocket;

/// How many closes have been taken over so far. `nm program` shows by this name whether the archive
/// was linked in.
#[no_mangle]
pub extern "C" fn graceful_close_override_active() -> c_ulong {
    park::taken_over()
}

/// Finds it out at the first close.
fn is_on() -> bool {
    // SAFETY: takes nothing; gives a number.
    let before = unsafe { GetLastError() };
    let is_on = start();
    // SAFETY: takes a number.
    unsafe { SetLastError(before) };
    is_on
}

fn start() -> bool {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    *IS_ON.get_or_init(|| {
        let settings = settings::get();
        // SAFETY: null asks for the program.
        let path = folder::path_of(unsafe { GetModuleHandleW(null()) });
        let name = String::from_utf16_lossy(folder::name_of(&path));
        if settings.off || !settings.are_for(&name) {
            return false;
        }
        if let Some(path) = &settings.log {
            log::open(path, &name);
        }
        // The archive is part of the program, so this is the program's own atexit: its handlers run
        // while all threads are alive. The wait comes early: the program's threads run on meanwhile,
        // and must not find what destructors have taken down.
        // SAFETY: a function that lives as long as the program.
        unsafe { atexit(at_exit) };
        true
    })
}

/// Behind all handlers of atexit() and destructors of the program, which may close, too.
#[used]
#[link_section = ".dtors"]
#[no_mangle]
static graceful_close_override_at_the_end: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    // the handlers of a DLL run then, too: there is nobody to wait for
    if !shutdown::is_under_way() {
        park::flush_at_exit();
    }
}
