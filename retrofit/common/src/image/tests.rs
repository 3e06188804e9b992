use super::{is_go, read, Kind};
#[cfg(target_os = "linux")]
use std::fs;

fn of(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> usize + '_ {
    move |at, room| {
        let rest = bytes.get(at as usize..).unwrap_or_default();
        let count = room.len().min(rest.len());
        room[..count].copy_from_slice(&rest[..count]);
        count
    }
}

#[cfg(target_os = "linux")]
fn own() -> Vec<u8> {
    fs::read("/proc/self/exe").unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn this_program() {
    let own = own();
    let image = read(&of(&own)).unwrap();
    let width = if cfg!(target_pointer_width = "64") {
        2
    } else {
        1
    };
    assert_eq!(image.kind.0, width);
    let linker = image.linker.unwrap();
    assert!(linker.path().starts_with(b"/lib"), "{linker:?}");
    assert!(!image.needs_asan);
    assert!(!is_go(&of(&own)));
}

/// libc.so.6 is needed by every program, so its place in the file holds such a name.
#[cfg(target_os = "linux")]
#[test]
fn the_runtime_of_address_sanitizer() {
    let mut own = own();
    let place = own.windows(10).position(|part| part == b"libc.so.6\0");
    let place = place.unwrap();
    own[place..place + 7].copy_from_slice(b"libasan");
    // "libasan.6": nearly
    assert!(!read(&of(&own)).unwrap().needs_asan);
    own[place..place + 10].copy_from_slice(b"libasan.so");
    assert!(read(&of(&own)).unwrap().needs_asan);
}

#[cfg(target_os = "linux")]
#[test]
fn musl_is_told_by_its_linker() {
    let mut own = own();
    assert!(!read(&of(&own)).unwrap().linker.unwrap().is_musl());
    let place = own.windows(8).position(|part| part == b"ld-linux");
    let place = place.unwrap();
    own[place..place + 8].copy_from_slice(b"ld-musl-");
    assert!(read(&of(&own)).unwrap().linker.unwrap().is_musl());
}

#[test]
fn what_is_cut_or_damaged() {
    assert_eq!(read(&of(b"")), None);
    assert_eq!(read(&of(b"#!/bin/sh\n")), None);
    assert_eq!(read(&of(b"\x7fELF\x02\x01\x01")), None);
    let mut wild = vec![0xff; 4096];
    wild[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let image = read(&of(&wild)).unwrap();
    assert_eq!(image.linker, None);
    assert!(!is_go(&of(&wild)));
    #[cfg(target_os = "linux")]
    for size in [10, 63, 64, 100, 1000] {
        let _ = read(&of(&own()[..size]));
    }
}

/// A file made by hand: 32 or 64 bits, numbers in either order.
struct Made {
    bytes: Vec<u8>,
    is_wide: bool,
    is_little: bool,
}

impl Made {
    fn put(&mut self, at: usize, number: u64, size: usize) {
        let mut bytes = number.to_le_bytes()[..size].to_vec();
        if !self.is_little {
            bytes.reverse();
        }
        self.bytes[at..at + size].copy_from_slice(&bytes);
    }

    fn half(&mut self, at_32: usize, at_64: usize, number: u64) {
        self.put(if self.is_wide { at_64 } else { at_32 }, number, 2);
    }

    fn word(&mut self, at_32: usize, at_64: usize, number: u64) {
        match self.is_wide {
            true => self.put(at_64, number, 8),
            false => self.put(at_32, number, 4),
        }
    }

    fn text(&mut self, at: usize, text: &[u8]) {
        self.bytes[at..at + text.len()].copy_from_slice(text);
    }

    fn segment(&mut self, number: usize, kind: u64, file: u64, address: u64, size: u64) {
        let at = 0x40 + number * if self.is_wide { 56 } else { 32 };
        self.put(at, kind, 4);
        self.word(at + 4, at + 8, file);
        self.word(at + 8, at + 16, address);
        self.word(at + 16, at + 32, size);
    }

    fn dynamic(&mut self, number: usize, tag: u64, value: u64) {
        let width = if self.is_wide { 8 } else { 4 };
        let at = 0x500 + number * 2 * width;
        self.word(at, at, tag);
        self.word(at + width, at + width, value);
    }
}

/// A program that needs libc.so.6 and, if its table has three entries, AddressSanitizer's runtime.
/// Its names begin where the segment before ends in memory.
fn made((class, data, machine): Kind, entries: u64) -> Made {
    let (is_wide, is_little) = (class == 2, data == 1);
    let bytes = vec![0; 0x1000];
    let mut made = Made {
        bytes,
        is_wide,
        is_little,
    };
    made.text(0, &[0x7f, b'E', b'L', b'F', class, data]);
    made.put(18, machine.into(), 2);
    made.word(28, 32, 0x40);
    made.half(42, 54, if is_wide { 56 } else { 32 });
    made.half(44, 56, 4);
    made.segment(0, 3, 0x200, 0x4200, 20);
    made.segment(1, 1, 0x300, 0x5000, 0x100);
    made.segment(2, 1, 0x800, 0x5100, 0x100);
    made.segment(3, 2, 0x500, 0x4500, entries * if is_wide { 16 } else { 8 });
    made.text(0x200, b"/lib/ld-made.so.2\0");
    made.dynamic(0, 5, 0x5110);
    made.dynamic(1, 1, 0x08);
    made.dynamic(2, 1, 0x20);
    made.text(0x818, b"libc.so.6\0");
    made.text(0x830, b"libasan.so.8\0");
    made.word(32, 40, 0x900);
    made.half(46, 58, if is_wide { 64 } else { 40 });
    made.half(48, 60, 2);
    made.half(50, 62, 1);
    let names = 0x900 + if is_wide { 64 } else { 40 };
    made.word(names + 16, names + 24, 0xb00);
    made.put(0x900, 3, 4);
    made
}

const KINDS: [Kind; 4] = [(1, 1, 3), (1, 2, 8), (2, 1, 62), (2, 2, 22)];

#[test]
fn programs_of_all_kinds() {
    for kind in KINDS {
        let made = made(kind, 2);
        let image = read(&of(&made.bytes)).unwrap();
        assert_eq!(image.kind, kind);
        assert_eq!(image.linker.unwrap().path(), b"/lib/ld-made.so.2");
        assert!(!image.needs_asan, "{kind:?}: behind the end of the table");
    }
}

#[test]
fn the_runtime_of_address_sanitizer_in_all_kinds() {
    for kind in KINDS {
        assert!(read(&of(&made(kind, 3).bytes)).unwrap().needs_asan);
        // its name lies in the file behind the bytes that are loaded
        let mut cut = made(kind, 3);
        cut.segment(2, 1, 0x800, 0x5100, 0x10);
        assert!(!read(&of(&cut.bytes)).unwrap().needs_asan, "{kind:?}");
        let mut next = made(kind, 3);
        next.dynamic(0, 5, 0x5100);
        next.text(0x820, b"libasan.so.8\0");
        assert!(read(&of(&next.bytes)).unwrap().needs_asan, "{kind:?}");
    }
}

#[test]
fn programs_of_go() {
    for kind in KINDS {
        let mut go = made(kind, 2);
        assert!(!is_go(&of(&go.bytes)), "{kind:?}");
        go.text(0xb03, b".go.buildinfo\0");
        assert!(is_go(&of(&go.bytes)), "{kind:?}");
    }
}
