//! The program's process. It ends when the command does.

use crate::failure::Failure;
use std::mem::{size_of, zeroed};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::BorrowedHandle;
use std::path::Path;
use std::ptr::{addr_of, null, null_mut};
use std::time::Duration;
use windows_sys::core::BOOL;
use windows_sys::Win32::Foundation::{
    CloseHandle, SetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, SetConsoleCtrlHandler, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE,
    STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JobObjectExtendedLimitInformation,
    SetInformationJobObject, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
};
use windows_sys::Win32::System::Threading::{
    CreateProcessW, GetExitCodeProcess, ResumeThread, TerminateProcess, WaitForSingleObject,
    CREATE_SUSPENDED, INFINITE, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOW,
};

/// What a process that is not allowed to go on leaves behind.
const NOT_STARTED: u32 = 126;

pub struct Process {
    told: PROCESS_INFORMATION,
    /// Kept open: with it the process would end.
    _job: HANDLE,
    /// Its first thread runs.
    runs: std::cell::Cell<bool>,
}

impl Process {
    /// Suspended before its first instruction. `line` ends with a zero.
    pub fn start(program: &Path, line: &[u16]) -> Result<Process, Failure> {
        let name: Vec<u16> = program.as_os_str().encode_wide().chain([0]).collect();
        // The call may write into it.
        let mut line = line.to_vec();
        let start = start_up();
        // SAFETY: plain numbers and pointers, zero is a value.
        let mut told: PROCESS_INFORMATION = unsafe { zeroed() };
        // SAFETY: texts that end with a zero; both structs live on this stack.
        let done = unsafe {
            CreateProcessW(
                name.as_ptr(),
                line.as_mut_ptr(),
                null(),
                null(),
                1,
                CREATE_SUSPENDED,
                null(),
                null(),
                &start,
                &mut told,
            )
        };
        if done == 0 {
            return Err(system(&program.display().to_string()));
        }
        // SAFETY: a function of the right type, which stays.
        unsafe { SetConsoleCtrlHandler(Some(leave_it_to_the_program), 1) };
        let job = bind(told.hProcess);
        Ok(Process {
            told,
            _job: job,
            runs: false.into(),
        })
    }

    pub fn handle(&self) -> BorrowedHandle<'_> {
        // SAFETY: open until `self` is dropped.
        unsafe { BorrowedHandle::borrow_raw(self.told.hProcess) }
    }

    pub fn go_on(&self) -> Result<(), Failure> {
        // SAFETY: open until `self` is dropped.
        if unsafe { ResumeThread(self.told.hThread) } == u32::MAX {
            return Err(system("ResumeThread"));
        }
        self.runs.set(true);
        Ok(())
    }

    /// Its exit code; `None`: it has not ended within that time.
    pub fn wait_for(&self, limit: Option<Duration>) -> Result<Option<i32>, Failure> {
        let limit = limit.map_or(INFINITE, |limit| {
            limit.as_millis().min(u128::from(INFINITE - 1)) as u32
        });
        let mut code = 0;
        // SAFETY: open until `self` is dropped; `code` lives on this stack.
        unsafe {
            match WaitForSingleObject(self.told.hProcess, limit) {
                WAIT_OBJECT_0 if GetExitCodeProcess(self.told.hProcess, &mut code) != 0 => {
                    Ok(Some(code as i32))
                }
                WAIT_TIMEOUT => Ok(None),
                _ => Err(system("WaitForSingleObject")),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: ours, closed once. The job is left to the end of this process.
        unsafe {
            if !self.runs.get() {
                TerminateProcess(self.told.hProcess, NOT_STARTED);
            }
            CloseHandle(self.told.hThread);
            CloseHandle(self.told.hProcess);
        }
    }
}

fn system(what: &str) -> Failure {
    Failure::Cannot(format!("{what}: {}", std::io::Error::last_os_error()))
}

/// Ours are its standard streams.
fn start_up() -> STARTUPINFOW {
    // SAFETY: plain numbers and pointers, zero is a value.
    let mut start: STARTUPINFOW = unsafe { zeroed() };
    start.cb = size_of::<STARTUPINFOW>() as u32;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = inheritable(STD_INPUT_HANDLE);
    start.hStdOutput = inheritable(STD_OUTPUT_HANDLE);
    start.hStdError = inheritable(STD_ERROR_HANDLE);
    start
}

fn inheritable(which: STD_HANDLE) -> HANDLE {
    // SAFETY: numbers; what is no handle makes the second call fail.
    unsafe {
        let handle = GetStdHandle(which);
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
        handle
    }
}

/// Whoever ends this command ends the program. What the program starts is its own business.
/// Windows 7 may refuse a second job: then it goes without.
fn bind(process: HANDLE) -> HANDLE {
    // SAFETY: plain numbers, zero is a value.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { zeroed() };
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    // SAFETY: a job of ours without a name; the struct is as large as said.
    unsafe {
        let job = CreateJobObjectW(null(), null());
        if job.is_null() {
            return null_mut();
        }
        SetInformationJobObject(
            job,
            JobObjectExtendedLimitInformation,
            addr_of!(limits).cast(),
            size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
        );
        AssignProcessToJobObject(job, process);
        job
    }
}

/// Ctrl-C and the like go to the program as well, which knows what to make of it.
unsafe extern "system" fn leave_it_to_the_program(_event: u32) -> BOOL {
    1
}
