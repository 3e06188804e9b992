//! Puts the DLL into another process, which has been started suspended.

use std::ffi::{c_void, CStr};
use std::fmt;
use std::mem::{size_of, transmute, zeroed};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    CloseHandle, GetLastError, ERROR_BAD_LENGTH, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Diagnostics::Debug::WriteProcessMemory;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, Module32FirstW, Module32NextW, MODULEENTRY32W, TH32CS_SNAPMODULE,
};
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleHandleA, GetProcAddress, LoadLibraryExW, DONT_RESOLVE_DLL_REFERENCES,
};
use windows_sys::Win32::System::Memory::{
    VirtualAllocEx, VirtualFreeEx, MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE,
};
use windows_sys::Win32::System::Threading::{
    CreateRemoteThread, GetCurrentProcess, GetExitCodeThread, GetProcessId, IsWow64Process,
    WaitForSingleObject, LPTHREAD_START_ROUTINE,
};

/// The function that makes the DLL active.
pub const INIT: &CStr = c"graceful_close_hook_init";

/// What [`INIT`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// So many import slots lead to the hook, and so many of these were closesocket's.
    Slots { all: u32, of_close: u32 },
    /// Nothing: the settings say off, or not for this program.
    Off,
}

/// As a thread's exit code: counts in two halves, or one of two numbers that no counts make.
const IS_OFF: u32 = u32::MAX;
pub(crate) const HAS_FAILED: u32 = u32::MAX - 1;
const HALF: u32 = 16;
const MOST: u32 = 0x7fff;

impl Activity {
    pub(crate) fn to_code(self) -> u32 {
        match self {
            Activity::Slots { all, of_close } => of_close.min(MOST) << HALF | all.min(MOST),
            Activity::Off => IS_OFF,
        }
    }

    fn of_code(code: u32) -> Option<Activity> {
        match code {
            HAS_FAILED => None,
            IS_OFF => Some(Activity::Off),
            code => Some(Activity::Slots {
                all: code & MOST,
                of_close: code >> HALF,
            }),
        }
    }
}

/// For each of the two threads. Loading a program with all its libraries may take a while.
const LIMIT_MS: u32 = 30_000;

/// How often to try for a list of modules that changes under our eyes.
const TRIES: u32 = 20;

/// Why a process could not be hooked. It is as it was, or the DLL is in it and does nothing.
#[derive(Debug)]
pub enum Failure {
    /// The DLL is missing here, or is none of ours.
    Dll(PathBuf, u32),
    /// 32-bit here and 64-bit there, or the other way round.
    WordSize,
    /// A call failed: which, and what the system said.
    System(&'static str, u32),
    /// The process could not load the DLL, or it refused to work there.
    Refused(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |code: &u32| std::io::Error::from_raw_os_error(*code as i32);
        match self {
            Failure::Dll(path, code) => write!(f, "{}: {}", path.display(), words(code)),
            Failure::WordSize => {
                let bits = usize::BITS;
                write!(
                    f,
                    "the program is not a {bits}-bit one; use the command built for it"
                )
            }
            Failure::System(call, code) => write!(f, "{call}: {}", words(code)),
            Failure::Refused(what) => f.write_str(what),
        }
    }
}

fn system(call: &'static str) -> Failure {
    // SAFETY: takes nothing.
    Failure::System(call, unsafe { GetLastError() })
}

/// The DLL, and how far behind its beginning [`INIT`] is.
pub struct Library {
    path: Vec<u16>,
    init: usize,
}

impl Library {
    /// Looks it up on disk. It is mapped here for that, and none of it runs.
    ///
    /// # Errors
    /// [`Failure::Dll`].
    pub fn find(path: &Path) -> Result<Library, Failure> {
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: a path that ends with a zero; the reference is kept, as is the module.
        let module =
            unsafe { LoadLibraryExW(wide.as_ptr(), null_mut(), DONT_RESOLVE_DLL_REFERENCES) };
        // SAFETY: takes nothing.
        let missing = || Failure::Dll(path.to_path_buf(), unsafe { GetLastError() });
        if module.is_null() {
            return Err(missing());
        }
        // SAFETY: a name that ends with a zero.
        let init = unsafe { GetProcAddress(module, INIT.as_ptr().cast()) }.ok_or_else(missing)?;
        Ok(Library {
            path: wide,
            init: init as usize - module as usize,
        })
    }

