//! Structs of every version, each in memory that is exactly as large as it says, and at an address
//! that no compiler would give it. What is read or written beside it, Miri and AddressSanitizer see
//! (`scripts/checkers`).

use super::super::error::{Layout, Wrong};
use super::super::types::*;
use super::{
    options, reaper_options, write_stats, ReportOut, ReportsOut, LARGEST, OPTIONS, REAPER_OPTIONS,
    REPORT, STATS, UNKNOWN,
};
use crate::options::DEFAULT_TIMEOUT_MS;
use crate::report::Report;
use std::mem::{offset_of, size_of, zeroed};
use std::ptr::{null, null_mut};

const SIZE: usize = size_of::<usize>();
/// What the bytes are that nobody has written to.
const OLD: u8 = 0xA5;

/// `count` structs of the program's, side by side, each of which says that it has `size` bytes.
struct Theirs {
    memory: Box<[u8]>,
    size: usize,
}

impl Theirs {
    fn of(size: usize, count: usize, fill: u8) -> Theirs {
        Theirs::saying(size, size, count, fill)
    }

    fn saying(said: usize, size: usize, count: usize, fill: u8) -> Theirs {
        let mut memory = vec![fill; size * count].into_boxed_slice();
        for one in memory.chunks_exact_mut(size) {
            one[..SIZE].copy_from_slice(&said.to_ne_bytes());
        }
        Theirs { memory, size }
    }

    fn place<T>(&mut self) -> *mut T {
        self.memory.as_mut_ptr().cast()
    }

    /// The member of that struct which begins there.
    fn number(&self, at: usize, offset: usize) -> usize {
        let from = at * self.size + offset;
        let bytes = self.memory[from..from + SIZE].try_into();
        usize::from_ne_bytes(bytes.expect("so many"))
    }

    fn int(&self, at: usize, offset: usize) -> i32 {
        let from = at * self.size + offset;
        let bytes = self.memory[from..from + size_of::<i32>()].try_into();
        i32::from_ne_bytes(bytes.expect("so many"))
    }
}

/// All that some version had or may have.
fn sizes(layout: &'static Layout) -> impl Iterator<Item = usize> {
    let newer = [layout.size + 1, layout.size + SIZE, LARGEST];
    layout.ends.iter().copied().chain(newer)
}

/// What no version had: nothing behind the size is there to be read.
fn wrong_sizes(layout: &'static Layout) -> impl Iterator<Item = usize> {
    let sizes = [0, 1, SIZE - 1, SIZE + 1, LARGEST + 1, usize::MAX];
    sizes.into_iter().filter(|size| !layout.ends.contains(size))
}

fn report() -> Report {
    Report {
        system_error: 104,
        closed: true,
        drained_bytes: 77,
        ..Report::nothing_done()
    }
}

#[test]
fn the_ends_of_members_stand_in_their_order() {
    for layout in [&OPTIONS, &REPORT, &REAPER_OPTIONS, &STATS] {
        let ends = layout.ends;
        assert!(ends.windows(2).all(|two| two[0] <= two[1]), "{layout:?}");
        assert_eq!(ends.last(), Some(&layout.size));
    }
}

#[test]
fn of_options_as_much_is_read_as_they_say() {
    for size in sizes(&OPTIONS) {
        let mut theirs = Theirs::of(size, 1, 0);
        // SAFETY: it has as many bytes as it says.
        let read = unsafe { options(theirs.place()) };
        let (read, raw) = read.expect("a size that some version has");
        assert_eq!((read.timeout_ms, raw.timeout_ms), (0, 0));
        assert!(raw.on_data.is_none());
    }
    // SAFETY: NULL.
    let (read, _) = unsafe { options(null()) }.expect("the defaults");
    assert_eq!(read.timeout_ms, DEFAULT_TIMEOUT_MS);
    for said in wrong_sizes(&OPTIONS) {
        let mut theirs = Theirs::saying(said, SIZE, 1, 0);
        // SAFETY: such a size must be refused before more is read.
        let refused = unsafe { options(theirs.place()) }.err();
        assert_eq!(refused, Some(Wrong::Size(&OPTIONS, said)));
    }
}

#[test]
fn newer_members_must_be_zero_to_the_last_byte() {
    for size in sizes(&OPTIONS).filter(|&size| size > OPTIONS.size) {
        let mut theirs = Theirs::of(size, 1, 0);
        theirs.memory[size - 1] = 1;
        // SAFETY: it has as many bytes as it says.
        let refused = unsafe { options(theirs.place()) }.err();
        assert_eq!(refused, Some(Wrong::NewerFields(&OPTIONS)));
    }
}

