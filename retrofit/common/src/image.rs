//! As much of an ELF file as tells whether a library can be preloaded into it.

/// EI_CLASS (1: 32 bits, 2: 64 bits), EI_DATA and e_machine: what must be the same in a program
/// and its libraries.
pub type Kind = (u8, u8, u16);

/// Reads from a place of the file; how many bytes there were.
pub type Read<'a> = &'a dyn Fn(u64, &mut [u8]) -> usize;

/// What is known of a program, or of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub kind: Kind,
    /// The dynamic linker that it asks for; `None`: it is statically linked.
    pub linker: Option<Linker>,
    /// AddressSanitizer's runtime is a library of its own, and wants to be the first of all.
    pub needs_asan: bool,
}

/// The path of a dynamic linker. Those that there are have fewer than 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linker {
    room: [u8; 256],
    used: usize,
}

impl Linker {
    pub fn path(&self) -> &[u8] {
        &self.room[..self.used]
    }

    /// musl's is the C library, too: it takes what is preloaded for its own kind, finds that
    /// functions are missing, and ends the program with status 127.
    pub fn is_musl(&self) -> bool {
        self.path().windows(7).any(|part| part == b"ld-musl")
    }
}

/// What AddressSanitizer's runtime can be told in ASAN_OPTIONS.
pub mod asan {
    /// That it need not be the first of all libraries.
    pub const NO_LINK_ORDER: &str = "verify_asan_link_order=0";
}

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE: u8 = 1;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
/// Longer tables are no program's.
const MOST_ENTRIES: u64 = 4096;

/// gcc's name for AddressSanitizer's runtime, and clang's with -shared-libasan.
const ASAN: [&[u8]; 2] = [b"libasan.so", b"libclang_rt.asan"];
/// The sections that the Go tool chain writes; a stripped program keeps them, too.
const GO: [&[u8]; 2] = [b".go.buildinfo\0", b".note.go.buildid\0"];

/// `None`: not an ELF file, or one that the kernel would refuse.
pub fn read(file: Read) -> Option<Image> {
    let reader = Reader::new(file)?;
    Some(Image {
        kind: reader.kind()?,
        linker: reader.linker()?,
        needs_asan: reader.needs_asan().unwrap_or(false),
    })
}

/// Go's programs make their system calls without the C library.
pub fn is_go(file: Read) -> bool {
    Reader::new(file).is_some_and(|reader| reader.has_section(&GO).unwrap_or(false))
}

struct Reader<'a> {
    file: Read<'a>,
    class: u8,
    data: u8,
}

/// A table of the file: where it begins, how long an entry is, and how many there are.
struct Table {
    at: u64,
    size: u64,
    count: u64,
}

impl Table {
    fn places(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.count.min(MOST_ENTRIES)).map(|number| self.place(number))
    }

    /// A damaged table may lie anywhere; nothing can be read there then.
    fn place(&self, number: u64) -> u64 {
        self.at.saturating_add(number.saturating_mul(self.size))
    }
}

