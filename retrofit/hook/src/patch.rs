//! Puts the replacements into the import tables.

use crate::folder::{self, Held};
use crate::image::Image;
use crate::replacement_table::{self, Role};
use std::mem::{size_of, zeroed};
use std::ptr::null;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::System::Memory::{
    VirtualProtect, VirtualQuery, MEMORY_BASIC_INFORMATION, PAGE_EXECUTE, PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_READWRITE, PAGE_WRITECOPY,
};

/// C run-time libraries of the system, through which a program's exit() goes.
const RUN_TIMES: [&str; 8] = [
    "msvcrt.dll",
    "ucrtbase.dll",
    "msvcr120.dll",
    "msvcr110.dll",
    "msvcr100.dll",
    "msvcr90.dll",
    "msvcr80.dll",
    "crtdll.dll",
];

/// How many slots lead to us, all and those of closesocket.
static SLOTS: AtomicUsize = AtomicUsize::new(0);
static CLOSE_SLOTS: AtomicUsize = AtomicUsize::new(0);

/// Two threads that change the protection of one page would take it from each other. Nothing
/// that could wait for the loader is called while it is held.
static WRITING: Mutex<()> = Mutex::new(());

/// The modules that the last look has seen, sorted. Only ever tried, for the same reason.
static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// What is patched: found out once.
struct Territory {
    program: usize,
    /// Empty: the program alone.
    folder: Vec<u16>,
    own: usize,
}

static TERRITORY: OnceLock<Territory> = OnceLock::new();

fn territory() -> &'static Territory {
    TERRITORY.get_or_init(|| {
        // SAFETY: null asks for the program.
        let program = unsafe { GetModuleHandleW(null()) };
        let path = folder::path_of(program);
        let mut folder = folder::folder_of(&path).to_vec();
        if folder::is_of_the_system(&folder) {
            folder.clear();
        }
        let own = Held::of(territory as fn() -> &'static Territory as HMODULE);
        Territory {
            program: program as usize,
            folder,
            own: own.map_or(0, |own| own.base()),
        }
    })
}

/// The program's folder; empty if that belongs to Windows.
pub(crate) fn program_folder() -> &'static [u16] {
    &territory().folder
}

/// All slots that lead to us so far, and those of closesocket among them.
pub(crate) fn counts() -> (usize, usize) {
    (
        SLOTS.load(Ordering::Relaxed),
        CLOSE_SLOTS.load(Ordering::Relaxed),
    )
}

/// Whether a look has seen this module. In doubt it has.
pub(crate) fn has_seen(module: HMODULE) -> bool {
    match SEEN.try_lock() {
        Ok(seen) => seen.binary_search(&(module as usize)).is_ok(),
        Err(_) => true,
    }
}

/// Looks at all modules there are now. Doing it again changes nothing.
pub(crate) fn all_modules() {
    let modules = folder::modules();
    for module in &modules {
        // Held, or another thread may unload it under our eyes.
        if let Some(held) = Held::of(*module) {
            look_at(&held);
        }
    }
    if let Ok(mut seen) = SEEN.try_lock() {
        *seen = modules.iter().map(|module| *module as usize).collect();
        seen.sort_unstable();
    }
}

fn look_at(module: &Held) {
    let territory = territory();
    if module.base() == territory.own {
        return;
    }
    let path = module.path();
    if module.base() == territory.program || folder::is_in(&path, &territory.folder) {
        patch(module, |_| true);
    } else if is_run_time(folder::name_of(&path)) {
        patch(module, |role| role == Role::Exit);
    }
}

fn is_run_time(name: &[u16]) -> bool {
    RUN_TIMES.iter().any(|known| {
        let known: Vec<u16> = known.encode_utf16().collect();
        folder::is_same(&known, name)
    })
}

/// Comparing addresses, not names: that finds imports by ordinal and passed-on functions, too,
/// and leaves alone what somebody else has replaced.
fn patch(module: &Held, wanted: impl Fn(Role) -> bool) {
    // SAFETY: a module begins there, and it is held.
    let Some(image) = (unsafe { Image::at(module.base()) }) else {
        return;
    };
    image.for_each_slot(|slot| {
        // SAFETY: a slot of a module that is held, aligned as the loader wants it.
        let address = unsafe { slot.read_volatile() };
        let Some(entry) = replacement_table::entry_for(address).filter(|entry| wanted(entry.role))
        else {
            return;
        };
        if write(slot, entry.replacement) {
            SLOTS.fetch_add(1, Ordering::Relaxed);
            if entry.role == Role::Close {
                CLOSE_SLOTS.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// Import tables are read-only once they are filled, and the page may hold code.
fn write(slot: *mut usize, value: usize) -> bool {
    let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(protection) = protection_of(slot) else {
        return false;
    };
    let needed = match protection & 0xff {
        PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY => None,
        PAGE_EXECUTE | PAGE_EXECUTE_READ => Some(PAGE_EXECUTE_READWRITE),
        _ => Some(PAGE_READWRITE),
    };
    let mut before = 0;
    if let Some(needed) = needed {
        // SAFETY: one slot of a module that is held; its page stays readable, and executable
        // if it was.
        if unsafe { VirtualProtect(slot.cast(), size_of::<usize>(), needed, &mut before) } == 0 {
            return false;
        }
    }
    // SAFETY: writable now. The program may be reading it: a whole word, written at once.
    unsafe { AtomicUsize::from_ptr(slot) }.store(value, Ordering::Release);
    if needed.is_some() {
        // SAFETY: as above, back to what it was.
        unsafe { VirtualProtect(slot.cast(), size_of::<usize>(), before, &mut before) };
    }
    true
}

fn protection_of(slot: *const usize) -> Option<u32> {
    // SAFETY: plain numbers, all zero is a value.
    let mut region: MEMORY_BASIC_INFORMATION = unsafe { zeroed() };
    // SAFETY: `region` is as large as said; any address may be asked for.
    let length = unsafe {
        VirtualQuery(
            slot.cast(),
            &mut region,
            size_of::<MEMORY_BASIC_INFORMATION>(),
        )
    };
    (length != 0).then_some(region.Protect)
}
