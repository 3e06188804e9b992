//! A file that code of the program was loaded from.

use super::hash::Hash;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicU8, Ordering};

/// Of a path that is longer the end is kept.
pub const LONGEST_PATH: usize = 500;

#[repr(C)]
pub struct Module {
    /// 0: this place is empty.
    hash: AtomicU64,
    /// 0: not filled in yet.
    length: AtomicU32,
    path: [AtomicU8; LONGEST_PATH],
}

impl Module {
    pub(super) fn hash_of(path: &[u8]) -> u64 {
        Hash::default().bytes(path).value()
    }

    /// Takes this place, if it is empty or already of this hash.
    pub(super) fn take(&self, hash: u64, path: &[u8]) -> bool {
        let taken = self
            .hash
            .compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_err_and(|other| other != hash) {
            return false;
        }
        if self.length.load(Ordering::Acquire) == 0 {
            let kept = &path[path.len().saturating_sub(LONGEST_PATH)..];
            for (place, byte) in self.path.iter().zip(kept) {
                place.store(*byte, Ordering::Relaxed);
            }
            self.length.store(kept.len() as u32, Ordering::Release);
        }
        true
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// The path's bytes; none: nothing is known of it.
    pub fn path(&self) -> impl Iterator<Item = u8> + '_ {
        let length = self.length.load(Ordering::Acquire) as usize;
        let bytes = self.path.iter().take(length);
        bytes.map(|byte| byte.load(Ordering::Relaxed))
    }
}
