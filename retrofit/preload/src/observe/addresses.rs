//! Return addresses, the innermost first, without our own.

use super::objects;
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

    /// Of the code that they are in.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// By the stamps of the objects that they are in.
    pub fn set_stamp(&mut self, stamps: impl IntoIterator<Item = u64>) {
        let stamps = stamps.into_iter();
        self.stamp = stamps.fold(Mix::default(), Mix::word).value();
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
