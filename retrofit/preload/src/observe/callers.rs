//! Who called: return addresses, the innermost first, without our own.

use super::objects;
use super::stack::{self, Objects};
use graceful_close_retrofit::observe::{Mix, MOST_FRAMES};

pub const MOST: usize = MOST_FRAMES;

#[derive(Default)]
pub struct Addresses {
    list: [usize; MOST],
    count: usize,
    stamp: u64,
}

impl Addresses {
    pub fn of(list: [usize; MOST], count: usize, stamp: u64) -> Addresses {
        Addresses { list, count, stamp }
    }

    pub fn known(&self) -> &[usize] {
        &self.list[..self.count]
    }

    pub fn set_stamp(&mut self, objects: &mut Objects) {
        let stamps = self.known().iter().filter_map(|address| {
            let (_, stamp) = objects.of(*address)?;
            Some(*stamp)
        });
        self.stamp = stamps.fold(Mix::default(), Mix::word).value();
    }

    /// Of the code that they are in.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether more are wanted.
    pub fn add(&mut self, address: usize) -> bool {
        if objects::is_own(address) {
            return true;
        }
        self.list[self.count] = address;
        self.count += 1;
        self.count < MOST
    }
}

/// None of them with a C library older than 2.35, which takes a lock for each.
pub fn capture() -> Addresses {
    let mut found = Addresses::default();
    if !objects::is_known() {
        return found;
    }
    if let Some(by_rules) = stack::by_rules() {
        return by_rules;
    }
    stack::by_run_time_library(&mut |address| found.add(address));
    found.set_stamp(&mut Objects::default());
    found
}

/// For the constructor: what the run-time library does the first time is done here.
pub fn set_up() {
    objects::set_up();
    if objects::is_known() {
        stack::by_run_time_library(&mut |_| true);
    }
}
