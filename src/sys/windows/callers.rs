//! The stack, and the modules that the code is in.

use super::system_dll::{capture_stack, module_of};
use std::ffi::c_void;
use std::fmt::{self, Write};
use std::ptr::{null, null_mut};
use windows_sys::Win32::System::LibraryLoader::{GetModuleFileNameW, GetModuleHandleA};

/// Windows XP takes no larger number ("RtlCaptureStackBackTrace").
const MOST_SEEN: usize = 62;

/// Each frame, as long as `found` wants more: where it returns to, and where its function begins,
/// if that is known.
pub(in crate::sys) fn walk_callers(found: &mut dyn FnMut(usize, Option<usize>) -> bool) {
    let mut seen = [null_mut::<c_void>(); MOST_SEEN];
    let frames = capture_stack(&mut seen);
    for (at, frame) in frames.iter().enumerate() {
        let caller = frames.get(at + 1).map(|caller| *caller as usize);
        let address = *frame as usize;
        if !found(address, function_begin(address, caller)) {
            return;
        }
    }
}

/// The table that the system unwinds by has it.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn function_begin(address: usize, _: Option<usize>) -> Option<usize> {
    use windows_sys::Win32::System::Diagnostics::Debug::RtlLookupFunctionEntry;
    let mut base = 0;
    // SAFETY: any address may be asked for; a history may be left out.
    let entry = unsafe { RtlLookupFunctionEntry(address as _, &mut base, null_mut()) };
    // SAFETY: NULL, or the entry in a module that stays: its code is being run.
    let entry = unsafe { entry.as_ref() }?;
    Some(base as usize + entry.BeginAddress as usize)
}

/// Without such a table: what the caller's instruction before the place of return has called.
#[cfg(target_arch = "x86")]
fn function_begin(_: usize, caller: Option<usize>) -> Option<usize> {
    let caller = caller?;
    let called = match bytes::<6>(caller.checked_sub(6)?, caller)? {
        // call [pointer]: of a DLL that it is imported from
        [0xff, 0x15, pointer @ ..] => pointer_of(caller, u32::from_le_bytes(pointer))?,
        // call relative
        [_, 0xe8, distance @ ..] => {
            caller.wrapping_add_signed(i32::from_le_bytes(distance) as isize)
        }
        _ => return None,
    };
    Some(jumped_to(called).unwrap_or(called))
}

/// An import library's function, or one of a linker that leaves room to replace it, is a jump.
#[cfg(target_arch = "x86")]
fn jumped_to(function: usize) -> Option<usize> {
    match bytes::<6>(function, function)? {
        [0xff, 0x25, pointer @ ..] => pointer_of(function, u32::from_le_bytes(pointer)),
        [0xe9, distance @ .., _] => {
            let behind = function.wrapping_add(5);
            Some(behind.wrapping_add_signed(i32::from_le_bytes(distance) as isize))
        }
        _ => None,
    }
}

/// What a pointer in the same module as the code at `code` holds.
#[cfg(target_arch = "x86")]
fn pointer_of(code: usize, pointer: u32) -> Option<usize> {
    bytes::<4>(pointer as usize, code).map(|bytes| u32::from_le_bytes(bytes) as usize)
}

/// Bytes of the module that has the code at `code`. What looks like an instruction may be none.
#[cfg(target_arch = "x86")]
fn bytes<const COUNT: usize>(address: usize, code: usize) -> Option<[u8; COUNT]> {
    use windows_sys::Win32::System::Memory::{
        VirtualQuery, MEMORY_BASIC_INFORMATION, MEM_COMMIT, PAGE_GUARD, PAGE_NOACCESS,
    };
    if module_of(address)? != module_of(code)? {
        return None;
    }
    let mut information = MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<MEMORY_BASIC_INFORMATION>();
    // SAFETY: any address may be asked for; as much room as said.
    let filled = unsafe { VirtualQuery(address as *const c_void, &mut information, size) };
    let end = information.BaseAddress as usize + information.RegionSize;
    let is_readable = filled == size
        && information.State == MEM_COMMIT
        && information.Protect & (PAGE_NOACCESS | PAGE_GUARD) == 0
        && end - address >= COUNT;
    // SAFETY: readable, as the system says, in a module whose code is being run.
    is_readable.then(|| unsafe { (address as *const [u8; COUNT]).read_unaligned() })
}

/// Tells a module from others.
pub(in crate::sys) fn file_of(address: usize) -> Option<usize> {
    module_of(address).map(|module| module as usize)
}

/// The DLL that this code is in; `None`: it is the program itself.
pub(in crate::sys) fn library_file() -> Option<usize> {
    let own = file_of(library_file as fn() -> Option<usize> as usize)?;
    // SAFETY: no name asks for the program.
    let program = unsafe { GetModuleHandleA(null()) } as usize;
    (own != program).then_some(own)
}

/// "server.exe+0x1234"; `false` and nothing: it is in no module.
pub(in crate::sys) fn write_place(address: usize, to: &mut impl Write) -> Result<bool, fmt::Error> {
    let Some(module) = module_of(address) else {
        return Ok(false);
    };
    let mut room = [0u16; 1024];
    // SAFETY: as much room as said. A module that is gone meanwhile has no name.
    let length = unsafe { GetModuleFileNameW(module, room.as_mut_ptr(), room.len() as u32) };
    let path = &room[..(length as usize).min(room.len())];
    let is_separator = |letter: &u16| [u16::from(b'\\'), u16::from(b'/')].contains(letter);
    let name = path.rsplit(is_separator).next().unwrap_or(path);
    for letter in char::decode_utf16(name.iter().copied()) {
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        to.write_char(if letter.is_control() { '?' } else { letter })?;
    }
    write!(to, "+{:#x}", address - module as usize)?;
    Ok(true)
}
