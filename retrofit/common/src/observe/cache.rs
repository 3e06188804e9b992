//! Which site the return addresses of a process stand for, so that each is looked up once.

use super::hash::Hash;
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

    /// The site of this call and these return addresses, the innermost first. `place` says in which
    /// file an address is; it is asked once for each site of the process.
    pub fn site<'t>(
        &self,
        table: &'t Table,
        call: Call,
        addresses: &[usize],
        mut place: impl FnMut(usize) -> Place,
    ) -> Option<&'t Site> {
        let hash = addresses
            .iter()
            .fold(Hash::default().number(call as u64), |hash, address| {
                hash.number(*address as u64)
            })
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
}
