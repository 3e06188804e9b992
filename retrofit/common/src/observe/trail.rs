//! `graceful-close observe --follow`: connections that have been closed, for the command to look at. The
//! library writes each into a place that is free, and the command takes it out.

use core::sync::atomic::{AtomicU64, Ordering};

/// One that was closed, and what it was like just before. Addresses are of IPv6, or of IPv4 mapped into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    pub own: ([u8; 16], u16),
    pub peer: ([u8; 16], u16),
    /// It is bound to this interface; 0: to none.
    pub interface: u32,
    /// The index of the call site.
    pub site: u32,
    /// There were unread bytes.
    pub unread: bool,
    /// This side's FIN was queued before.
    pub shut_send: bool,
    /// Bytes of ours that were not acknowledged, without the FIN.
    pub unacked: u64,
}

/// So many can wait for the command, which comes twenty times a second.
const PLACES: usize = 4096;
/// So many places are tried.
const TRIES: usize = 16;

const WORDS: usize = 7;

const FREE: u64 = 0;
const TAKEN: u64 = 1;
const FULL: u64 = 2;

#[repr(C)]
struct Place {
    state: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// All zero: nothing is followed.
#[repr(C)]
pub struct Trails {
    /// The cookie of the network namespace in which the command can look; 0: it does not.
    namespace: AtomicU64,
    next: AtomicU64,
    places: [Place; PLACES],
}

impl Trails {
    /// The command's part.
    pub fn begin(&self, namespace: u64) {
        self.namespace.store(namespace, Ordering::Release);
    }

    /// Whether anything is followed: the namespace's cookie.
    #[inline]
    pub fn namespace(&self) -> Option<u64> {
        Some(self.namespace.load(Ordering::Relaxed)).filter(|cookie| *cookie != 0)
    }

    /// Whether there was room. One that is killed while it writes leaves the place taken.
    pub fn put(&self, trail: &Trail) -> bool {
        let first = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let mut places = (0..TRIES).map(|more| &self.places[first.wrapping_add(more) % PLACES]);
        let taken = places.find(|place| {
            let free =
                place
                    .state
                    .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
            free.is_ok()
        });
        let Some(place) = taken else {
            return false;
        };
        for (to, word) in place.words.iter().zip(trail.words()) {
            to.store(word, Ordering::Relaxed);
        }
        place.state.store(FULL, Ordering::Release);
        true
    }

    /// Each that is there. For the command alone.
    pub fn take_all(&self, mut each: impl FnMut(Trail)) {
        let is_full = |place: &&Place| place.state.load(Ordering::Acquire) == FULL;
        for place in self.places.iter().filter(is_full) {
            let mut words = [0; WORDS];
            for (word, from) in words.iter_mut().zip(&place.words) {
                *word = from.load(Ordering::Relaxed);
            }
            place.state.store(FREE, Ordering::Release);
            each(Trail::of_words(words));
        }
    }
}

const UNREAD: u64 = 1;
const SHUT_SEND: u64 = 2;

impl Trail {
    fn words(&self) -> [u64; WORDS] {
        let [own, own_too] = halves(&self.own.0);
        let [peer, peer_too] = halves(&self.peer.0);
        let unread = if self.unread { UNREAD } else { 0 };
        let shut_send = if self.shut_send { SHUT_SEND } else { 0 };
        let ports = u64::from(self.own.1) << 16 | u64::from(self.peer.1);
        let place = u64::from(self.interface) << 32 | u64::from(self.site);
        let rest = (unread + shut_send) << 32 | ports;
        [own, own_too, peer, peer_too, place, rest, self.unacked]
    }

    fn of_words(words: [u64; WORDS]) -> Trail {
        let [own, own_too, peer, peer_too, place, rest, unacked] = words;
        let flags = rest >> 32;
        Trail {
            own: (whole(own, own_too), (rest >> 16) as u16),
            peer: (whole(peer, peer_too), rest as u16),
            interface: (place >> 32) as u32,
            site: place as u32,
            unread: flags & UNREAD != 0,
            shut_send: flags & SHUT_SEND != 0,
            unacked,
        }
    }
}

fn halves(address: &[u8; 16]) -> [u64; 2] {
    let number = u128::from_ne_bytes(*address);
    [number as u64, (number >> 64) as u64]
}

fn whole(low: u64, high: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::table::table;
    use super::*;

    fn trail(number: u16) -> Trail {
        let bytes = |first: u8| std::array::from_fn(|at| first + at as u8);
        Trail {
            own: (bytes(1), 65_535),
            peer: (bytes(101), number),
            interface: 1 << 31,
            site: 1023,
            unread: number % 2 == 0,
            shut_send: number % 3 == 0,
            unacked: u64::from(number) << 40,
        }
    }

    #[test]
    fn what_is_put_in_is_taken_out_once() {
        let table = table();
        let trails = table.trails();
        assert_eq!(trails.namespace(), None);
        trails.begin(7);
        assert_eq!(trails.namespace(), Some(7));
        for number in 0..6 {
            assert!(trails.put(&trail(number)));
        }
        let mut found = Vec::new();
        trails.take_all(|trail| found.push(trail));
        assert_eq!(found, (0..6).map(trail).collect::<Vec<_>>());
        trails.take_all(|trail| panic!("{trail:?}"));
    }

    #[test]
    fn what_has_no_room_is_told() {
        let table = table();
        let trails = table.trails();
        let put = (0..PLACES + 3).filter(|_| trails.put(&trail(1))).count();
        assert_eq!(put, PLACES);
        let mut count = 0;
        trails.take_all(|_| count += 1);
        assert_eq!(count, PLACES);
        assert!(trails.put(&trail(1)));
    }

    #[test]
    fn threads_that_come_at_once_do_not_mix_theirs() {
        let table = table();
        let trails = table.trails();
        let done = AtomicU64::new(0);
        let put = |first: u16| {
            for number in first..first + 500 {
                while !trails.put(&trail(number)) {
                    std::thread::yield_now();
                }
            }
            done.fetch_add(1, Ordering::SeqCst);
        };
        let mut found = Vec::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || put(thread * 1000));
            }
            while done.load(Ordering::SeqCst) < 4 {
                trails.take_all(|trail| found.push(trail));
            }
        });
        trails.take_all(|trail| found.push(trail));
        found.sort_unstable_by_key(|trail| trail.peer.1);
        let numbers = (0..4).flat_map(|thread| thread * 1000..thread * 1000 + 500);
        assert_eq!(found, numbers.map(trail).collect::<Vec<_>>());
    }
}
