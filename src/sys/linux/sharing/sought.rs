//! A socket whose other holders are looked for.

use super::folder;
use crate::connection::{Fault, FaultKind, Sharing};
use crate::sys::unix::{syscall, Socket};
use std::collections::BinaryHeap;

/// A socket that is looked for. Of several descriptors for the same one the first counts. They are
/// sorted by the first two.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sought {
    pub(super) inode: u64,
    /// Its place in the caller's row.
    pub(super) at: usize,
    /// The user who had it made.
    pub(super) owner: u32,
    /// Descriptors of this process that are this socket.
    pub(super) own: usize,
    pub(super) is_elsewhere: bool,
    /// The process with which the walk came to its end.
    pub(super) holder: u32,
}

impl Sought {
    pub(super) fn new(socket: Socket, at: usize) -> Result<Sought, Fault> {
        // SAFETY: `std` says nothing against zero: numbers all of them.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        syscall!(libc::fstat(socket.0, &mut status))?;
        Ok(Sought {
            inode: status.st_ino as _,
            owner: status.st_uid,
            at,
            own: 0,
            is_elsewhere: false,
            holder: 0,
        })
    }

    /// Looking takes its time, and the number may have been closed and taken meanwhile. What
    /// the system refuses to tell is told by the walk, which has found the number.
    pub(super) fn is_still(&self, socket: Socket) -> bool {
        match Sought::new(socket, 0) {
            Ok(now) => now.inode == self.inode,
            Err(fault) => fault.kind != FaultKind::NotASocket,
        }
    }

    /// So many of its descriptors are going to be closed, this one last of them or
    /// not. What has been found counts also where the walk could not be finished.
    pub(super) fn answer(
        &self,
        closing: usize,
        is_last: bool,
        looked: Result<(), Fault>,
    ) -> Sharing {
        match looked {
            _ if self.is_shared(closing) || !is_last => Sharing::Shared,
            Ok(()) => Sharing::Alone,
            Err(fault) => Sharing::Unknown(fault),
        }
    }

    pub(super) fn is_shared(&self, closing: usize) -> bool {
        self.is_elsewhere || self.own > closing
    }
}

/// By inode, and those of one inode as the caller has them. By a heap: the other sort of the standard
/// library has 3.5 kB of code more, to be fast where the walk through /proc takes ten times as long.
/// Asks for no memory.
pub(super) fn sorted(all: Vec<Sought>) -> Vec<Sought> {
    BinaryHeap::from(all).into_sorted_vec()
}

/// What a link in /proc/PID/fd says of a socket: "socket:[inode]".
pub(super) fn inode_in(target: &[u8]) -> Option<u64> {
    target.strip_prefix(b"socket:[").map(folder::number)
}

#[cfg(test)]
mod tests {
    use super::{sorted, Sought};

    #[test]
    fn any_number_of_them_is_sorted() {
        for count in 0..70u64 {
            let one = |n: u64| Sought {
                inode: n * 37 % 23,
                owner: 0,
                at: (n * 41 % 67) as usize,
                own: 0,
                is_elsewhere: false,
                holder: 0,
            };
            let all: Vec<Sought> = (0..count).map(one).collect();
            let mut keys: Vec<_> = all.iter().map(|one| (one.inode, one.at)).collect();
            keys.sort_unstable();
            let all = sorted(all);
            let found: Vec<_> = all.iter().map(|one| (one.inode, one.at)).collect();
            assert_eq!(found, keys);
        }
    }
}
