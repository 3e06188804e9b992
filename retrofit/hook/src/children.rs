//! Processes that the program starts from its own folder: workers, helpers. Others are left
//! alone, as are the system's.

use crate::folder::{self, Held};
use crate::inject::{Activity, Library};
use crate::{log, patch};
use std::ffi::c_void;
use std::os::windows::io::BorrowedHandle;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use windows_sys::core::{BOOL, PCSTR, PCWSTR, PSTR, PWSTR};
use windows_sys::Win32::Foundation::{GetLastError, SetLastError, HANDLE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::Threading::{
    CreateProcessA, CreateProcessW, QueryFullProcessImageNameW, ResumeThread, CREATE_SUSPENDED,
    DEBUG_ONLY_THIS_PROCESS, DEBUG_PROCESS, PROCESS_INFORMATION, STARTUPINFOA, STARTUPINFOW,
};

/// A debugger is told of our threads and would have to answer, while it waits here.
const UNDER_A_DEBUGGER: u32 = DEBUG_PROCESS | DEBUG_ONLY_THIS_PROCESS;

/// What both kinds of CreateProcess take between the command line and the start-up information.
type Attributes = *const SECURITY_ATTRIBUTES;

/// The function by which a process's hook becomes active (`init`).
static ENTRY: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn set_entry(address: usize) {
    ENTRY.store(address, Ordering::Relaxed);
}

#[allow(clippy::too_many_arguments)] // they are Windows'
pub(crate) unsafe extern "system" fn create_process_w(
    name: PCWSTR,
    command: PWSTR,
    process: Attributes,
    thread: Attributes,
    inherit: BOOL,
    flags: u32,
    environment: *const c_void,
    folder: PCWSTR,
    start: *const STARTUPINFOW,
    told: *mut PROCESS_INFORMATION,
) -> BOOL {
    let create = |flags| {
        // SAFETY: the caller's arguments, and one flag more.
        unsafe {
            CreateProcessW(
                name,
                command,
                process,
                thread,
                inherit,
                flags,
                environment,
                folder,
                start,
                told,
            )
        }
    };
    // SAFETY: the caller's; the call fills it in.
    unsafe { create_with(create, flags, told) }
}

#[allow(clippy::too_many_arguments)] // they are Windows'
pub(crate) unsafe extern "system" fn create_process_a(
    name: PCSTR,
    command: PSTR,
    process: Attributes,
    thread: Attributes,
    inherit: BOOL,
    flags: u32,
    environment: *const c_void,
    folder: PCSTR,
    start: *const STARTUPINFOA,
    told: *mut PROCESS_INFORMATION,
) -> BOOL {
    let create = |flags| {
        // SAFETY: the caller's arguments, and one flag more.
        unsafe {
            CreateProcessA(
                name,
                command,
                process,
                thread,
                inherit,
                flags,
                environment,
                folder,
                start,
                told,
            )
        }
    };
    // SAFETY: the caller's; the call fills it in.
    unsafe { create_with(create, flags, told) }
}

/// # Safety
/// `told` is what `create` fills in.
unsafe fn create_with(
    create: impl Fn(u32) -> BOOL,
    flags: u32,
    told: *mut PROCESS_INFORMATION,
) -> BOOL {
    if flags & UNDER_A_DEBUGGER != 0 {
        return create(flags);
    }
    let done = create(flags | CREATE_SUSPENDED);
    if done == 0 {
        return done;
    }
    // SAFETY: the call has succeeded: both handles are there. Numbers else.
    unsafe {
        let before = GetLastError();
        let process = (*told).hProcess;
        let _ = catch_unwind(|| hook(process));
        if flags & CREATE_SUSPENDED == 0 {
            ResumeThread((*told).hThread);
        }
        SetLastError(before);
    }
    done
}

/// A child that cannot be hooked runs without.
///
/// # Safety
/// The handle is open.
unsafe fn hook(process: HANDLE) {
    let image = image_of(process);
    if !folder::is_in(&image, patch::program_folder()) {
        return;
    }
    // SAFETY: the caller's, open for as long as this runs.
    let borrowed = unsafe { BorrowedHandle::borrow_raw(process) };
    let init = ENTRY.load(Ordering::Relaxed);
    let Some(own) = Held::of(init as *mut c_void) else {
        return;
    };
    let library = Library::this(own.path(), own.base(), init);
    let name = String::from_utf16_lossy(folder::name_of(&image));
    match library.inject(borrowed) {
        Ok(Activity::Off) => log::line(&format!("child {name}: not for it, as set")),
        Ok(Activity::Slots { .. }) => {}
        Err(failure) => log::line(&format!("child {name}: not active there, {failure}")),
    }
}

fn image_of(process: HANDLE) -> Vec<u16> {
    let mut path = vec![0u16; 32768];
    let mut length = path.len() as u32;
    // SAFETY: the buffer is as large as said.
    if unsafe { QueryFullProcessImageNameW(process, 0, path.as_mut_ptr(), &mut length) } == 0 {
        length = 0;
    }
    path.truncate(length as usize);
    path
}
