//! The files that code was loaded from: by what the C library (2.35, _dl_find_object) tells without a
//! lock, without memory of its own and without a system call, so in a signal handler, too.

use super::frame_tables::Tables;
use crate::sys;
use graceful_close_retrofit::observe::{Mix, Place, Table};
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The C library's struct dl_find_object.
#[repr(C)]
struct Found {
    flags: u64,
    object: Object,
    reserved: [u64; 9],
}

/// What its addresses lead to is there as long as code of the object is under way.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Object {
    begin: usize,
    end: usize,
    link_map: *const LinkMap,
    unwind_table: usize,
}

#[repr(C)]
struct LinkMap {
    /// To be added to the addresses of the file.
    base: usize,
    name: *const c_char,
}

type Find = unsafe extern "C" fn(usize, *mut Found) -> c_int;

static FIND: AtomicUsize = AtomicUsize::new(0);

/// Objects that stay to the end of the process: this library, the program itself, and the C library.
static STAYING: [Staying; 3] = [const { Staying::new() }; 3];

struct Staying {
    begin: AtomicUsize,
    end: AtomicUsize,
    link_map: AtomicUsize,
    unwind_table: AtomicUsize,
}

impl Staying {
    const fn new() -> Staying {
        Staying {
            begin: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            link_map: AtomicUsize::new(0),
            unwind_table: AtomicUsize::new(0),
        }
    }

    fn set(&self, object: &Object) {
        self.begin.store(object.begin, Relaxed);
        self.end.store(object.end, Relaxed);
        self.link_map.store(object.link_map as usize, Relaxed);
        self.unwind_table.store(object.unwind_table, Relaxed);
    }

    fn has(&self, address: usize) -> bool {
        (self.begin.load(Relaxed)..self.end.load(Relaxed)).contains(&address)
    }

    fn object(&self) -> Object {
        Object {
            begin: self.begin.load(Relaxed),
            end: self.end.load(Relaxed),
            link_map: self.link_map.load(Relaxed) as *const LinkMap,
            unwind_table: self.unwind_table.load(Relaxed),
        }
    }
}

/// For the constructor.
pub fn set_up() {
    // SAFETY: a name that ends with a zero.
    let find = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND.store(find as usize, Relaxed);
    // SAFETY: takes a number.
    let program = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    let c_library = libc::getauxval as unsafe extern "C" fn(_) -> _ as usize;
    let addresses = [set_up as fn() as usize, program, c_library];
    for (staying, address) in STAYING.iter().zip(addresses) {
        if let Some(object) = object(address) {
            staying.set(&object);
        }
    }
}

/// None of the functions below finds anything without it.
pub fn is_known() -> bool {
    FIND.load(Relaxed) != 0
}

/// Whether an address is in this library.
pub fn is_own(address: usize) -> bool {
    STAYING[0].has(address)
}

/// Whether an address is in an object that stays.
pub fn stays(address: usize) -> bool {
    STAYING.iter().any(|staying| staying.has(address))
}

/// The object that an address is in, and its stamp: after the object is unloaded, another one in the
/// same place has another stamp.
pub fn stamped(address: usize) -> Option<(Object, u64)> {
    if let Some(at) = STAYING.iter().position(|staying| staying.has(address)) {
        return Some((STAYING[at].object(), at as u64));
    }
    let object = object(address)?;
    Some((object, object.stamp()))
}

