//! What a blocking close waits by.

use super::poller::is_refusal;
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Fault, Wait, Watch};
use crate::sys::unix::{close_raw, millis_until, nap, syscall, RawSocket, Socket};

/// Waits for one socket.
pub(crate) struct Waiter {
    /// For changes of state; made when first needed.
    edges: Edges,
}

enum Edges {
    Unneeded,
    Watched(Epoll),
    /// None to be had: look again at growing intervals.
    Refused,
}

impl Waiter {
    /// For one among several: it waits for what poll() does not tell.
    pub(crate) const TELLS_MORE: bool = true;

    pub(crate) fn new() -> Waiter {
        Waiter {
            edges: Edges::Unneeded,
        }
    }

    /// Returns when a step may be worth while, or the time is up.
    pub(crate) fn wait(&mut self, socket: Socket, wait: Wait) {
        match wait.watch {
            Watch::Readable => self.wait_for_data(socket, wait.until),
            Watch::Change | Watch::Acknowledged => self.wait_for_change(socket, wait),
        }
    }

    /// Leaves no trace on a socket that stays open: there is none.
    pub(crate) fn leave(&mut self, _socket: Socket) {}

    /// A notice in the error queue (a MSG_ZEROCOPY that is done, a time stamp) makes poll() say
    /// POLLERR for ever. It is the program's, which may get the socket back: edges tell of news
    /// alone.
    fn wait_for_data(&mut self, socket: Socket, until: Time) {
        match &self.edges {
            Edges::Watched(edges) if edges.watch == Watch::Readable => {
                let waited = edges.wait(until);
                self.forget_if_lost(waited);
            }
            _ if socket.poll_readable(until) == libc::POLLERR => {
                self.edges = watch_edges(socket, Watch::Readable);
                if matches!(self.edges, Edges::Refused) {
                    socket.drop_notice();
                }
            }
            _ => {}
        }
    }

    /// The program has closed its number, or a filter refuses to wait.
    fn forget_if_lost(&mut self, waited: Result<(), Fault>) {
        if waited.is_err_and(|fault| fault.code != libc::EINTR) {
            self.edges = Edges::Refused;
        }
    }

    /// poll() would report the ended stream for ever. Edge-triggered epoll wakes
    /// at LAST_ACK -> CLOSE and CLOSING -> TIME_WAIT, and only then.
    fn wait_for_change(&mut self, socket: Socket, wait: Wait) {
        match &self.edges {
            Edges::Watched(edges) if edges.watch == wait.watch => {
                let waited = edges.wait(wait.until);
                self.forget_if_lost(waited);
            }
            Edges::Refused => nap(wait.recheck),
            // What changed before the registration is seen by the next step.
            Edges::Watched(_) | Edges::Unneeded => self.edges = watch_edges(socket, wait.watch),
        }
    }
}

/// An epoll descriptor that watches one socket, edge-triggered.
struct Epoll {
    number: RawSocket,
    watch: Watch,
}

/// Registers, and takes the event that tells of the present state. An acknowledgement is told
/// with EPOLLOUT, which every freed part of the send buffer is, too; where the stream has
/// ended, it is told without.
fn watch_edges(socket: Socket, watch: Watch) -> Edges {
    let Ok(number) = syscall!(libc::epoll_create1(libc::EPOLL_CLOEXEC)) else {
        return Edges::Refused;
    };
    let edges = Epoll { number, watch };
    let ready = match watch {
        Watch::Acknowledged => libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLOUT,
        Watch::Change | Watch::Readable => libc::EPOLLIN | libc::EPOLLRDHUP,
    };
    let mut event = libc::epoll_event {
        events: (ready | libc::EPOLLET) as u32,
        u64: 0,
    };
    if syscall!(libc::epoll_ctl(
        number,
        libc::EPOLL_CTL_ADD,
        socket.0,
        &mut event
    ))
    .is_err()
    {
        return Edges::Refused;
    }
    let _ = edges.wait(SystemClock.now());
    Edges::Watched(edges)
}

impl Epoll {
    /// Waits for an edge.
    fn wait(&self, until: Time) -> Result<(), Fault> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let limit = millis_until(until);
        syscall!(libc::epoll_wait(self.number, &mut event, 1, limit)).map(drop)
    }
}

/// The program may have closed all numbers meanwhile, and a file may have this one. What is
/// no epoll descriptor is left alone; the socket cannot be asked for, it is closed by now.
impl Drop for Epoll {
    fn drop(&mut self) {
        match self.wait(SystemClock.now()) {
            Err(fault) if !is_refusal(fault) => {}
            _ => {
                let _ = close_raw(self.number);
            }
        }
    }
}
