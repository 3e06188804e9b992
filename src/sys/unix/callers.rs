//! The stack, by what the compiler's run-time library tells, which the standard library needs for panics;
//! and the files that the code was loaded from.

use libc::{c_int, c_void};
use std::fmt::{self, Write};

type Step = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

extern "C" {
    fn _Unwind_Backtrace(step: Step, argument: *mut c_void) -> c_int;
    fn _Unwind_GetRegionStart(context: *mut c_void) -> usize;
    #[cfg(not(all(target_arch = "arm", not(target_vendor = "apple"))))]
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    #[cfg(all(target_arch = "arm", not(target_vendor = "apple")))]
    fn _Unwind_VRS_Get(
        context: *mut c_void,
        class: c_int,
        register: u32,
        representation: c_int,
        value: *mut c_void,
    ) -> c_int;
}

type Found<'a> = &'a mut dyn FnMut(usize, Option<usize>) -> bool;

struct Walk<'a>(Found<'a>);

/// Each frame, as long as `found` wants more: where it returns to, and where its function begins.
pub(in crate::sys) fn walk_callers(found: Found<'_>) {
    let mut walk = Walk(found);
    // SAFETY: the function gets what is passed with it, which lives through the call.
    unsafe { _Unwind_Backtrace(step, (&mut walk as *mut Walk<'_>).cast()) };
}

unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    const ON: c_int = 0;
    const NORMAL_STOP: c_int = 4;
    // SAFETY: what `walk_callers` has passed.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    // SAFETY: the context of a frame.
    let (address, function) = unsafe { (address(context), _Unwind_GetRegionStart(context)) };
    match address != 0 && (walk.0)(address, (function != 0).then_some(function)) {
        true => ON,
        false => NORMAL_STOP,
    }
}

#[cfg(not(all(target_arch = "arm", not(target_vendor = "apple"))))]
unsafe fn address(context: *mut c_void) -> usize {
    // SAFETY: the caller's context of a frame.
    unsafe { _Unwind_GetIP(context) }
}

/// There _Unwind_GetIP is a macro (unwind-arm.h of GCC): register 15, without the bit of Thumb.
#[cfg(all(target_arch = "arm", not(target_vendor = "apple")))]
unsafe fn address(context: *mut c_void) -> usize {
    let mut value = 0usize;
    // SAFETY: the caller's context of a frame; 0 and 0 are a core register, as 32 bits.
    unsafe { _Unwind_VRS_Get(context, 0, 15, 0, (&mut value as *mut usize).cast()) };
    value & !1
}

/// "server+0x1234"; `false` and nothing: it is in no file.
pub(in crate::sys) fn write_place(address: usize, to: &mut impl Write) -> Result<bool, fmt::Error> {
    let Some(place) = files::find(address) else {
        return Ok(false);
    };
    let mut room = [0u8; 512];
    let name = match place.name.bytes() {
        [] => last_part(own_program(&mut room)),
        name => name,
    };
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            to.write_char(if letter.is_control() { '?' } else { letter })?;
        }
        if !chunk.invalid().is_empty() {
            to.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    write!(to, "+{:#x}", place.offset)?;
    Ok(true)
}

/// The end of a longer path would be lost, and its name with it.
fn own_program(room: &mut [u8]) -> &[u8] {
    const UNKNOWN: &[u8] = b"program";
    let link = c"/proc/self/exe";
    // SAFETY: a name that ends with a zero, and as much room as said.
    let length = unsafe { libc::readlink(link.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    let length = usize::try_from(length).unwrap_or(0);
    match length > 0 && length < room.len() {
        true => {
            let path = &room[..length];
            path.strip_suffix(b" (deleted)").unwrap_or(path)
        }
        false => UNKNOWN,
    }
}

/// Tells a file from others that the code was loaded from.
pub(in crate::sys) fn file_of(address: usize) -> Option<usize> {
    files::find(address).map(|place| place.file)
}

/// The one that this code is in; `None`: that is the program itself, or cannot be told.
pub(in crate::sys) fn library_file() -> Option<usize> {
    let place = files::find(library_file as fn() -> Option<usize> as usize)?;
    (!place.is_program).then_some(place.file)
}

/// Where an address is.
struct Place {
    file: usize,
    is_program: bool,
    name: Name,
    offset: u64,
}

/// A file's name without its folder. A copy: of a close in the background it is asked for later, and the program may
/// unload the file meanwhile.
struct Name {
    /// NAME_MAX
    bytes: [u8; 255],
    length: usize,
}

impl Name {
    /// # Safety
    /// `path` is the loader's text, which ends with a zero and is there during the call, or NULL.
    unsafe fn of(path: *const libc::c_char) -> Name {
        let path = match path.is_null() {
            true => &[],
            // SAFETY: as the caller promises.
            false => unsafe { std::ffi::CStr::from_ptr(path) }.to_bytes(),
        };
        let name = match path {
            // as musl calls a program that is static (dl_iterate_phdr.c)
            b"/proc/self/exe" => &[],
            path => last_part(path),
        };
        let mut bytes = [0; 255];
        let length = name.len().min(bytes.len());
        bytes[..length].copy_from_slice(&name[..length]);
        Name { bytes, length }
    }

    /// Empty: the program itself.
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// By the segments that the files are loaded in: also in a static program, for which musl's dladdr
/// knows nothing.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod files {
    use super::{Name, Place};
    use libc::{c_int, c_void, dl_phdr_info, size_t};

    struct Search {
        address: u64,
        /// The program's own file is the first one.
        is_program: bool,
        found: Option<Place>,
    }

    pub(super) fn find(address: usize) -> Option<Place> {
        let mut search = Search {
            address: address as u64,
            is_program: true,
            found: None,
        };
        let argument = (&mut search as *mut Search).cast();
        // SAFETY: the function gets what is passed with it, which lives through the call.
        unsafe { libc::dl_iterate_phdr(Some(look), argument) };
        search.found
    }

    unsafe extern "C" fn look(info: *mut dl_phdr_info, _: size_t, search: *mut c_void) -> c_int {
        // SAFETY: the loader's own, during the call; and what `find` has passed.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        let is_program = std::mem::replace(&mut search.is_program, false);
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        let count = usize::from(info.dlpi_phnum);
        // SAFETY: as many as it says.
        let segments = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
        #[allow(clippy::unnecessary_cast)] // 32 bits wide on some systems
        let address = search.address.wrapping_sub(info.dlpi_addr as u64);
        for segment in segments {
            #[allow(clippy::unnecessary_cast)] // as above
            let (begin, size) = (segment.p_vaddr as u64, segment.p_memsz as u64);
            let within = address.wrapping_sub(begin);
            if segment.p_type == libc::PT_LOAD && within < size {
                #[allow(clippy::unnecessary_cast)] // as above
                let offset = segment.p_offset as u64 + within;
                search.found = Some(Place {
                    file: info.dlpi_phdr as usize,
                    is_program,
                    // SAFETY: the loader's, who holds its lock during the call.
                    name: unsafe { Name::of(info.dlpi_name) },
                    offset,
                });
                return 1;
            }
        }
        0
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
mod files {
    use super::{Name, Place};

    pub(super) fn find(address: usize) -> Option<Place> {
        let mut info = libc::Dl_info {
            dli_fname: std::ptr::null(),
            dli_fbase: std::ptr::null_mut(),
            dli_sname: std::ptr::null(),
            dli_saddr: std::ptr::null_mut(),
        };
        // SAFETY: any address may be asked for; `info` is filled in.
        let found = unsafe { libc::dladdr(address as *const _, &mut info) };
        (found != 0).then_some(Place {
            file: info.dli_fbase as usize,
            is_program: true,
            // SAFETY: the loader's.
            name: unsafe { Name::of(info.dli_fname) },
            offset: address.wrapping_sub(info.dli_fbase as usize) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Name;
    use std::ffi::CString;

    #[test]
    fn the_name_is_a_copy_of_the_last_part() {
        let longest = "n".repeat(255);
        for (path, name) in [
            ("", ""),
            ("/proc/self/exe", ""),
            ("libc.so.6", "libc.so.6"),
            ("/usr/lib/a plugin.so", "a plugin.so"),
            (&format!("/opt/{longest}"), &*longest),
            (&format!("/opt/{longest}nn"), &*longest),
        ] {
            let text = CString::new(path).unwrap();
            // SAFETY: ends with a zero; it is gone when the name is asked for.
            let copy = unsafe { Name::of(text.as_ptr()) };
            drop(text);
            assert_eq!(copy.bytes(), name.as_bytes(), "{path}");
        }
        // SAFETY: NULL is allowed.
        assert!(unsafe { Name::of(std::ptr::null()) }.bytes().is_empty());
    }
}
