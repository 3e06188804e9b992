//! Makes the hook active in this process.

use crate::inject::{Activity, HAS_FAILED};
use crate::{children, folder, log, observe, patch, replacement_table, replacements, settings};
use std::ffi::c_void;
use std::panic::catch_unwind;
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleHandleExW, GetModuleHandleW, GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
    GET_MODULE_HANDLE_EX_FLAG_PIN,
};

/// Called on a thread of its own, before the program's first instruction or at any later time,
/// and never from a DllMain. Returns an [`Activity`] as a number.
#[no_mangle]
pub extern "system" fn graceful_close_hook_init(_unused: *mut c_void) -> u32 {
    let activity = catch_unwind(activate).ok().flatten();
    activity.map_or(HAS_FAILED, Activity::to_code)
}

/// `None`: it cannot do its work here.
fn activate() -> Option<Activity> {
    let settings = settings::get();
    // SAFETY: null asks for the program.
    let path = folder::path_of(unsafe { GetModuleHandleW(null()) });
    let name = String::from_utf16_lossy(folder::name_of(&path));
    if settings.off || !settings.are_for(&name) {
        return Some(Activity::Off);
    }
    if let Some(path) = &settings.observe {
        if !observe::open(path) {
            return None;
        }
    }
    pin();
    if let Some(path) = &settings.log {
        log::open(path, &name);
    }
    children::set_entry(graceful_close_hook_init as *const () as usize);
    replacement_table::install(|| match settings.observe {
        Some(_) => observe::replacements(),
        None => replacements::all(settings),
    });
    patch::all_modules();
    let (all, of_close) = patch::counts();
    log::line(&format!(
        "active, {all} slots patched, {of_close} of closesocket"
    ));
    let count = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
    Some(Activity::Slots {
        all: count(all),
        of_close: count(of_close),
    })
}

/// The patched slots lead here to the end.
fn pin() {
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    let mut module: HMODULE = null_mut();
    // SAFETY: an address inside the module instead of its name, as the flag says.
    unsafe { GetModuleHandleExW(flags, (pin as fn() as *const u16).cast(), &mut module) };
}
