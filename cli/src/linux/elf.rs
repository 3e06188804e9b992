//! As much of an ELF file as tells whether a library can be preloaded into it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// EI_CLASS (1: 32 bits, 2: 64 bits), EI_DATA and e_machine: what must be the same in a program
/// and its libraries.
pub type Kind = (u8, u8, u16);

/// What is known of a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elf {
    pub kind: Kind,
    /// The dynamic linker that it asks for; `None`: it is statically linked.
    pub interpreter: Option<Vec<u8>>,
    /// It has the sections that the Go tool chain writes.
    pub is_go: bool,
}

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE: u8 = 1;
const PT_INTERP: u64 = 3;
/// Longer tables are no program's.
const MOST_ENTRIES: u64 = 4096;
const MOST_NAMES: u64 = 1 << 20;

/// `None`: not an ELF file, or one that the kernel would refuse.
pub fn read(file: &File) -> Option<Elf> {
    Reader::new(file)?.read().ok()
}

struct Reader<'a> {
    file: &'a File,
    class: u8,
    data: u8,
}

/// A table of the file: where it begins, how long an entry is, and how many there are.
struct Table {
    at: u64,
    size: u64,
    count: u64,
}

impl Reader<'_> {
    fn new(file: &File) -> Option<Reader<'_>> {
        let mut start = [0u8; 6];
        file.read_exact_at(&mut start, 0).ok()?;
        let is_known = matches!(start[4], 1 | 2) && matches!(start[5], 1 | 2);
        (start.starts_with(MAGIC) && is_known).then_some(Reader {
            file,
            class: start[4],
            data: start[5],
        })
    }

    fn is_wide(&self) -> bool {
        self.class == CLASS_64
    }

    /// A number of so many bytes.
    fn number(&self, at: u64, size: usize) -> io::Result<u64> {
        let mut bytes = [0u8; 8];
        let part = &mut bytes[..size];
        self.file.read_exact_at(part, at)?;
        if self.data != LITTLE {
            part.reverse();
        }
        Ok(u64::from_le_bytes(bytes))
    }

    /// A number that is as long as an address, at one of two places.
    fn word(&self, at_32: u64, at_64: u64) -> io::Result<u64> {
        if self.is_wide() {
            self.number(at_64, 8)
        } else {
            self.number(at_32, 4)
        }
    }

    /// A half word of the header, at one of two places.
    fn half(&self, at_32: u64, at_64: u64) -> io::Result<u64> {
        self.number(if self.is_wide() { at_64 } else { at_32 }, 2)
    }

    fn read(&self) -> io::Result<Elf> {
        let machine = self.number(18, 2)? as u16;
        Ok(Elf {
            kind: (self.class, self.data, machine),
            interpreter: self.interpreter()?,
            is_go: self.is_go().unwrap_or(false),
        })
    }

    fn interpreter(&self) -> io::Result<Option<Vec<u8>>> {
        let headers = Table {
            at: self.word(28, 32)?,
            size: self.half(42, 54)?,
            count: self.half(44, 56)?,
        };
        for number in 0..headers.count.min(MOST_ENTRIES) {
            let at = headers.at + number * headers.size;
            if self.number(at, 4)? == PT_INTERP {
                let place = self.word(at + 4, at + 8)?;
                let size = self.word(at + 16, at + 32)?.min(4096);
                let mut path = vec![0u8; size as usize];
                self.file.read_exact_at(&mut path, place)?;
                path.retain(|byte| *byte != 0);
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// By the names of its sections, which a stripped program keeps, too.
    fn is_go(&self) -> io::Result<bool> {
        let sections = Table {
            at: self.word(32, 40)?,
            size: self.half(46, 58)?,
            count: self.half(48, 60)?,
        };
        let names = sections.at + self.half(50, 62)? * sections.size;
        let place = self.word(names + 16, names + 24)?;
        let size = self.word(names + 20, names + 32)?.min(MOST_NAMES);
        if sections.at == 0 || sections.count == 0 {
            return Ok(false);
        }
        let mut text = vec![0u8; size as usize];
        self.file.read_exact_at(&mut text, place)?;
        let has = |name: &[u8]| text.split(|byte| *byte == 0).any(|word| word == name);
        Ok(has(b".go.buildinfo") || has(b".note.go.buildid"))
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::fs::File;

    #[test]
    fn this_program() {
        let elf = read(&File::open("/proc/self/exe").unwrap()).unwrap();
        assert!(elf.interpreter.is_some());
        assert!(!elf.is_go);
        assert_eq!(
            elf.kind.0,
            if cfg!(target_pointer_width = "64") {
                2
            } else {
                1
            }
        );
    }

    #[test]
    fn not_a_program() {
        assert_eq!(read(&File::open("/proc/self/status").unwrap()), None);
        assert_eq!(read(&File::open("/dev/null").unwrap()), None);
    }
}
