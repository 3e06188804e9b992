//! Waiting for many: epoll, edge-triggered, with an eventfd as the bell.

use super::{close_raw, nap_on, RawSocket, Socket};
use crate::clock::{Clock, SystemClock, Time};
use crate::connection::Fault;
use crate::set::{Indexed, Watcher};
use crate::sys::unix::{millis_until, syscall};
use libc::c_int;
use std::ptr::null_mut;
use std::time::Duration;

/// The bell's key; descriptors are smaller.
const BELL: u64 = u64::MAX;

/// Events taken by one call.
const EVENTS: usize = 256;

/// How long to pause where waiting fails.
const BROKEN_MS: c_int = 5;

/// Calls in a row, when they come full: the deadlines of others must not wait.
const ROUNDS: u32 = 16;

/// Moves a descriptor of ours above the low numbers: those are for the program,
/// which may be about to dup2() onto one that it has just closed.
fn out_of_reach(fd: RawSocket) -> RawSocket {
    Socket(fd).out_of_the_way().0
}

/// Any thread may add sockets and ring; one waits.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: RawSocket,
    bell: RawSocket,
}

impl Poller {
    pub(crate) fn new() -> Result<Poller, Fault> {
        let epoll = syscall!(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
        let bell = match syscall!(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) {
            Ok(bell) => bell,
            Err(fault) => {
                let _ = close_raw(epoll);
                return Err(fault);
            }
        };
        let poller = Poller {
            epoll: out_of_reach(epoll),
            bell: out_of_reach(bell),
        };
        poller.register(poller.bell, libc::EPOLLIN, BELL)?;
        Ok(poller)
    }

    /// Has the socket's events reported by its number from now on. Closing the
    /// last descriptor of the socket ends it.
    pub(crate) fn add(&self, socket: Socket) -> Result<(), Fault> {
        let edges = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
        self.register(socket.0, edges, socket.index() as u64)
    }

    fn register(&self, fd: RawSocket, events: c_int, key: u64) -> Result<(), Fault> {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: key,
        };
        syscall!(libc::epoll_ctl(
            self.epoll,
            libc::EPOLL_CTL_ADD,
            fd,
            &mut event
        ))
        .map(drop)
    }

    /// Ends the other thread's wait or nap.
    pub(crate) fn ring(&self) {
        let one = 1u64;
        let _ = syscall!(libc::write(self.bell, (&one as *const u64).cast(), 8));
    }

    /// Waits for events, at most until then, and gives the numbers of their
    /// sockets.
    pub(crate) fn wait(&self, until: Time, mut each: impl FnMut(usize)) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let mut limit = until;
        for _ in 0..ROUNDS {
            let room = events.as_mut_ptr();
            let limit_ms = millis_until(limit);
            let got = syscall!(libc::epoll_wait(
                self.epoll,
                room,
                EVENTS as c_int,
                limit_ms
            ));
            let Ok(got) = got.map(|got| got as usize) else {
                // Interrupted; or the program has closed what is ours, and this would spin.
                let _ = syscall!(libc::poll(null_mut(), 0, BROKEN_MS));
                return;
            };
            for event in &events[..got.min(EVENTS)] {
                match event.u64 {
                    BELL => self.silence(),
                    key => each(key as usize),
                }
            }
            if got < EVENTS {
                return;
            }
            limit = SystemClock.now();
        }
    }

    /// Sleeps until then; only the bell ends it sooner.
    pub(crate) fn nap(&self, until: Time) {
        if nap_on(self.bell, until) {
            self.silence();
        }
    }

    /// How long to let events gather before the next look.
    pub(crate) fn pace(&self, at_least: Duration) -> Duration {
        at_least
    }

    fn silence(&self) {
        let mut count = 0u64;
        let _ = syscall!(libc::read(self.bell, (&mut count as *mut u64).cast(), 8));
    }
}

impl Watcher<Socket> for Poller {
    const TELLS_EDGES: bool = true;

    fn watch(&self, _socket: Socket, _readable: bool) {}

    fn remove(&self, _socket: Socket) {}
}

impl Drop for Poller {
    fn drop(&mut self) {
        let _ = close_raw(self.bell);
        let _ = close_raw(self.epoll);
    }
}
