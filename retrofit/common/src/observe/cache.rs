//! Which site the return addresses of a process stand for, so that each is looked up once.

use super::hash::Mix;
use super::site::{Call, Place, Site, MOST_FRAMES};
use super::table::Table;
use core::sync::atomic::{AtomicU64, Ordering};

const PLACES: usize = 1024;
const INDEX_BITS: u32 = 16;
const INDEX: u64 = (1 << INDEX_BITS) - 1;

/// Of one process. Of two hashes with the same place the later one counts.
pub struct Cache([AtomicU64; PLACES]);

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

impl Cache {
    pub const fn new() -> Cache {
        Cache([const { AtomicU64::new(0) }; PLACES])
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.0[hash as usize % PLACES]
    }

    /// The index that was put in for a hash of the call and the addresses.
    pub fn get(&self, hash: u64) -> Option<usize> {
        let word = self.place(hash).load(Ordering::Relaxed);
        let same = word & !INDEX == hash & !INDEX;
        same.then_some(word & INDEX)?
            .checked_sub(1)
            .map(|at| at as usize)
    }

    pub fn put(&self, hash: u64, index: usize) {
        let word = hash & !INDEX | (index as u64 + 1) & INDEX;
        self.place(hash).store(word, Ordering::Relaxed);
    }

    /// The site of this call and these return addresses, the innermost first. `stamp`: another one
    /// when the addresses are those of other code. `place` says in which file an address is; it is
    /// asked once for each site of the process.
    pub fn site<'t>(
        &self,
        table: &'t Table,
        call: Call,
        stamp: u64,
        addresses: &[usize],
        mut place: impl FnMut(usize) -> Place,
    ) -> Option<&'t Site> {
        let begin = Mix::default().word(call as u64).word(stamp);
        let hash = addresses
            .iter()
            .fold(begin, |mix, address| mix.word(*address as u64))
            .value();
        if let Some(at) = self.get(hash) {
            return table.site(at);
        }
        let mut places = [Place::default(); MOST_FRAMES];
        for (room, address) in places.iter_mut().zip(addresses) {
            *room = place(*address);
        }
        let at = table.site_of(call, &places[..addresses.len().min(MOST_FRAMES)])?;
        self.put(hash, at);
        table.site(at)
    }

    /// After an exchange of the modules.
    pub fn clear(&self) {
        self.0
            .iter()
            .for_each(|place| place.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::table;
    use super::*;

    #[test]
    fn an_index_is_found_by_its_hash_alone() {
        let cache = Cache::new();
        let hash = 0x1234_5678_9abc_def0;
        assert_eq!(cache.get(hash), None);
        cache.put(hash, 0);
        assert_eq!(cache.get(hash), Some(0));
        assert_eq!(cache.get(hash ^ 1 << 40), None);
        cache.put(hash, 1023);
        assert_eq!(cache.get(hash), Some(1023));
        cache.clear();
        assert_eq!(cache.get(hash), None);
    }

    #[test]
    fn other_code_at_the_same_addresses_is_another_site() {
        let table = table();
        let cache = Cache::new();
        let of = |stamp: u64, path: &[u8]| {
            let place = |address: usize| Place {
                module: table.module(path),
                offset: address as u64,
            };
            let site = cache.site(&table, Call::Close, stamp, &[0x1000], place);
            site.map(std::ptr::from_ref)
        };
        let first = of(1, b"/lib/a.so");
        assert!(first.is_some());
        assert_eq!(of(1, b"/lib/b.so"), first, "asked once");
        assert_ne!(of(2, b"/lib/b.so"), first);
    }
}
