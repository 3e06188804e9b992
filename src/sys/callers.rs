//! Who called: return addresses, and where they are in the files that the code was loaded from.

use super::system::{file_of, library_file, walk_callers, write_place};
use std::fmt;

/// As many as `graceful-close observe` keeps of a call site.
const MOST_CALLERS: usize = 6;

/// So many frames are looked at, those of the library included: a build without optimisation
/// takes some twenty.
const MOST_LOOKED_AT: usize = 62;

/// Tells whether a function that the program calls begins there.
pub(crate) type IsEntry = fn(usize) -> bool;

/// Return addresses into the program, the innermost first.
#[derive(Clone, Copy)]
pub(crate) struct Callers {
    list: [usize; MOST_CALLERS],
    count: usize,
}

impl Callers {
    const NONE: Callers = Callers {
        list: [0; MOST_CALLERS],
        count: 0,
    };

    /// Those of whoever called the function of the library that this is in. Takes no memory from
    /// the heap.
    #[inline(never)]
    pub(crate) fn capture(is_entry: IsEntry) -> Callers {
        let mut choice = Choice::new(is_entry);
        walk_callers(&mut |address, function| choice.look_at(address, function));
        match (choice.passed, library_file()) {
            // A program that is not position-independent and takes the address of a function of the
            // shared library gets one of its own, which then is that of the library, too.
            (Passed::Nothing, Some(own)) => Callers::outside_of(own),
            // In a Rust program those of the library come first.
            _ => choice.callers,
        }
    }

    /// The first ones may be inside.
    fn outside_of(file: usize) -> Callers {
        let (mut callers, mut left) = (Callers::NONE, MOST_LOOKED_AT);
        walk_callers(&mut |address, _| {
            left -= 1;
            let is_inside = callers.count == 0 && file_of(address) == Some(file);
            left > 0 && (is_inside || callers.add(address))
        });
        callers
    }

    /// Whether there is room for more.
    fn add(&mut self, address: usize) -> bool {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = address;
            self.count += 1;
        }
        self.count < MOST_CALLERS
    }

    pub(crate) fn addresses(&self) -> &[usize] {
        &self.list[..self.count]
    }
}

/// What has been passed on the way outwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    Nothing,
    /// One entry may call another.
    Entry,
    Library,
}

struct Choice {
    is_entry: IsEntry,
    callers: Callers,
    passed: Passed,
    left: usize,
}

impl Choice {
    fn new(is_entry: IsEntry) -> Choice {
        Choice {
            is_entry,
            callers: Callers::NONE,
            passed: Passed::Nothing,
            left: MOST_LOOKED_AT,
        }
    }

    /// A frame: where it returns to, and where its function begins, if that is known. Whether more
    /// are wanted.
    fn look_at(&mut self, address: usize, function: Option<usize>) -> bool {
        let is_entry = function.is_some_and(self.is_entry);
        match self.passed {
            Passed::Nothing | Passed::Entry if is_entry => {
                self.callers.count = 0;
                self.passed = Passed::Entry;
            }
            Passed::Entry => self.passed = Passed::Library,
            Passed::Nothing | Passed::Library => {}
        }
        let has_room = self.passed == Passed::Entry || self.callers.add(address);
        self.left -= 1;
        self.left > 0 && (has_room || self.passed == Passed::Nothing)
    }
}

/// An address in the code, to be written as "server+0x1234": the file's name, and the offset into the file
/// (ELF) or from the beginning of its image (PE).
pub(crate) struct CodePlace(pub(crate) usize);

impl fmt::Display for CodePlace {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match write_place(self.0, to)? {
            true => Ok(()),
            false => write!(to, "{:#x} in no module", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{file_of, Callers, Choice, CodePlace, MOST_CALLERS};

    /// Frames whose function begins at their address, but for the last digit.
    fn chosen(frames: &[usize]) -> Vec<usize> {
        let mut choice = Choice::new(|function| function == 0x500 || function == 0x600);
        for frame in frames {
            if !choice.look_at(*frame, Some(frame & !0xf)) {
                break;
            }
        }
        choice.callers.addresses().to_vec()
    }

    #[test]
    fn the_program_begins_behind_the_entry() {
        assert_eq!(chosen(&[0x101, 0x202, 0x503, 0x904, 0xa05]), [0x904, 0xa05]);
        // one entry calls another
        assert_eq!(chosen(&[0x101, 0x503, 0x604, 0x905]), [0x905]);
        // from the library's callback: what called that stays in
        assert_eq!(
            chosen(&[0x101, 0x503, 0x904, 0x101, 0x605, 0x906]),
            [0x904, 0x101, 0x605, 0x906]
        );
        let deep: Vec<usize> = (0..20).map(|at| 0x1000 + at * 0x10).collect();
        let behind = [&deep[..], &[0x501], &deep[..]].concat();
        assert_eq!(chosen(&behind), &deep[..MOST_CALLERS]);
        // there is none: as it is
        assert_eq!(chosen(&deep), &deep[..MOST_CALLERS]);
        assert_eq!(chosen(&[]), []);
    }

    #[test]
    fn the_callers_are_in_this_program() {
        let callers = Callers::capture(|_| false);
        let [first, ..] = callers.addresses() else {
            panic!("none");
        };
        let place = CodePlace(*first).to_string();
        let program = std::env::current_exe().unwrap();
        let name = program.file_name().unwrap().to_str().unwrap();
        let (module, offset) = place.rsplit_once("+0x").unwrap();
        assert_eq!(module, name);
        assert!(usize::from_str_radix(offset, 16).unwrap() > 0, "{place}");
    }

    /// What is left begins with one of the system's, which has started the thread; that may have been asked for by the
    /// file that was left out, further outwards.
    #[test]
    fn a_file_can_be_left_out() {
        let callers = Callers::capture(|_| false);
        let own = file_of(callers.addresses()[0]).unwrap();
        let others = Callers::outside_of(own);
        if let Some(first) = others.addresses().first() {
            assert_ne!(file_of(*first), Some(own));
        }
    }

    #[test]
    fn what_is_in_no_file_has_its_address() {
        let local = 0u8;
        let address = &local as *const u8 as usize;
        assert_eq!(
            CodePlace(address).to_string(),
            format!("{address:#x} in no module")
        );
    }
}
