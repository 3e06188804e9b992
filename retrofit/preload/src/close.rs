//! The close itself. What the program's thread does for it: system calls and atomics, nothing
//! that a signal handler must not do.

use crate::ancestry::Arrival;
use crate::epoll_sets;
use crate::fd_table::{self, Taken, Word, CONNECTED, LEFT_TO_US};
use crate::holders::{self, Birth, Standing};
use crate::log;
use crate::observe::{self, Look};
use crate::own_fds;
use crate::park::{self, Parked};
use crate::partial;
use crate::process;
use crate::reaper;
use crate::settings;
use crate::sys;
use crate::tcp::{self, Fate, Origin};
use crate::thread;
use graceful_close_retrofit::observe::Call;
use libc::c_int;
use std::sync::atomic::Ordering::Relaxed;

/// What one non-blocking pass takes in.
pub const PASS: usize = 1 << 20;

/// A close that the program is about to make.
pub struct PendingClose {
    fd: c_int,
    taken: Taken,
    /// Our duplicate, if the connection is to be finished in the background.
    parked: Option<Parked>,
    look: Option<Look>,
}

/// What must be known of the socket before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Only if something was sent: otherwise the peer is to learn that nobody reads.
    Something,
    /// A stream may still hold it back: looked up afterwards.
    Later,
}

/// Before the system's close, of a number that is not ours. Everything doubtful: nothing.
pub fn before(fd: c_int, sent: Sent, call: Call) -> PendingClose {
    let since = holders::before_birth();
    let taken = fd_table::get(fd)
        .map(fd_table::Entry::take)
        .unwrap_or_default();
    epoll_sets::closed(&taken);
    if observe::is_on() {
        let look = observe::look(fd, call, &taken, since);
        return PendingClose {
            fd,
            taken,
            parked: None,
            look,
        };
    }
    PendingClose {
        fd,
        taken,
        parked: duplicate_if_last(fd, &taken, since, sent),
        look: None,
    }
}

fn duplicate_if_last(fd: c_int, taken: &Taken, since: Birth, sent: Sent) -> Option<Parked> {
    let standing = match taken.word.kind() {
        fd_table::Kind::EpollSet | fd_table::Kind::Internal => return None,
        // counted or not, a holder less
        fd_table::Kind::Counted => Some(holders::release(fd, taken, since)),
        _ => None,
    };
    if standing == Some(Standing::Held) {
        return None;
    }
    let fate = tcp::examine(fd, origin(taken.word), sent == Sent::Something);
    if fate == Fate::Plain {
        return None;
    }
    let doubt = match standing.unwrap_or_else(|| holders::release(fd, taken, since)) {
        Standing::Held | Standing::Shared => return None,
        Standing::Last | Standing::Doubt(Arrival::Counted) if !partial::sees_all() => {
            Some(Arrival::Made)
        }
        Standing::Last => None,
        Standing::Doubt(arrival) => Some(arrival),
    };
    if !partial::sees_all() && partial::has_another_number(fd) {
        return None;
    }
    if doubt.is_some_and(may_be_a_child_s) && epoll_sets::are_of_an_unseen_child(taken.epolls) {
        log::refused(fd, "in an epoll set that a child may have");
        return None;
    }
    if fate == Fate::Drain && doubt.is_none() {
        // to the FIN: what is there is all that will come
        while matches!(sys::discard(fd, PASS), Ok(1..)) {}
        return None;
    }
    duplicate(fd, taken, doubt)
}

/// It may wait for it in its parent's epoll set, where the registration is one for both. Whoever has it from a
/// message or has been started as a program has sets of his own.
fn may_be_a_child_s(doubt: Arrival) -> bool {
    matches!(doubt, Arrival::Made | Arrival::Inherited)
}

/// Of connections that are wanted by themselves there is nothing to be held against them.
pub fn origin(word: Word) -> Origin {
    let is_foreign = word.kind() == fd_table::Kind::Unknown;
    let may_be_in_repair = is_foreign || word.has(LEFT_TO_US);
    if settings::ANY_ROLE.load(Relaxed) {
        return Origin {
            may_be_in_repair,
            ..Origin::default()
        };
    }
    Origin {
        is_client: word.has(CONNECTED),
        is_foreign,
        may_be_in_repair,
    }
}