#[test]
fn of_reaper_options_as_much_is_read_as_they_say() {
    for size in sizes(&REAPER_OPTIONS) {
        let mut theirs = Theirs::of(size, 1, 0);
        // SAFETY: it has as many bytes as it says.
        let read = unsafe { reaper_options(theirs.place()) };
        assert_eq!(read.expect("a size of some version").max_pending, 0);
    }
    for said in wrong_sizes(&REAPER_OPTIONS) {
        let mut theirs = Theirs::saying(said, SIZE, 1, 0);
        // SAFETY: such a size must be refused before more is read.
        assert!(unsafe { reaper_options(theirs.place()) }.is_err());
    }
}

#[test]
fn of_a_report_as_much_is_written_as_it_says() {
    for size in sizes(&REPORT) {
        let mut theirs = Theirs::of(size, 1, OLD);
        // SAFETY: it has as many bytes as it says, and lives longer.
        let out = unsafe { ReportOut::new(theirs.place()) }.expect("a size of some version");
        out.write(3, &report());
        assert_eq!(theirs.number(0, 0), size, "the size is the program's");
        if size > offset_of!(gc_report, system_error) {
            assert_eq!(theirs.int(0, offset_of!(gc_report, outcome)), 3);
        }
        if size >= REPORT.size {
            assert_eq!(theirs.int(0, offset_of!(gc_report, system_error)), 104);
            assert_eq!(theirs.number(0, offset_of!(gc_report, drained_bytes)), 77);
            let unacked = theirs.number(0, offset_of!(gc_report, unacked_bytes));
            assert_eq!(unacked, UNKNOWN);
            assert!(theirs.memory[REPORT.size..].iter().all(|&byte| byte == OLD));
        }
    }
    for said in wrong_sizes(&REPORT) {
        let mut theirs = Theirs::saying(said, SIZE, 1, OLD);
        // SAFETY: such a size must be refused before anything is written.
        assert!(unsafe { ReportOut::new(theirs.place()) }.is_err());
    }
}

#[test]
fn reports_stand_as_far_apart_as_the_first_says() {
    for size in sizes(&REPORT) {
        let mut theirs = Theirs::of(size, 3, OLD);
        // SAFETY: three of them, as large as they say, that live longer.
        let out = unsafe { ReportsOut::new(theirs.place(), 3) }.expect("all alike");
        for at in [2, 0, 1] {
            out.write(at, 5 + at as i32, &report());
        }
        for at in 0..3 {
            assert_eq!(theirs.number(at, 0), size);
            if size > offset_of!(gc_report, system_error) {
                let outcome = theirs.int(at, offset_of!(gc_report, outcome));
                assert_eq!(outcome, 5 + at as i32);
            }
        }
        let last = 2 * size;
        theirs.memory[last..last + SIZE].copy_from_slice(&(size + 8).to_ne_bytes());
        // SAFETY: as above.
        let refused = unsafe { ReportsOut::new(theirs.place(), 3) }.err();
        assert_eq!(refused, Some(Wrong::UnlikeTheFirst(2)));
    }
    // SAFETY: NULL.
    let nobody = unsafe { ReportsOut::new(null_mut(), 3) }.expect("nobody asks");
    nobody.write(2, 0, &report());
    assert!(nobody.is_null());
}

#[test]
fn of_figures_as_much_is_written_as_they_say() {
    for size in sizes(&STATS) {
        let mut theirs = Theirs::of(size, 1, OLD);
        // SAFETY: numbers, for which zeroes will do.
        let raw: gc_stats = unsafe { zeroed() };
        let raw = gc_stats { pending: 9, ..raw };
        // SAFETY: it has as many bytes as it says.
        let written = unsafe { write_stats(theirs.place(), raw) };
        assert_eq!(written, Ok(()));
        assert_eq!(theirs.number(0, 0), size);
        if size >= STATS.size {
            assert_eq!(theirs.number(0, offset_of!(gc_stats, pending)), 9);
            assert!(theirs.memory[STATS.size..].iter().all(|&byte| byte == OLD));
        }
    }
    for said in wrong_sizes(&STATS) {
        let mut theirs = Theirs::saying(said, SIZE, 1, OLD);
        // SAFETY: such a size must be refused before anything is written.
        let refused = unsafe { write_stats(theirs.place(), zeroed()) };
        assert_eq!(refused, Err(Wrong::Size(&STATS, said)));
    }
}
