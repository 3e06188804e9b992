//! The end of the process, as its DLLs see it.

use std::sync::OnceLock;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

type Function = unsafe extern "system" fn() -> u8;

/// All other threads of the process have been ended, the reaper's among them, wherever they were: nobody
/// goes on with what is handed over, and a lock may be taken for good ("RtlDllShutdownInProgress").
pub(crate) fn is_under_way() -> bool {
    static ASK: OnceLock<Option<Function>> = OnceLock::new();
    let ask = ASK.get_or_init(|| {
        // SAFETY: literals that end with a zero; ntdll is in every process, and its function of this
        // name has this type.
        unsafe {
            let ntdll = GetModuleHandleA(c"ntdll.dll".as_ptr().cast());
            let found = GetProcAddress(ntdll, c"RtlDllShutdownInProgress".as_ptr().cast());
            found.map(|function| {
                std::mem::transmute::<unsafe extern "system" fn() -> isize, Function>(function)
            })
        }
    });
    // SAFETY: takes nothing.
    ask.is_some_and(|ask| unsafe { ask() } != 0)
}