/// A place in the background, the thread to serve it, a high number, and no trace of the
/// descriptor in the program's epoll sets; if one of these is not to be had, nothing.
fn duplicate(fd: c_int, taken: &Taken, doubt: Option<Arrival>) -> Option<Parked> {
    let Some(limit) = park::reserve() else {
        log::refused(fd, "no room");
        return None;
    };
    let high = if !reaper::is_there() && !reaper::may_be_done_without() {
        log::refused(fd, "no thread");
        None
    } else if !leave_epoll_sets(fd, taken.epolls) {
        log::refused(fd, "in an unknown epoll set");
        None
    } else {
        own_fds::duplicate_within(fd, limit)
    };
    let Some(high) = high else {
        park::give_back();
        return None;
    };
    sys::end_signals(high);
    Some(Parked { fd: high, doubt })
}

fn leave_epoll_sets(fd: c_int, mask: u64) -> bool {
    match partial::sees_all() {
        true => epoll_sets::leave(fd, mask),
        false => partial::leave_epoll_sets(fd),
    }
}

impl PendingClose {
    /// Makes the system's close. A thread that is cancelled in it would leave behind what is
    /// taken over: it is cancelled at the next occasion instead.
    pub fn make<R>(&self, real: impl FnOnce() -> R) -> R {
        if self.parked.is_none() && self.taken.word.kind() != fd_table::Kind::Counted {
            return real();
        }
        thread::not_cancelled(real)
    }

    /// The program's descriptor is closed.
    pub fn after(self) {
        if let Some(look) = self.look {
            look.done();
        }
        let Some(parked) = self.parked else {
            return;
        };
        let mark = own_fds::mark_of(parked.fd);
        start(parked);
        if settings::BLOCKING.load(Relaxed) {
            park::wait_until_closed(mark, settings::TIMEOUT_MS.load(Relaxed));
        }
    }

    /// As [`after`](Self::after); what the stream held back has been sent now.
    pub fn after_flush(self) {
        match self.parked {
            Some(parked) if !tcp::has_sent(parked.fd) => give_up(parked),
            _ => self.after(),
        }
    }

    /// The system has refused: the descriptor is open, and everything as before.
    pub fn undone(self) {
        holders::take_back(self.fd, self.taken);
        if let Some(parked) = self.parked {
            give_up(parked);
        }
    }
}

fn start(parked: Parked) {
    log::took_over();
    if parked.doubt.is_some() || !half_close(parked.fd) {
        park::hand_over(parked);
        reaper::drive_if_alone();
    }
}

fn give_up(parked: Parked) {
    own_fds::close(parked.fd);
    park::give_back();
}

/// The half-close, and one pass of reading; whether that was all, and it is closed.
fn half_close(fd: c_int) -> bool {
    let is_over = sys::shutdown(fd, libc::SHUT_WR).is_err()
        || match sys::discard(fd, PASS) {
            // the peer's FIN, after which there is nothing to wait for
            Ok(0) => tcp::peer_has_closed(fd),
            Ok(_) => false,
            Err(error) => error.0 != libc::EAGAIN && error.0 != libc::EINTR,
        };
    if is_over {
        log::closed_at_once(fd);
        own_fds::close(fd);
        park::give_back();
    }
    is_over
}

/// close(): with whatever the program uses to reach the system.
pub fn close(fd: c_int, call: Call, real: impl FnOnce() -> c_int) -> c_int {
    if !process::is_own() {
        return real();
    }
    if fd_table::is_internal(fd) {
        return if reaper::is_this_thread() {
            real()
        } else {
            REFUSED
        };
    }
    let closing = before(fd, Sent::Something, call);
    let result = closing.make(real);
    closing.after();
    result
}

/// To be turned into EBADF: the program has no such number.
pub const REFUSED: c_int = -libc::EBADF;

/// At the end of the process: as a close, but the descriptor stays open, as other threads may
/// be using its number to the last moment.
pub fn at_the_end(fd: c_int) {
    let Some(entry) = fd_table::get(fd) else {
        return;
    };
    let since = holders::before_birth();
    let mut taken = entry.take();
    // the set goes with the process, and it may be another's, too
    taken.epolls = 0;
    if let Some(parked) = duplicate_if_last(fd, &taken, since, Sent::Something) {
        start(parked);
    }
}