fn object(address: usize) -> Option<Object> {
    let find = FIND.load(Relaxed);
    if find == 0 {
        return None;
    }
    let mut found = Found {
        flags: 0,
        object: Object {
            begin: 0,
            end: 0,
            link_map: std::ptr::null(),
            unwind_table: 0,
        },
        reserved: [0; 9],
    };
    // SAFETY: the function of this name has this type, and fills in the struct.
    let result = unsafe { std::mem::transmute::<usize, Find>(find)(address, &mut found) };
    (result == 0).then_some(found.object)
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
    let Some(offset) = object.file_offset(address) else {
        return nowhere;
    };
    let mut room = [0u8; 4096];
    let path = match object.name() {
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

const PAGE: usize = 4096;

impl Object {
    pub fn has(&self, address: usize) -> bool {
        (self.begin..self.end).contains(&address)
    }

    fn base(&self) -> usize {
        // SAFETY: the map of an object that is loaded: the program returns to it.
        unsafe { (*self.link_map).base }
    }

    /// Empty: the program itself.
    fn name(&self) -> &[u8] {
        // SAFETY: as above; a name ends with a zero.
        unsafe {
            let name = (*self.link_map).name;
            match name.is_null() {
                true => &[],
                false => CStr::from_ptr(name).to_bytes(),
            }
        }
    }

    /// That of the file; it is in memory.
    fn first_page(&self) -> &[u8; PAGE] {
        // SAFETY: an object has more than one page.
        unsafe { &*(self.begin as *const [u8; PAGE]) }
    }

    /// Of a file with 64 bits.
    fn segments(&self) -> &[libc::Elf64_Phdr] {
        let page = self.first_page();
        if !page.starts_with(b"\x7fELF\x02") {
            return &[];
        }
        // SAFETY: the page begins with this header, as it says itself.
        let header = unsafe { &*page.as_ptr().cast::<libc::Elf64_Ehdr>() };
        let (at, count) = (header.e_phoff as usize, usize::from(header.e_phnum));
        let size = count * size_of::<libc::Elf64_Phdr>();
        if at % 8 != 0 || !at.checked_add(size).is_some_and(|end| end <= PAGE) {
            return &[];
        }
        // SAFETY: within that page, and aligned.
        unsafe { std::slice::from_raw_parts(page.as_ptr().add(at).cast(), count) }
    }

    /// By its path, the file's headers, and what identifies its build.
    fn stamp(&self) -> u64 {
        let mut stamp = Mix::default()
            .word(self.begin as u64)
            .word(self.end as u64)
            .word(self.link_map as u64)
            .word(self.unwind_table as u64)
            .bytes(self.name());
        let page = self.first_page();
        let notes = self
            .segments()
            .iter()
            .filter(|part| part.p_type == libc::PT_NOTE);
        for note in notes {
            let begin = note.p_offset as usize;
            let end = begin.saturating_add(note.p_filesz as usize);
            stamp = stamp.bytes(page.get(begin..end).unwrap_or_default());
        }
        stamp.bytes(&page[..size_of::<libc::Elf64_Ehdr>()]).value()
    }

    /// What the compiler tells of its functions.
    pub fn tables(&self) -> Option<Tables<'static>> {
        let (base, header) = (self.base(), self.unwind_table);
        let within = header.wrapping_sub(base) as u64;
        let segment = self.segments().iter().find(|segment| {
            segment.p_type == libc::PT_LOAD
                && segment.p_flags & libc::PF_R != 0
                && within.wrapping_sub(segment.p_vaddr) < segment.p_filesz
        })?;
        let address = base.wrapping_add(segment.p_vaddr as usize);
        // SAFETY: a segment of an object that is loaded and stays as long as its code is under way;
        // nobody writes to it if it is as usual, which is why others are not taken.
        let bytes =
            unsafe { std::slice::from_raw_parts(address as *const u8, segment.p_filesz as usize) };
        let is_constant = segment.p_flags & libc::PF_W == 0;
        is_constant.then_some(Tables {
            bytes,
            address,
            header,
        })
    }

    fn file_offset(&self, address: usize) -> Option<u64> {
        let address = address.wrapping_sub(self.base()) as u64;
        self.segments().iter().find_map(|segment| {
            let within = address.checked_sub(segment.p_vaddr)?;
            let is_there = segment.p_type == libc::PT_LOAD && within < segment.p_memsz;
            is_there.then_some(segment.p_offset + within)
        })
    }
}
