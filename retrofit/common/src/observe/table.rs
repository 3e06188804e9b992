//! The whole table.

use super::module::Module;
use super::site::{Call, Place, Site};
use super::trail::Trails;
use core::sync::atomic::{AtomicU64, Ordering};

pub const MOST_SITES: usize = 1024;
pub const MOST_MODULES: usize = 256;

/// Says that it is one, and how it is laid out: the last figure changes with the layout.
const MARK: u64 = u64::from_le_bytes(*b"gcobsrv3");

/// All zero is an empty table, but for the mark.
#[repr(C)]
pub struct Table {
    mark: AtomicU64,
    /// That have mapped it.
    processes: AtomicU64,
    /// Closes at sites for which there was no room, and modules for which there was none.
    closes_without_site: AtomicU64,
    modules_left_out: AtomicU64,
    modules: [Module; MOST_MODULES],
    sites: [Site; MOST_SITES],
    trails: Trails,
}

impl Table {
    pub const SIZE: usize = size_of::<Table>();

    /// The command's part, with the file still empty.
    pub fn begin(&self) {
        self.mark.store(MARK, Ordering::Release);
    }

    /// Whether this is a table of this layout. Asked of a file that has [`Table::SIZE`] bytes.
    pub fn is_one(&self) -> bool {
        self.mark.load(Ordering::Acquire) == MARK
    }

    pub fn add_process(&self) {
        self.processes.fetch_add(1, Ordering::Relaxed);
    }

    pub fn processes(&self) -> u64 {
        self.processes.load(Ordering::Relaxed)
    }

    pub fn closes_without_site(&self) -> u64 {
        self.closes_without_site.load(Ordering::Relaxed)
    }

    pub fn modules_left_out(&self) -> u64 {
        self.modules_left_out.load(Ordering::Relaxed)
    }

    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Those that were seen; the index is that of [`Table::site`].
    pub fn sites(&self) -> impl Iterator<Item = (usize, &Site)> {
        let all = self.sites.iter().enumerate();
        all.filter(|(_, site)| !site.is_empty())
    }

    pub fn site(&self, at: usize) -> Option<&Site> {
        self.sites.get(at)
    }

    /// That of [`Table::site`].
    pub fn index_of(&self, site: &Site) -> Option<usize> {
        let begin = self.sites.as_ptr() as usize;
        let at = (site as *const Site as usize).checked_sub(begin)? / size_of::<Site>();
        (at < MOST_SITES).then_some(at)
    }

    /// Connections to be looked at after their close.
    pub fn trails(&self) -> &Trails {
        &self.trails
    }

