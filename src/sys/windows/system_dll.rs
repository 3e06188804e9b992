//! Functions looked up at run time.

use super::handle::RawSocket;
use std::ffi::c_void;
use std::mem::{size_of_val, transmute};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use windows_sys::core::PCSTR;
use windows_sys::s;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleHandleA, GetModuleHandleExA, GetProcAddress, GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
    GET_MODULE_HANDLE_EX_FLAG_PIN, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
};

type CloseSocket = unsafe extern "system" fn(RawSocket) -> i32;
type NtQueryObject = unsafe extern "system" fn(*mut c_void, i32, *mut c_void, u32, *mut u32) -> i32;

type NtQueryInformationFile =
    unsafe extern "system" fn(*mut c_void, *mut c_void, *mut c_void, u32, i32) -> i32;

type CaptureStackBackTrace = unsafe extern "system" fn(u32, u32, *mut *mut c_void, *mut u32) -> u16;

/// FILE_INFORMATION_CLASS ("NtQueryInformationFile"), and of its answer FILE_SYNCHRONOUS_IO_ALERT
/// and FILE_SYNCHRONOUS_IO_NONALERT ("NtCreateFile").
const FILE_MODE_INFORMATION: i32 = 16;
const FILE_SYNCHRONOUS_IO: u32 = 0x10 | 0x20;

/// OBJECT_INFORMATION_CLASS ("NtQueryObject").
const OBJECT_BASIC_INFORMATION: i32 = 0;
/// PUBLIC_OBJECT_BASIC_INFORMATION as words: attributes, access, handle count,
/// pointer count, and ten reserved ones.
const BASIC_INFORMATION_WORDS: usize = 14;
const HANDLE_COUNT: usize = 2;

/// The system's own closesocket. That of the link may be the program's
/// override, which calls us.
pub(super) fn closesocket() -> Option<CloseSocket> {
    static CLOSESOCKET: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let address = look_up(&CLOSESOCKET, s!("ws2_32.dll"), s!("closesocket"))?;
    // SAFETY: the function of this name has this type ("closesocket").
    Some(unsafe { transmute::<*mut c_void, CloseSocket>(address) })
}

/// How many handles, in all processes, refer to the same socket. A duplicate
/// and a handle that a child has inherited count alike.
pub(super) fn handle_count(socket: RawSocket) -> Option<u32> {
    static NT_QUERY_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let address = look_up(&NT_QUERY_OBJECT, s!("ntdll.dll"), s!("NtQueryObject"))?;
    // SAFETY: the function of this name has this type ("NtQueryObject").
    let query = unsafe { transmute::<*mut c_void, NtQueryObject>(address) };
    let mut information = [0u32; BASIC_INFORMATION_WORDS];
    // SAFETY: `information` is as large as said; the length that would be
    // needed may be left out; a number that is no handle makes it fail.
    let status = unsafe {
        query(
            socket as *mut c_void,
            OBJECT_BASIC_INFORMATION,
            information.as_mut_ptr().cast(),
            size_of_val(&information) as u32,
            null_mut(),
        )
    };
    (status >= 0).then_some(information[HANDLE_COUNT])
}

/// Whether the handle's calls end before they return, as those of a socket without
/// WSA_FLAG_OVERLAPPED.
pub(super) fn is_synchronous(socket: RawSocket) -> Option<bool> {
    static NT_QUERY_FILE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let name = s!("NtQueryInformationFile");
    let address = look_up(&NT_QUERY_FILE, s!("ntdll.dll"), name)?;
    // SAFETY: the function of this name has this type ("NtQueryInformationFile").
    let query = unsafe { transmute::<*mut c_void, NtQueryInformationFile>(address) };
    let mut status_block = [0usize; 2];
    let mut mode = 0u32;
    // SAFETY: `mode` and `status_block` are as large as said and as IO_STATUS_BLOCK; a number
    // that is no handle makes it fail.
    let status = unsafe {
        query(
            socket as *mut c_void,
            status_block.as_mut_ptr().cast(),
            (&mut mode as *mut u32).cast(),
            size_of_val(&mode) as u32,
            FILE_MODE_INFORMATION,
        )
    };
    (status >= 0).then_some(mode & FILE_SYNCHRONOUS_IO != 0)
}

/// Keeps the module that this code is in, DLL or program, loaded to the end.
pub(super) fn pin_this_module() {
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    let mut module = null_mut();
    let inside = pin_this_module as fn() as *const u8;
    // SAFETY: an address inside the module instead of its name, as the flag says.
    unsafe { GetModuleHandleExA(flags, inside, &mut module) };
}

/// The module that an address is in. It is not held: whoever asks knows that it stays.
pub(super) fn module_of(address: usize) -> Option<HMODULE> {
    let flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut module = null_mut();
    // SAFETY: an address instead of a name, as the flag says.
    let found = unsafe { GetModuleHandleExA(flags, address as *const u8, &mut module) };
    (found != 0).then_some(module)
}

/// Return addresses, the innermost first: as many as there is room for, and 62 at most on
/// Windows XP ("RtlCaptureStackBackTrace").
pub(super) fn capture_stack(room: &mut [*mut c_void]) -> &[*mut c_void] {
    static CAPTURE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let name = s!("RtlCaptureStackBackTrace");
    let Some(address) = look_up(&CAPTURE, s!("ntdll.dll"), name) else {
        return &[];
    };
    // SAFETY: the function of this name has this type ("RtlCaptureStackBackTrace").
    let capture = unsafe { transmute::<*mut c_void, CaptureStackBackTrace>(address) };
    // SAFETY: as many places as said; a hash may be left out.
    let count = unsafe { capture(0, room.len() as u32, room.as_mut_ptr(), null_mut()) };
    &room[..usize::from(count).min(room.len())]
}

/// The address of a function of a DLL that is loaded for certain, looked up
/// once. Threads that do it at the same time find the same.
fn look_up(cache: &AtomicPtr<c_void>, dll: PCSTR, name: PCSTR) -> Option<*mut c_void> {
    let known = cache.load(Ordering::Relaxed);
    if !known.is_null() {
        return Some(known);
    }
    // SAFETY: both are literals that end with a zero; the module handle is the loader's own
    // and is not given back.
    let address = unsafe {
        let module = GetModuleHandleA(dll);
        if module.is_null() {
            return None;
        }
        GetProcAddress(module, name)?
    };
    let address = address as *mut c_void;
    cache.store(address, Ordering::Relaxed);
    Some(address)
}