impl Reader<'_> {
    fn new(file: Read<'_>) -> Option<Reader<'_>> {
        let mut start = [0u8; 6];
        let is_known = file(0, &mut start) == start.len()
            && start.starts_with(MAGIC)
            && matches!(start[4], 1 | 2)
            && matches!(start[5], 1 | 2);
        is_known.then_some(Reader {
            file,
            class: start[4],
            data: start[5],
        })
    }

    fn kind(&self) -> Option<Kind> {
        Some((self.class, self.data, self.number(18, 2)? as u16))
    }

    fn is_wide(&self) -> bool {
        self.class == CLASS_64
    }

    /// A number of so many bytes.
    fn number(&self, at: u64, size: usize) -> Option<u64> {
        let mut bytes = [0u8; 8];
        let part = &mut bytes[..size];
        if (self.file)(at, part) != size {
            return None;
        }
        if self.data != LITTLE {
            part.reverse();
        }
        Some(u64::from_le_bytes(bytes))
    }

    /// A number that is as long as an address, at one of two places.
    fn word(&self, at_32: u64, at_64: u64) -> Option<u64> {
        if self.is_wide() {
            self.number(at_64, 8)
        } else {
            self.number(at_32, 4)
        }
    }

    /// A half word of the header, at one of two places.
    fn half(&self, at_32: u64, at_64: u64) -> Option<u64> {
        self.number(if self.is_wide() { at_64 } else { at_32 }, 2)
    }

    fn segments(&self) -> Option<Table> {
        Some(Table {
            at: self.word(28, 32)?,
            size: self.half(42, 54)?,
            count: self.half(44, 56)?,
        })
    }

    /// Where the first segment of a kind is described.
    fn segment(&self, kind: u64) -> Option<u64> {
        let table = self.segments()?;
        let found = table.places().find(|at| self.number(*at, 4) == Some(kind));
        found
    }

    /// Where a segment lies in the file, and its size there.
    fn extent(&self, at: u64) -> Option<(u64, u64)> {
        let size = self.word(at.checked_add(16)?, at.checked_add(32)?)?;
        Some((self.word(at + 4, at + 8)?, size))
    }

    /// `None`: the file is cut; `Some(None)`: it names none.
    fn linker(&self) -> Option<Option<Linker>> {
        self.segments()?;
        let Some(at) = self.segment(PT_INTERP) else {
            return Some(None);
        };
        let (place, size) = self.extent(at)?;
        let mut room = [0u8; 256];
        let wanted = room.len().min(size as usize);
        let count = (self.file)(place, &mut room[..wanted]);
        let end = room[..count].iter().position(|byte| *byte == 0);
        let used = end.unwrap_or(count);
        Some(Some(Linker { room, used }))
    }

    /// Where an address of the running program lies in its file.
    fn place_of(&self, address: u64) -> Option<u64> {
        let table = self.segments()?;
        let found = table.places().find_map(|at| {
            if self.number(at, 4)? != PT_LOAD {
                return None;
            }
            let (place, size) = self.extent(at)?;
            let start = self.word(at + 8, at + 16)?;
            let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
            place.checked_add(inside)
        });
        found
    }

    fn needs_asan(&self) -> Option<bool> {
        let (at, size) = self.extent(self.segment(PT_DYNAMIC)?)?;
        let width = if self.is_wide() { 8 } else { 4 };
        let entries = Table {
            at,
            size: 2 * width,
            count: size / (2 * width),
        };
        let tagged = |tag| {
            let values = entries.places().map_while(move |at| {
                let found = self.word(at, at)?;
                Some((found, self.word(at.checked_add(4)?, at.checked_add(8)?)?))
            });
            // the table ends with a zero
            let values = values.take_while(|(found, _)| *found != 0);
            values.filter(move |(found, _)| *found == tag)
        };
        let names = self.place_of(tagged(DT_STRTAB).next()?.1)?;
        let mut needed = tagged(DT_NEEDED);
        Some(needed.any(|(_, name)| self.begins(names.saturating_add(name), &ASAN)))
    }

    fn has_section(&self, wanted: &[&[u8]]) -> Option<bool> {
        let sections = Table {
            at: self.word(32, 40)?,
            size: self.half(46, 58)?,
            count: self.half(48, 60)?,
        };
        let names = sections.place(self.half(50, 62)?);
        let names = self.word(names.checked_add(16)?, names.checked_add(24)?)?;
        let mut sections = sections.places();
        Some(sections.any(|at| {
            let name = self.number(at, 4).unwrap_or(0);
            self.begins(names.saturating_add(name), wanted)
        }))
    }

    /// Whether one of these stands there.
    fn begins(&self, at: u64, wanted: &[&[u8]]) -> bool {
        let mut room = [0u8; 32];
        let count = (self.file)(at, &mut room);
        wanted.iter().any(|word| room[..count].starts_with(word))
    }
}

#[cfg(test)]
mod tests;