    /// The index of a module, which is put in if it is new. `None`: there is no room.
    pub fn module(&self, path: &[u8]) -> Option<usize> {
        let hash = Module::hash_of(path);
        let found = probe(hash, MOST_MODULES, |at| self.modules[at].take(hash, path));
        if found.is_none() {
            self.modules_left_out.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// The index of a site, which is put in if it is new. `None`: there is no room, and the close
    /// that it is asked for is counted as one of those.
    pub fn site_of(&self, call: Call, places: &[Place]) -> Option<usize> {
        let module_hash = |at: usize| self.modules.get(at).map_or(0, Module::hash);
        let hash = Site::hash_of(call, places, module_hash);
        let found = probe(hash, MOST_SITES, |at| {
            self.sites[at].take(hash, call, places)
        });
        if found.is_none() {
            self.add_close_without_site();
        }
        found
    }

    pub fn add_close_without_site(&self) {
        self.closes_without_site.fetch_add(1, Ordering::Relaxed);
    }
}

/// One place after the other, from that of the hash on.
fn probe(hash: u64, places: usize, mut take: impl FnMut(usize) -> bool) -> Option<usize> {
    let first = hash as usize % places;
    (0..places)
        .map(|step| (first + step) % places)
        .find(|at| take(*at))
}

/// An empty one, for the tests of all files here.
#[cfg(test)]
pub(super) fn table() -> Box<Table> {
    use std::alloc::{alloc_zeroed, Layout};
    // SAFETY: atomics alone, for which zero is a value.
    unsafe { Box::from_raw(alloc_zeroed(Layout::new::<Table>()).cast()) }
}

#[cfg(test)]
mod tests {
    use super::super::counters::Counter;
    use super::super::module::LONGEST_PATH;
    use super::super::site::Peers;
    use super::*;
    fn place(module: Option<usize>, offset: u64) -> Place {
        Place { module, offset }
    }

    #[test]
    fn a_table_is_known_by_its_mark() {
        let table = table();
        assert!(!table.is_one());
        table.begin();
        assert!(table.is_one());
        assert_eq!(Table::SIZE % 8, 0);
    }

    #[test]
    fn what_is_put_in_is_found_again() {
        let table = table();
        let program = table.module(b"/bin/server");
        assert_eq!(table.module(b"/bin/server"), program);
        assert_ne!(table.module(b"/lib/x.so"), program);
        let places = [place(program, 0x1234), place(None, 0x7f00)];
        let at = table.site_of(Call::Close, &places).unwrap();
        assert_eq!(table.site_of(Call::Close, &places), Some(at));
        assert_ne!(table.site_of(Call::Fclose, &places), Some(at));
        assert_ne!(table.site_of(Call::Close, &places[..1]), Some(at));
        let site = table.site(at).unwrap();
        assert_eq!(table.index_of(site), Some(at));
        assert_eq!(site.closed_before(), None);
        site.was_closed_before(Some(at));
        assert_eq!(site.closed_before(), Some(at));
        assert_eq!(site.call(), Some(Call::Close));
        assert_eq!(site.places().collect::<Vec<_>>(), places);
        let path: Vec<u8> = table.modules()[program.unwrap()].path().collect();
        assert_eq!(path, b"/bin/server");
        assert_eq!(table.sites().count(), 3);
    }

    #[test]
    #[cfg_attr(miri, ignore = "filling the table takes many minutes there")]
    fn what_has_no_room_is_counted() {
        let table = table();
        for offset in 0..MOST_SITES as u64 + 3 {
            table.site_of(Call::Close, &[place(None, offset)]);
        }
        assert_eq!(table.sites().count(), MOST_SITES);
        assert_eq!(table.closes_without_site(), 3);
        for number in 0..MOST_MODULES + 2 {
            table.module(format!("/lib/{number}").as_bytes());
        }
        assert_eq!(table.modules_left_out(), 2);
    }

    #[test]
    fn peers_are_exact_up_to_a_number() {
        let table = table();
        let at = table.site_of(Call::Close, &[]).unwrap();
        let site = table.site(at).unwrap();
        for _ in 0..2 {
            (1..=32).for_each(|hash| site.add_peer(hash));
        }
        site.add_peer(0);
        let exact = Peers {
            count: 32,
            more: false,
        };
        assert_eq!(site.peers(), exact);
        site.add_peer(33);
        assert!(site.peers().more);
        site.add(Counter::Closes, 2);
        assert_eq!(site.count(Counter::Closes), 2);
        site.take_back(Counter::Closes, 1);
        assert_eq!(site.count(Counter::Closes), 1);
    }

    #[test]
    fn processes_are_counted() {
        let table = table();
        assert_eq!(table.processes(), 0);
        table.add_process();
        table.add_process();
        assert_eq!(table.processes(), 2);
    }

    #[test]
    fn calls_have_the_names_by_which_programs_call_them() {
        assert_eq!(Call::Close.name(), "close");
        assert_eq!(Call::CloseRange.name(), "close_range");
        assert_eq!(Call::Closesocket.name(), "closesocket");
    }

    /// The process that took it was killed before it had filled it in.
    #[test]
    fn a_site_that_is_not_filled_in_has_no_call() {
        let table = table();
        assert_eq!(table.site(0).unwrap().call(), None);
    }

    #[test]
    fn peers_are_asked_for_as_long_as_that_tells_something() {
        let table = table();
        let at = table.site_of(Call::Close, &[]).unwrap();
        let site = table.site(at).unwrap();
        let mut asked = Vec::new();
        for number in 0..330 {
            if site.wants_peer() {
                asked.push(number);
            }
            site.add(Counter::Closes, 1);
        }
        assert_eq!(asked[..256], (0..256).collect::<Vec<_>>());
        assert_eq!(asked[256..], [256, 272, 288, 304, 320]);
        (1..=33).for_each(|hash| site.add_peer(hash));
        site.add(Counter::Closes, 6);
        assert!(site.count(Counter::Closes) % 16 == 0 && !site.wants_peer());
    }

    #[test]
    fn a_path_that_is_too_long_keeps_its_end() {
        let table = table();
        let long = format!("/{}/libx.so", "y".repeat(2000));
        let at = table.module(long.as_bytes()).unwrap();
        let path: Vec<u8> = table.modules()[at].path().collect();
        assert_eq!(path.len(), LONGEST_PATH);
        assert!(path.ends_with(b"yy/libx.so"));
    }

    #[test]
    fn threads_that_come_at_once_agree() {
        let table = table();
        // Miri interprets each instruction: a few there
        let sites = if cfg!(miri) { 10 } else { 200 };
        let count = |_: u32| {
            for offset in 0..sites {
                let at = table.site_of(Call::Close, &[place(None, offset)]).unwrap();
                table.site(at).unwrap().add(Counter::Closes, 1);
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|number| {
                scope.spawn(move || count(number));
            });
        });
        assert_eq!(table.sites().count() as u64, sites);
        for (_, site) in table.sites() {
            assert_eq!(site.count(Counter::Closes), 4);
        }
    }
}
