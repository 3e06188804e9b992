//! A socket whose other holders are looked for.

use super::folder;
use crate::connection::{Fault, FaultKind, Sharing};
use crate::sys::unix::{syscall, Socket};

/// A socket that is looked for. Of several descriptors for the same one the first counts.
pub(super) struct Sought {
    pub(super) inode: u64,
    /// The user who had it made.
    pub(super) owner: u32,
    /// Its place in the caller's row.
    pub(super) at: usize,
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

/// By inode, and those of one inode as the caller has them. A heap sort: the one of the standard
/// library has 3.5 kB of code, to be fast where the walk through /proc takes ten times as long.
pub(super) fn sort(all: &mut [Sought]) {
    for top in (0..all.len() / 2).rev() {
        sink(all, top);
    }
    for end in (1..all.len()).rev() {
        all.swap(0, end);
        sink(&mut all[..end], 0);
    }
}

/// Below `top` no one is smaller than those under it.
fn sink(all: &mut [Sought], mut top: usize) {
    let key = |one: &Sought| (one.inode, one.at);
    loop {
        let first = 2 * top + 1;
        let pair = all.iter().enumerate().skip(first).take(2);
        let Some((largest, one)) = pair.max_by_key(|(_, one)| key(one)) else {
            return;
        };
        if key(one) < key(&all[top]) {
            return;
        }
        all.swap(top, largest);
        top = largest;
    }
}

/// What a link in /proc/PID/fd says of a socket: "socket:[inode]".
pub(super) fn inode_in(target: &[u8]) -> Option<u64> {
    target.strip_prefix(b"socket:[").map(folder::number)
}

#[cfg(test)]
mod tests {
    use super::{sort, Sought};

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
            let mut all: Vec<Sought> = (0..count).map(one).collect();
            let mut keys: Vec<_> = all.iter().map(|one| (one.inode, one.at)).collect();
            sort(&mut all);
            keys.sort_unstable();
            let sorted: Vec<_> = all.iter().map(|one| (one.inode, one.at)).collect();
            assert_eq!(sorted, keys);
        }
    }
}
