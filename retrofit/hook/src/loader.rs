//! Modules that come later, and addresses that are looked up.

use crate::patch;
use crate::replacement_table::{self, Role};
use std::mem::transmute;
use windows_sys::core::{PCSTR, PCWSTR};
use windows_sys::Win32::Foundation::{GetLastError, SetLastError, FARPROC, HANDLE, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LoadLibraryA, LoadLibraryExA, LoadLibraryExW, LoadLibraryW,
    LOAD_LIBRARY_AS_DATAFILE, LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE, LOAD_LIBRARY_AS_IMAGE_RESOURCE,
};

/// Ways to load a file that run nothing of it.
const AS_DATA: u32 =
    LOAD_LIBRARY_AS_DATAFILE | LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE | LOAD_LIBRARY_AS_IMAGE_RESOURCE;

/// Several modules may have come with one.
fn after_load(module: HMODULE) -> HMODULE {
    if !module.is_null() {
        // SAFETY: takes and gives a number.
        let before = unsafe { GetLastError() };
        patch::all_modules();
        // SAFETY: likewise.
        unsafe { SetLastError(before) };
    }
    module
}

// SAFETY of the callers, of all five: as that of the function replaced; the arguments are
// handed on as they are.

pub(crate) unsafe extern "system" fn load_library_a(name: PCSTR) -> HMODULE {
    // SAFETY: the caller's arguments.
    after_load(unsafe { LoadLibraryA(name) })
}

pub(crate) unsafe extern "system" fn load_library_w(name: PCWSTR) -> HMODULE {
    // SAFETY: the caller's arguments.
    after_load(unsafe { LoadLibraryW(name) })
}

pub(crate) unsafe extern "system" fn load_library_ex_a(
    name: PCSTR,
    file: HANDLE,
    flags: u32,
) -> HMODULE {
    // SAFETY: the caller's arguments.
    let module = unsafe { LoadLibraryExA(name, file, flags) };
    if flags & AS_DATA != 0 {
        return module;
    }
    after_load(module)
}

pub(crate) unsafe extern "system" fn load_library_ex_w(
    name: PCWSTR,
    file: HANDLE,
    flags: u32,
) -> HMODULE {
    // SAFETY: the caller's arguments.
    let module = unsafe { LoadLibraryExW(name, file, flags) };
    if flags & AS_DATA != 0 {
        return module;
    }
    after_load(module)
}

/// Winsock's functions alone are exchanged: the address of LoadLibraryW may be looked up to be
/// called in another process, where ours is nothing. A module that came by a way we do not see
/// is noticed here at the latest.
pub(crate) unsafe extern "system" fn get_proc_address(module: HMODULE, name: PCSTR) -> FARPROC {
    // SAFETY: the caller's arguments.
    let found = unsafe { GetProcAddress(module, name) }?;
    if !patch::has_seen(module) {
        after_load(module);
    }
    let replacement = match replacement_table::entry_for(found as usize) {
        Some(entry) if matches!(entry.role, Role::Close | Role::Winsock) => entry.replacement,
        _ => return Some(found),
    };
    // SAFETY: the address of a function of ours with the type of the one looked up.
    Some(unsafe { transmute::<usize, unsafe extern "system" fn() -> isize>(replacement) })
}
