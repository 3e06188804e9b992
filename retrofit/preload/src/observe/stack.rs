//! The stack: by rules that were read once for each return address (x86-64), and where these do not
//! suffice, by the compiler's run-time library (of GCC 12, _Unwind_Backtrace by way of
//! _dl_find_object). Neither takes a lock or memory or makes a system call.

use super::addresses::{Addresses, MOST};
use super::objects::{self, Object};
use libc::{c_int, c_void};

/// More frames are not looked at, our own ones included.
const MOST_LOOKED_AT: usize = 24;

type Step = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

extern "C" {
    fn _Unwind_Backtrace(step: Step, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

struct Walk<'a> {
    looked_at: usize,
    found: &'a mut dyn FnMut(usize) -> bool,
}

/// Each return address, as long as `found` wants more.
pub fn by_run_time_library(found: &mut dyn FnMut(usize) -> bool) {
    let mut walk = Walk {
        looked_at: 0,
        found,
    };
    // SAFETY: the function gets what is passed with it, which lives through the call.
    unsafe { _Unwind_Backtrace(step, (&mut walk as *mut Walk).cast()) };
}

unsafe extern "C" fn step(context: *mut c_void, walk: *mut c_void) -> c_int {
    const ON: c_int = 0;
    const NORMAL_STOP: c_int = 4;
    // SAFETY: the context of a frame; and what `by_run_time_library` has passed.
    let (address, walk) = unsafe { (_Unwind_GetIP(context), &mut *walk.cast::<Walk>()) };
    walk.looked_at += 1;
    let goes_on = address != 0 && (walk.found)(address);
    match goes_on && walk.looked_at < MOST_LOOKED_AT {
        true => ON,
        false => NORMAL_STOP,
    }
}

/// The objects of one look at the stack, which has many frames of each.
#[derive(Default)]
pub struct Objects {
    last: [Option<(Object, u64)>; 4],
    next: usize,
}

impl Objects {
    /// That of an address, and its stamp.
    #[inline]
    pub fn of(&mut self, address: usize) -> Option<&(Object, u64)> {
        let has = |known: &Option<(Object, u64)>| matches!(known, Some((object, _)) if object.has(address));
        if let Some(at) = self.last.iter().position(has) {
            return self.last[at].as_ref();
        }
        let stamped = objects::stamped(address)?;
        let at = self.next % self.last.len();
        self.next += 1;
        self.last[at] = Some(stamped);
        self.last[at].as_ref()
    }

    pub fn stamp(&mut self, found: &mut Addresses) {
        let mut stamps = [None; MOST];
        for (stamp, address) in stamps.iter_mut().zip(found.known()) {
            *stamp = self.of(*address).map(|(_, stamp)| *stamp);
        }
        found.set_stamp(stamps.into_iter().flatten());
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn by_rules() -> Option<Addresses> {
    None
}

#[cfg(target_arch = "x86_64")]
pub use x86_64::by_rules;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::super::addresses::Addresses;
    use super::super::frame_rule::{Base, Rule};
    use super::super::objects;
    use super::super::rules::Rules;
    use super::super::walks::{Reads, Start, Walks};
    use super::{Objects, MOST_LOOKED_AT};
    use std::arch::asm;

    static RULES: Rules = Rules::new();
    static WALKS: Walks = Walks::new();

    /// A frame that is larger is not walked over: nothing is read far from the stack, whatever the
    /// tables say.
    const LARGEST: usize = 1 << 20;

    /// An address in the function that this is in, and where the walk from there begins. The function
    /// must not be a part of another one: its frame must be there to the end.
    macro_rules! here {
        () => {{
            let (here, sp, bp): (usize, usize, usize);
            // SAFETY: reads three registers.
            unsafe {
                asm!(
                    "lea {here}, [rip]",
                    "mov {sp}, rsp",
                    "mov {bp}, rbp",
                    here = out(reg) here,
                    sp = out(reg) sp,
                    bp = out(reg) bp,
                    options(nomem, nostack, preserves_flags)
                );
            }
            // as if the instruction had been called: the row of the table is that of the one before
            (here + 1, Start { sp, bp })
        }};
    }

    /// The callers. `None`: there is a frame for which the rules do not suffice.
    #[inline(never)]
    pub fn by_rules() -> Option<Addresses> {
        let (here, start) = here!();
        // SAFETY: a word that the walk would read, for the reason that it gives.
        let read = |offset: u32| unsafe { ((start.sp + offset as usize) as *const usize).read() };
        if let Some(found) = WALKS.get(start, read) {
            return Some(found);
        }
        let (mut found, mut reads) = (Addresses::default(), Reads::default());
        let mut objects = Objects::default();
        let mut stay = true;
        walk(here, start, &mut objects, &mut reads, &mut |address| {
            stay &= objects::stays(address);
            found.add(address)
        })?;
        objects.stamp(&mut found);
        // what is unloaded may give its place to other code, with other rules
        if stay {
            WALKS.put(start, &reads, &found);
        }
        Some(found)
    }

    /// Each return address, as long as `found` wants more. `None`: there is a frame for which the
    /// rules do not suffice, and what was found is not all.
    #[inline(never)]
    #[cfg(test)]
    pub fn each_by_rules(found: &mut dyn FnMut(usize) -> bool) -> Option<()> {
        let (here, start) = here!();
        let (mut objects, mut reads) = (Objects::default(), Reads::default());
        walk(here, start, &mut objects, &mut reads, found)
    }

    #[inline(always)]
    fn walk(
        here: usize,
        start: Start,
        objects: &mut Objects,
        reads: &mut Reads,
        found: &mut dyn FnMut(usize) -> bool,
    ) -> Option<()> {
        let (mut address, Start { mut sp, mut bp }) = (here, start);
        for _ in 0..MOST_LOOKED_AT {
            let (object, stamp) = objects.of(address)?;
            let read = || match object.tables() {
                Some(tables) => Rule::of(&tables, address),
                None => Rule::Unknown,
            };
            let (from, size, saved) = match RULES.get(address, *stamp, read) {
                Rule::Unknown => return None,
                Rule::End => return Some(()),
                Rule::Frame { from, size, saved } => (from, size as usize, usize::from(saved)),
            };
            let begin = if from == Base::Sp { sp } else { bp };
            let end = begin.wrapping_add(size);
            let length = end.wrapping_sub(sp);
            // each frame lies above the one before
            if length == 0 || length > LARGEST || end % 8 != 0 || saved * 8 > length {
                return None;
            }
            let mut word = |from_end: usize| {
                let at = end - 8 * from_end;
                // SAFETY: the frame of a function that has not returned: what it was called with lies
                // at its end, by the same tables by which exceptions are thrown through it.
                let value = unsafe { (at as *const usize).read() };
                reads.note(at - start.sp, value);
                value
            };
            address = word(1);
            if saved > 0 {
                bp = word(saved);
            }
            sp = end;
            if address == 0 || !found(address) {
                return Some(());
            }
        }
        Some(())
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn all(walk: impl FnOnce(&mut dyn FnMut(usize) -> bool)) -> Vec<usize> {
        let mut list = Vec::new();
        walk(&mut |address| {
            list.push(address);
            true
        });
        list
    }

    /// Both from here on, as the frames before differ.
    #[inline(never)]
    fn same_callers() -> usize {
        let by_library = all(|found| by_run_time_library(found));
        // read from the tables, and then known
        for _ in 0..2 {
            let by_rules = all(|found| {
                x86_64::each_by_rules(found).expect("each rule is known");
            });
            let own = by_rules
                .iter()
                .position(|address| by_library.contains(address));
            let own = own.expect("the callers are the same");
            let others = by_library
                .iter()
                .position(|address| *address == by_rules[own]);
            let mut pairs = by_rules[own..].iter().zip(&by_library[others.unwrap()..]);
            assert!(
                own <= 4 && pairs.all(|(a, b)| a == b),
                "{by_rules:x?} {by_library:x?}"
            );
        }
        by_library.len()
    }

    #[inline(never)]
    fn deeper(depth: usize, room: &mut [u8]) -> usize {
        let mut more = [depth as u8; 100];
        let mut list = vec![0; depth * 10 + 1];
        list.sort_unstable_by_key(|byte: &u8| std::hint::black_box(*byte));
        let found = match depth {
            0 => same_callers(),
            _ => deeper(depth - 1, &mut more),
        };
        room[0] = more[1];
        std::hint::black_box(found)
    }

    #[test]
    fn the_rules_find_what_the_run_time_library_finds() {
        objects::set_up();
        if !objects::is_known() {
            return;
        }
        assert!(deeper(5, &mut [0]) > 8);
        let sorted = std::thread::spawn(|| {
            let mut numbers = [3, 1, 2];
            // through the standard library's code, and on another stack
            numbers.sort_by_key(|number| deeper(*number, &mut [0]) > 99);
        });
        sorted.join().unwrap();
    }
}