    /// The library that this code is in: its path, and the address of its [`INIT`] in it.
    pub(crate) fn this(mut path: Vec<u16>, base: usize, init: usize) -> Library {
        path.push(0);
        Library {
            path,
            init: init - base,
        }
    }

    /// Loads the DLL in a process whose first thread is still suspended and makes it active
    /// there.
    ///
    /// # Errors
    /// [`Failure`]; the process goes on without the hook.
    pub fn inject(&self, process: BorrowedHandle<'_>) -> Result<Activity, Failure> {
        let process = process.as_raw_handle() as HANDLE;
        if is_wow64(process) != is_wow64(current_process()) {
            return Err(Failure::WordSize);
        }
        self.load(process)?;
        let base = self.base_in(process)?;
        // SAFETY: the function is there, as it is here: the same file is mapped.
        let code = unsafe { run(process, base + self.init, null()) }?;
        Activity::of_code(code).ok_or(Failure::Refused("the DLL cannot work in this process"))
    }

    /// kernel32 lies at the same address in all processes of a word size.
    fn load(&self, process: HANDLE) -> Result<(), Failure> {
        // SAFETY: names that end with a zero; kernel32 is in every process.
        let load_library = unsafe {
            let kernel32 = GetModuleHandleA(c"kernel32.dll".as_ptr().cast());
            GetProcAddress(kernel32, c"LoadLibraryW".as_ptr().cast())
        };
        let load_library = load_library.ok_or_else(|| system("LoadLibraryW"))?;
        let path = RemoteText::new(process, &self.path)?;
        // SAFETY: LoadLibraryW takes a pointer and returns a word, as a thread does; the text
        // is there until the thread has ended.
        let loaded = unsafe { run(process, load_library as usize, path.address) };
        if !matches!(loaded, Ok(_) | Err(Failure::System(..))) {
            // The thread may still read it.
            std::mem::forget(path);
        }
        // The lower half of the module's address: which may be zero, so the list decides.
        loaded.map(drop)
    }

