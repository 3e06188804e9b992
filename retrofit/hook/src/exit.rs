//! The end of the process. ExitProcess ends all other threads before a DLL hears of it, the
//! reaper's too, and what it was finishing is cut: so wait before, bounded.

use crate::park;
use std::ffi::{c_int, CStr};
use std::mem::transmute;
use std::sync::atomic::{AtomicUsize, Ordering};
use windows_sys::Win32::System::Threading::ExitProcess;

/// Which exits of which C run-time libraries. The wait comes first of all there, when the
/// program is whole: its threads run on meanwhile, and must not find what atexit handlers and
/// destructors have taken down. (ExitProcess, at the end of exit(), waits for what these have
/// closed.)
pub(crate) const RUN_TIME_EXITS: [(&CStr, &CStr); 6] = [
    (c"msvcrt.dll", c"exit"),
    (c"msvcrt.dll", c"_exit"),
    (c"ucrtbase.dll", c"exit"),
    (c"ucrtbase.dll", c"_exit"),
    (c"ucrtbase.dll", c"_Exit"),
    (c"ucrtbase.dll", c"quick_exit"),
];

type Exit = unsafe extern "C" fn(c_int) -> !;

static ORIGINALS: [AtomicUsize; RUN_TIME_EXITS.len()] =
    [const { AtomicUsize::new(0) }; RUN_TIME_EXITS.len()];

const REPLACEMENTS: [Exit; RUN_TIME_EXITS.len()] = [
    exit::<0>, exit::<1>, exit::<2>, exit::<3>, exit::<4>, exit::<5>,
];

/// The replacement for the one in a place of [`RUN_TIME_EXITS`].
pub(crate) fn of_run_time(place: usize, original: usize) -> usize {
    ORIGINALS[place].store(original, Ordering::Release);
    REPLACEMENTS[place] as *const () as usize
}

unsafe extern "C" fn exit<const PLACE: usize>(code: c_int) -> ! {
    park::flush_at_exit();
    let original = ORIGINALS[PLACE].load(Ordering::Acquire);
    // SAFETY: stored before the replacement was handed out; all of them have this type.
    unsafe { transmute::<usize, Exit>(original)(code) }
}

/// Also in the slots of the C run-time libraries, and for RtlExitUserProcess.
pub(crate) unsafe extern "system" fn exit_process(code: u32) -> ! {
    park::flush_at_exit();
    // SAFETY: takes a number.
    unsafe { ExitProcess(code) }
}
