//! The stack, and the files that code was loaded from: by what the C library (2.35, _dl_find_object)
//! and the compiler's run-time library (of GCC 12, _Unwind_Backtrace by way of it) tell without a
//! lock, without memory of their own and without a system call, so in a signal handler, too.

use crate::sys;
use graceful_close_retrofit::observe::{Place, Table};
use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The C library's struct dl_find_object.
#[repr(C)]
struct Object {
    flags: u64,
    begin: usize,
    end: usize,
    link_map: *const LinkMap,
    unwind_table: usize,
    reserved: [u64; 9],
}

#[repr(C)]
struct LinkMap {
    /// To be added to the addresses of the file.
    base: usize,
    name: *const c_char,
}

type Find = unsafe extern "C" fn(usize, *mut Object) -> c_int;
type Step = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

extern "C" {
    fn _Unwind_Backtrace(step: Step, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

static FIND: AtomicUsize = AtomicUsize::new(0);
static OWN_BEGIN: AtomicUsize = AtomicUsize::new(0);
static OWN_END: AtomicUsize = AtomicUsize::new(0);

/// For the constructor.
pub fn set_up() {
    // SAFETY: a name that ends with a zero.
    let find = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND.store(find as usize, Relaxed);
    if let Some(own) = object(set_up as fn() as usize) {
        OWN_BEGIN.store(own.begin, Relaxed);
        OWN_END.store(own.end, Relaxed);
    }
    // what it does the first time is done here
    walk(&mut |_| true);
}

fn object(address: usize) -> Option<Object> {
    let find = FIND.load(Relaxed);
    if find == 0 {
        return None;
    }
    let mut object = Object {
        flags: 0,
        begin: 0,
        end: 0,
        link_map: std::ptr::null(),
        unwind_table: 0,
        reserved: [0; 9],
    };
    // SAFETY: the function of this name has this type, and fills in the struct.
    let found = unsafe { std::mem::transmute::<usize, Find>(find)(address, &mut object) };
    (found == 0).then_some(object)
}

/// More frames are not looked at, our own ones included.
const MOST_LOOKED_AT: usize = 24;

struct Walk<'a> {
    own: Range<usize>,
    looked_at: usize,
    found: &'a mut dyn FnMut(usize) -> bool,
}

/// Each return address, as long as `found` wants more.
pub fn walk(found: &mut dyn FnMut(usize) -> bool) {
    if FIND.load(Relaxed) == 0 {
        return;
    }
    let mut walk = Walk {
        own: OWN_BEGIN.load(Relaxed)..OWN_END.load(Relaxed),
        looked_at: 0,
        found,
    };
    // SAFETY: the function gets what is passed with it, which lives through the call.
    unsafe { _Unwind_Backtrace(step, (&mut walk as *mut Walk).cast()) };
}

unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    const ON: c_int = 0;
    const NORMAL_STOP: c_int = 4;
    // SAFETY: the context of a frame; and what `walk` has passed.
    let (address, walk) = unsafe { (_Unwind_GetIP(context), &mut *walk.cast::<Walk>()) };
    walk.looked_at += 1;
    let goes_on = match address {
        0 => false,
        _ if walk.own.contains(&address) => true,
        _ => (walk.found)(address),
    };
    match goes_on && walk.looked_at < MOST_LOOKED_AT {
        true => ON,
        false => NORMAL_STOP,
    }
}

/// Where an address is in the file that it was loaded from.
pub fn place(table: &Table, address: usize) -> Place {
    let nowhere = Place {
        module: None,
        offset: address as u64,
    };
    let Some(object) = object(address) else {
        return nowhere;
    };
    // SAFETY: the map of an object that is loaded: the program returns to it.
    let (base, name) = unsafe {
        let map = &*object.link_map;
        (map.base, map.name)
    };
    let Some(offset) = file_offset(object.begin, address.wrapping_sub(base)) else {
        return nowhere;
    };
    let mut room = [0u8; 4096];
    let path = match name.is_null() {
        true => &[],
        // SAFETY: the name of a loaded object.
        false => unsafe { CStr::from_ptr(name) }.to_bytes(),
    };
    let path = match path {
        // the program itself
        [] => own_program(&mut room),
        path => path,
    };
    Place {
        module: table.module(path),
        offset,
    }
}

fn own_program(room: &mut [u8]) -> &[u8] {
    match sys::read_link(libc::AT_FDCWD, c"/proc/self/exe", room) {
        Ok(length) => &room[..length],
        Err(_) => crate::real::path().unwrap_or_default(),
    }
}

/// By the segments that the file is loaded in (ELF, with 64 bits); its first page is in memory.
fn file_offset(begin: usize, address: usize) -> Option<u64> {
    const PAGE: usize = 4096;
    let header = begin as *const libc::Elf64_Ehdr;
    // SAFETY: the first page of a loaded object, which has more than one.
    let header = unsafe { &*header };
    let count = usize::from(header.e_phnum);
    let at = header.e_phoff as usize;
    let end = at.checked_add(count * size_of::<libc::Elf64_Phdr>())?;
    if &header.e_ident[..4] != b"\x7fELF" || end > PAGE {
        return None;
    }
    // SAFETY: within that page, as has been seen.
    let segments =
        unsafe { std::slice::from_raw_parts((begin + at) as *const libc::Elf64_Phdr, count) };
    segments.iter().find_map(|segment| {
        let within = (address as u64).checked_sub(segment.p_vaddr)?;
        let is_there = segment.p_type == libc::PT_LOAD && within < segment.p_memsz;
        is_there.then_some(segment.p_offset + within)
    })
}