    /// Where it lies in the other process.
    fn base_in(&self, process: HANDLE) -> Result<usize, Failure> {
        // SAFETY: a handle of ours.
        let snapshot = Snapshot::of(unsafe { GetProcessId(process) })?;
        let path = PathBuf::from(std::ffi::OsString::from_wide(
            &self.path[..self.path.len() - 1],
        ));
        let name = path.file_name().unwrap_or_default();
        snapshot
            .base_of(name)
            .ok_or(Failure::Refused("the process could not load the DLL"))
    }
}

fn current_process() -> HANDLE {
    // SAFETY: takes nothing; the pseudo handle need not be closed.
    unsafe { GetCurrentProcess() }
}

/// A 32-bit process on a 64-bit Windows.
fn is_wow64(process: HANDLE) -> bool {
    let mut answer = 0;
    // SAFETY: `answer` lives on this stack.
    unsafe { IsWow64Process(process, &mut answer) != 0 && answer != 0 }
}

/// Runs a function on a thread of its own over there; its result.
///
/// # Safety
/// `function` is an address in `process` of a function that takes a pointer (or nothing) and
/// returns a word, and `argument` is right for it.
unsafe fn run(process: HANDLE, function: usize, argument: *const c_void) -> Result<u32, Failure> {
    let mut code = 0;
    // SAFETY: the caller's; the handle is closed once.
    unsafe {
        let start = transmute::<usize, LPTHREAD_START_ROUTINE>(function);
        let thread = CreateRemoteThread(process, null(), 0, start, argument, 0, null_mut());
        if thread.is_null() {
            return Err(system("CreateRemoteThread"));
        }
        let ended = WaitForSingleObject(thread, LIMIT_MS) == WAIT_OBJECT_0;
        let told = GetExitCodeThread(thread, &mut code) != 0;
        CloseHandle(thread);
        if !ended {
            return Err(Failure::Refused("the process does not answer"));
        }
        if !told {
            return Err(system("GetExitCodeThread"));
        }
    }
    Ok(code)
}

/// A text in another process.
struct RemoteText {
    process: HANDLE,
    address: *mut c_void,
}

impl RemoteText {
    fn new(process: HANDLE, text: &[u16]) -> Result<RemoteText, Failure> {
        let size = size_of_val(text);
        // SAFETY: new memory, in that process.
        let address = unsafe {
            VirtualAllocEx(
                process,
                null(),
                size,
                MEM_COMMIT | MEM_RESERVE,
                PAGE_READWRITE,
            )
        };
        if address.is_null() {
            return Err(system("VirtualAllocEx"));
        }
        let text_there = RemoteText { process, address };
        // SAFETY: as large as has just been allocated there, and as the text is here.
        let done =
            unsafe { WriteProcessMemory(process, address, text.as_ptr().cast(), size, null_mut()) };
        match done {
            0 => Err(system("WriteProcessMemory")),
            _ => Ok(text_there),
        }
    }
}

impl Drop for RemoteText {
    fn drop(&mut self) {
        // SAFETY: allocated by us, given back once.
        unsafe { VirtualFreeEx(self.process, self.address, 0, MEM_RELEASE) };
    }
}

/// The list of a process's modules.
struct Snapshot(HANDLE);

impl Snapshot {
    fn of(process_id: u32) -> Result<Snapshot, Failure> {
        for _ in 0..TRIES {
            // SAFETY: plain numbers.
            let handle = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, process_id) };
            if handle != INVALID_HANDLE_VALUE {
                return Ok(Snapshot(handle));
            }
            // SAFETY: takes nothing.
            if unsafe { GetLastError() } != ERROR_BAD_LENGTH {
                break;
            }
        }
        Err(system("CreateToolhelp32Snapshot"))
    }

    fn base_of(&self, name: &std::ffi::OsStr) -> Option<usize> {
        // SAFETY: plain numbers and pointers, zero is a value.
        let mut entry: MODULEENTRY32W = unsafe { zeroed() };
        entry.dwSize = size_of::<MODULEENTRY32W>() as u32;
        // SAFETY: the handle is open, the entry tells its size.
        let mut more = unsafe { Module32FirstW(self.0, &mut entry) };
        while more != 0 {
            let end = entry.szModule.iter().position(|unit| *unit == 0);
            let found = std::ffi::OsString::from_wide(&entry.szModule[..end.unwrap_or(0)]);
            if found.eq_ignore_ascii_case(name) {
                return Some(entry.modBaseAddr as usize);
            }
            // SAFETY: as above.
            more = unsafe { Module32NextW(self.0, &mut entry) };
        }
        None
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: ours, closed once.
        unsafe { CloseHandle(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_fits_into_an_exit_code() {
        for activity in [
            Activity::Off,
            Activity::Slots {
                all: 0,
                of_close: 0,
            },
            Activity::Slots {
                all: 19,
                of_close: 3,
            },
            Activity::Slots {
                all: MOST,
                of_close: MOST,
            },
        ] {
            assert_eq!(Activity::of_code(activity.to_code()), Some(activity));
        }
        let many = Activity::Slots {
            all: 100_000,
            of_close: 1,
        };
        let most = Activity::Slots {
            all: MOST,
            of_close: 1,
        };
        assert_eq!(Activity::of_code(many.to_code()), Some(most));
        assert_eq!(Activity::of_code(HAS_FAILED), None);
    }
}
