//! Which modules belong to the program: its executable, and what lies in its folder or below.

use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{FreeLibrary, HMODULE, MAX_PATH};
use windows_sys::Win32::Globalization::{CompareStringOrdinal, CSTR_EQUAL};
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleFileNameW, GetModuleHandleExW, GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
};
use windows_sys::Win32::System::ProcessStatus::K32EnumProcessModules;
use windows_sys::Win32::System::SystemInformation::GetSystemWindowsDirectoryW;
use windows_sys::Win32::System::Threading::GetCurrentProcess;

const SEPARATORS: [u16; 2] = [b'\\' as u16, b'/' as u16];
/// The longest path there is.
const LONGEST: usize = 32768;

/// A module that cannot be unloaded as long as this is held.
pub(crate) struct Held(HMODULE);

impl Held {
    /// `None`: it has been unloaded meanwhile.
    pub(crate) fn of(module: HMODULE) -> Option<Held> {
        let mut held = null_mut();
        // SAFETY: an address instead of a name, as the flag says; one that is in no module
        // makes it fail.
        let done = unsafe {
            GetModuleHandleExW(
                GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                module.cast(),
                &mut held,
            )
        };
        (done != 0).then_some(Held(held))
    }

    pub(crate) fn base(&self) -> usize {
        self.0 as usize
    }

    /// Its path, as the loader has it.
    pub(crate) fn path(&self) -> Vec<u16> {
        path_of(self.0)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: given back once, for the reference that `of` has taken.
        unsafe { FreeLibrary(self.0) };
    }
}

/// The path of a module; null stands for the program. Empty if it cannot be had.
pub(crate) fn path_of(module: HMODULE) -> Vec<u16> {
    let mut path = vec![0u16; MAX_PATH as usize];
    loop {
        // SAFETY: the buffer is as large as said.
        let length = unsafe { GetModuleFileNameW(module, path.as_mut_ptr(), path.len() as u32) };
        if (length as usize) < path.len() || path.len() >= LONGEST {
            path.truncate(length as usize);
            return path;
        }
        path.resize(path.len() * 2, 0);
    }
}

/// All modules of this process, in the order in which they were loaded.
pub(crate) fn modules() -> Vec<HMODULE> {
    let mut list: Vec<HMODULE> = vec![null_mut(); 256];
    loop {
        let size = (list.len() * size_of::<HMODULE>()) as u32;
        let mut needed = 0;
        // SAFETY: the buffer is as large as said; the pseudo handle need not be closed.
        let done = unsafe {
            K32EnumProcessModules(GetCurrentProcess(), list.as_mut_ptr(), size, &mut needed)
        };
        if done == 0 {
            return Vec::new();
        }
        let count = needed as usize / size_of::<HMODULE>();
        if count <= list.len() {
            list.truncate(count);
            return list;
        }
        list.resize(count + 16, null_mut());
    }
}

/// The folder of a path, with the separator at its end.
pub(crate) fn folder_of(path: &[u16]) -> &[u16] {
    let end = path.iter().rposition(|unit| SEPARATORS.contains(unit));
    &path[..end.map_or(0, |at| at + 1)]
}

/// The last part of a path.
pub(crate) fn name_of(path: &[u16]) -> &[u16] {
    &path[folder_of(path).len()..]
}

/// Whether two names are the same to the file system.
pub(crate) fn is_same(left: &[u16], right: &[u16]) -> bool {
    let length = |text: &[u16]| i32::try_from(text.len()).unwrap_or(0);
    // SAFETY: as many units as said.
    let order = unsafe {
        CompareStringOrdinal(
            left.as_ptr(),
            length(left),
            right.as_ptr(),
            length(right),
            1,
        )
    };
    order == CSTR_EQUAL
}

/// Whether a path lies in a folder (which ends with a separator) or below it.
pub(crate) fn is_in(path: &[u16], folder: &[u16]) -> bool {
    !folder.is_empty() && path.len() > folder.len() && is_same(&path[..folder.len()], folder)
}

/// Whether a folder belongs to Windows itself: all the system's modules are beside a program
/// there, and none of them is the program's.
pub(crate) fn is_of_the_system(folder: &[u16]) -> bool {
    let mut windows = vec![0u16; MAX_PATH as usize];
    // SAFETY: the buffer is as large as said.
    let length = unsafe { GetSystemWindowsDirectoryW(windows.as_mut_ptr(), MAX_PATH) } as usize;
    if length == 0 || length >= windows.len() {
        return false;
    }
    windows.truncate(length);
    windows.push(SEPARATORS[0]);
    folder.len() >= windows.len() && is_same(&folder[..windows.len()], &windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn folders_end_with_their_separator() {
        let path = wide("C:\\Program Files\\a b\\server.exe");
        assert_eq!(folder_of(&path), wide("C:\\Program Files\\a b\\"));
        assert_eq!(name_of(&path), wide("server.exe"));
        assert_eq!(folder_of(&wide("server.exe")), []);
    }

    #[test]
    fn below_a_folder_is_in_it_and_beside_is_not() {
        let folder = wide("C:\\App\\");
        assert!(is_in(&wide("c:\\app\\x.dll"), &folder));
        assert!(is_in(&wide("C:\\App\\sub\\x.dll"), &folder));
        assert!(!is_in(&wide("C:\\Apps\\x.dll"), &folder));
        assert!(!is_in(&wide("C:\\x.dll"), &folder));
        assert!(!is_in(&wide("x.dll"), &[]));
    }

    #[test]
    fn the_system_folder_is_known() {
        let kernel = Held::of(modules_named("kernel32.dll")).unwrap();
        assert!(is_of_the_system(folder_of(&kernel.path())));
        assert!(!is_of_the_system(&wide("Z:\\somewhere\\")));
    }

    fn modules_named(name: &str) -> HMODULE {
        let name = wide(name);
        let is_it = |module: &HMODULE| is_same(name_of(&path_of(*module)), &name);
        modules().into_iter().find(is_it).unwrap()
    }
}
