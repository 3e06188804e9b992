//! What the background thread waits for: the bell, and each place's socket and time.

use crate::park::PLACES;
use crate::sys;
use crate::waiting;
use libc::c_int;

/// What to wait for, by place.
pub struct Watched {
    /// The bell, and then the sockets.
    entries: [libc::pollfd; PLACES + 1],
    count: usize,
    /// Where in `entries` a place's socket stands; 0: not there.
    index: [usize; PLACES],
    until: [u64; PLACES],
}

const NEVER: u64 = u64::MAX;
const NOTHING: libc::pollfd = libc::pollfd {
    fd: -1,
    events: libc::POLLIN,
    revents: 0,
};

impl Watched {
    pub const fn new() -> Watched {
        Watched {
            entries: [NOTHING; PLACES + 1],
            count: 1,
            index: [0; PLACES],
            until: [NEVER; PLACES],
        }
    }

    /// What poll() is to be told of one number.
    pub const fn on(fd: c_int) -> libc::pollfd {
        libc::pollfd { fd, ..NOTHING }
    }

    pub fn clear(&mut self) {
        self.count = 1;
        self.index = [0; PLACES];
        self.until = [NEVER; PLACES];
    }

    pub fn add(&mut self, place: usize, fd: Option<c_int>, until: Option<u64>) {
        self.until[place] = until.unwrap_or(NEVER);
        if let Some(fd) = fd {
            self.entries[self.count] = Watched::on(fd);
            self.index[place] = self.count;
            self.count += 1;
        }
    }

    pub fn is_due(&self, place: usize, now: u64) -> bool {
        let index = self.index[place];
        let is_readable = index != 0 && self.entries[index].revents != 0;
        is_readable || self.until[place] <= now
    }

    /// Until the bell rings, something can be read, a time has come, or `limit_ms` is over.
    pub fn wait(&mut self, bell: c_int, limit_ms: Option<u64>) -> Result<(), sys::Error> {
        let now = sys::now_ms();
        let first = self.until.iter().min().copied().unwrap_or(NEVER);
        let next = (first != NEVER).then(|| first.saturating_sub(now));
        let limit = match (next, limit_ms) {
            (Some(next), Some(limit)) => Some(next.min(limit)),
            (next, limit) => next.or(limit),
        };
        self.entries[0] = Watched::on(bell);
        match waiting::wait(&mut self.entries[..self.count], limit) {
            Err(sys::Error(libc::EINVAL)) => self.wait_in_portions(limit),
            result => result.map(drop),
        }
    }

    /// poll() takes no more entries than the program may have descriptors (poll(2), EINVAL), and
    /// the program may lower that limit while more are open. Then they are looked at in portions.
    fn wait_in_portions(&mut self, limit_ms: Option<u64>) -> Result<(), sys::Error> {
        const LOOK_AGAIN_MS: u64 = 20;
        let most = usize::try_from(sys::descriptor_limit()).unwrap_or(usize::MAX);
        let entries = &mut self.entries[..self.count];
        if entries.len() <= most {
            return Err(sys::Error(libc::EINVAL));
        }
        for entry in entries.iter_mut() {
            entry.revents = 0;
        }
        let mut ready = 0;
        if most > 0 {
            for portion in entries.chunks_mut(most) {
                ready += waiting::wait(portion, Some(0))?;
            }
        }
        if ready == 0 {
            let nap = limit_ms.unwrap_or(LOOK_AGAIN_MS).min(LOOK_AGAIN_MS);
            waiting::wait(&mut [], Some(nap))?;
        }
        Ok(())
    }
}
