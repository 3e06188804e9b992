//! The rules of the return addresses that were seen: the tables are read once for each.

use super::frame_rule::Rule;
use graceful_close_retrofit::observe::Mix;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PLACES: usize = 1024;

/// Of two addresses with the same place the later one counts.
pub struct Rules([Place; PLACES]);

struct Place {
    rule: AtomicU64,
    /// What the rule is of, mixed with the rule: two threads that write at once leave halves that do
    /// not belong together, and that are not taken for a rule.
    check: AtomicU64,
}

/// `stamp`: of the object that the address is in.
fn key(address: usize, stamp: u64) -> u64 {
    Mix::default().word(address as u64).word(stamp).value()
}

impl Rules {
    pub const fn new() -> Rules {
        Rules(
            [const {
                Place {
                    rule: AtomicU64::new(0),
                    check: AtomicU64::new(0),
                }
            }; PLACES],
        )
    }

    #[inline]
    pub fn get(&self, address: usize, stamp: u64, read: impl FnOnce() -> Rule) -> Rule {
        let key = key(address, stamp);
        let place = &self.0[key as usize % PLACES];
        let (word, check) = (place.rule.load(Relaxed), place.check.load(Relaxed));
        if word ^ check == key && word != 0 {
            return Rule::of_word(word);
        }
        let rule = read();
        place.rule.store(rule.word(), Relaxed);
        place.check.store(rule.word() ^ key, Relaxed);
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame_rule::{Base, Rule};
    use super::Rules;

    #[test]
    fn each_address_of_each_object_is_read_once() {
        let rules = Rules::new();
        let first = Rule::Frame {
            from: Base::Sp,
            size: 48,
            saved: 2,
        };
        assert_eq!(rules.get(0x1000, 7, || first), first);
        assert_eq!(rules.get(0x1000, 7, || Rule::End), first);
        assert_eq!(rules.get(0x1000, 8, || Rule::End), Rule::End);
        assert_eq!(rules.get(0x1001, 7, || Rule::Unknown), Rule::Unknown);
    }
}
