//! The sites of the last closes of connections, by number: who closes any number that there might be,
//! as daemons do, closes none of them twice.

use libc::c_int;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Of higher numbers nothing is remembered.
const NUMBERS: usize = 1 << 16;

/// The index of each one's site, plus 1; 0: its last close was no connection's.
pub struct LastCloses([AtomicU16; NUMBERS]);

impl LastCloses {
    pub const fn new() -> LastCloses {
        LastCloses([const { AtomicU16::new(0) }; NUMBERS])
    }

    pub fn site(&self, fd: c_int) -> Option<usize> {
        let last = self.0.get(fd as usize)?.load(Relaxed);
        usize::from(last).checked_sub(1)
    }

    pub fn note(&self, fd: c_int, site: Option<usize>) {
        let word = site.map_or(0, |site| site as u16 + 1);
        if let Some(last) = self.0.get(fd as usize) {
            // most numbers are those of files: their pages stay untouched
            if last.load(Relaxed) != word {
                last.store(word, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LastCloses;

    #[test]
    fn each_number_has_its_own_site() {
        static CLOSES: LastCloses = LastCloses::new();
        CLOSES.note(5, Some(0));
        CLOSES.note(6, Some(1023));
        CLOSES.note(1 << 20, Some(1));
        let sites = [4, 5, 6, 1 << 20, -1].map(|fd| CLOSES.site(fd));
        assert_eq!(sites, [None, Some(0), Some(1023), None, None]);
        CLOSES.note(5, None);
        assert_eq!(CLOSES.site(5), None);
    }
}
