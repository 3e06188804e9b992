//! A place in the program from which connections are closed.

use super::counters::{Counter, COUNTERS};
use super::hash::Hash;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub const MOST_FRAMES: usize = 6;
/// More of them are not counted.
pub const MOST_PEERS: usize = 32;

/// The peers of so many closes of a site are counted, and then those of one of so many.
const ASKED_FOR_ALL: u64 = 256;
const ASKED_FOR_ONE_OF: u64 = 16;

/// Which call it is. The numbers are those in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Call {
    Close = 1,
    Shutdown,
    Fclose,
    Freopen,
    Pclose,
    Dup2,
    Dup3,
    CloseRange,
    Closefrom,
    Exec,
    Exit,
    Closesocket,
    WsaCleanup,
    System,
    Popen,
    PosixSpawn,
}

impl Call {
    const ALL: [(Call, &'static str); 16] = [
        (Call::Close, "close"),
        (Call::Shutdown, "shutdown"),
        (Call::Fclose, "fclose"),
        (Call::Freopen, "freopen"),
        (Call::Pclose, "pclose"),
        (Call::Dup2, "dup2"),
        (Call::Dup3, "dup3"),
        (Call::CloseRange, "close_range"),
        (Call::Closefrom, "closefrom"),
        (Call::Exec, "exec"),
        (Call::Exit, "exit"),
        (Call::Closesocket, "closesocket"),
        (Call::WsaCleanup, "WSACleanup"),
        (Call::System, "system"),
        (Call::Popen, "popen"),
        (Call::PosixSpawn, "posix_spawn"),
    ];

    pub fn name(self) -> &'static str {
        let named = Call::ALL.iter().find(|(call, _)| *call == self);
        named.map_or("?", |(_, name)| name)
    }

    fn of_number(number: u32) -> Option<Call> {
        let numbered = Call::ALL.iter().find(|(call, _)| *call as u32 == number);
        numbered.map(|(call, _)| *call)
    }
}

/// A return address in the table.
#[repr(C)]
pub struct Frame {
    offset: AtomicU64,
    /// Of the module, from 1; 0: none, for an address in no file.
    module: AtomicU32,
    unused: AtomicU32,
}

/// Where a call returns to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// An index of the modules of the table.
    pub module: Option<usize>,
    /// Into the file (ELF), from the beginning of the image (PE), or the address itself without a module.
    pub offset: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    pub count: usize,
    /// There were more.
    pub more: bool,
}

#[repr(C)]
pub struct Site {
    /// 0: this place is empty.
    hash: AtomicU64,
    call: AtomicU32,
    /// Of the frames, plus 1; 0: not filled in yet.
    filled: AtomicU32,
    frames: [Frame; MOST_FRAMES],
    peers: [AtomicU32; MOST_PEERS],
    more_peers: AtomicU32,
    /// Of the site, plus 1, that had closed the number that was not open here; 0: not known.
    closed_before: AtomicU32,
    counters: [AtomicU64; COUNTERS.len()],
}

impl Site {
    /// `module_hash` of each frame's module: indices may differ where two processes fill the table.
    pub(super) fn hash_of(call: Call, places: &[Place], module_hash: impl Fn(usize) -> u64) -> u64 {
        let mut hash = Hash::default().number(call as u64);
        for place in places {
            let module = place.module.map_or(0, &module_hash);
            hash = hash.number(module).number(place.offset);
        }
        hash.value()
    }

    /// Takes this place, if it is empty or already of this hash.
    pub(super) fn take(&self, hash: u64, call: Call, places: &[Place]) -> bool {
        let taken = self
            .hash
            .compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_err_and(|other| other != hash) {
            return false;
        }
        if self.filled.load(Ordering::Acquire) == 0 {
            for (frame, place) in self.frames.iter().zip(places) {
                let module = place.module.map_or(0, |at| at as u32 + 1);
                frame.offset.store(place.offset, Ordering::Relaxed);
                frame.module.store(module, Ordering::Relaxed);
            }
            self.call.store(call as u32, Ordering::Relaxed);
            let filled = places.len().min(MOST_FRAMES) as u32 + 1;
            self.filled.store(filled, Ordering::Release);
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hash.load(Ordering::Relaxed) == 0
    }

    pub fn add(&self, counter: Counter, more: u64) {
        self.counters[counter as usize].fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted too early did not happen.
    pub fn take_back(&self, counter: Counter, number: u64) {
        self.counters[counter as usize].fetch_sub(number, Ordering::Relaxed);
    }

    /// The index of the site whose close a second close of the same number came after; the last one.
    pub fn was_closed_before(&self, index: Option<usize>) {
        if let Some(index) = index {
            self.closed_before
                .store(index as u32 + 1, Ordering::Relaxed);
        }
    }

    pub fn closed_before(&self) -> Option<usize> {
        let number = self.closed_before.load(Ordering::Relaxed) as usize;
        number.checked_sub(1)
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }

    /// A peer, by the hash of its address; 0: not known.
    pub fn add_peer(&self, hash: u32) {
        if hash == 0 {
            return;
        }
        for place in &self.peers {
            match place.load(Ordering::Relaxed) {
                0 => {}
                other if other == hash => return,
                _ => continue,
            }
            match place.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) if other == hash => return,
                Err(_) => {}
            }
        }
        self.more_peers.store(1, Ordering::Relaxed);
    }

    /// Whether it is worth a question to the system who the peer of the next close is: of many closes it
    /// is asked for some.
    pub fn wants_peer(&self) -> bool {
        let closes = self.count(Counter::Closes);
        let is_asked = closes < ASKED_FOR_ALL || closes % ASKED_FOR_ONE_OF == 0;
        is_asked && self.more_peers.load(Ordering::Relaxed) == 0
    }

    pub fn peers(&self) -> Peers {
        let known = |place: &&AtomicU32| place.load(Ordering::Relaxed) != 0;
        Peers {
            count: self.peers.iter().filter(known).count(),
            more: self.more_peers.load(Ordering::Relaxed) != 0,
        }
    }

    /// `None`: the process that took this place was killed before it had filled it in.
    pub fn call(&self) -> Option<Call> {
        match self.filled.load(Ordering::Acquire) {
            0 => None,
            _ => Call::of_number(self.call.load(Ordering::Relaxed)),
        }
    }

    /// The innermost first.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let filled = self.filled.load(Ordering::Acquire).saturating_sub(1);
        let frames = self.frames.iter().take(filled as usize);
        frames.map(|frame| {
            let module = frame.module.load(Ordering::Relaxed) as usize;
            Place {
                module: module.checked_sub(1),
                offset: frame.offset.load(Ordering::Relaxed),
            }
        })
    }
}
