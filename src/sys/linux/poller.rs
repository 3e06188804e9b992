//! Waiting for many: epoll, edge-triggered, with a timer descriptor as the bell.
//!
//! A program may close all descriptors there are, ours too, and the numbers may be those of its
//! own files then. So nothing is ever written to or read from a number here. The bell is rung by
//! timerfd_settime(2), which fails on everything but a timer; and both descriptors are asked
//! whether they are still ours before they are used. The timer knows an interval that nobody
//! else's has, and the epoll descriptor knows the timer (adding, changing or removing what is
//! not registered fails).

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{Fault, Indexed, Watcher};
use crate::sys::hand_over::HandOver;
use crate::sys::unix::{close_raw, millis_until, nap, nap_on, syscall, RawSocket, Socket};
use libc::{c_int, itimerspec, timespec};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// The bell's key; descriptors are smaller.
const BELL: u64 = u64::MAX;

/// Events taken by one call.
const EVENTS: usize = 256;

/// How long to pause where waiting fails.
const BROKEN_MS: u32 = 5;

/// So many naps in a row that are over at once are none: the bell is called rung all the time, or
/// the wait is refused. Then the thread pauses without asking.
const MOST_AT_ONCE: u32 = 32;
const AT_ONCE: Duration = Duration::from_micros(100);
const PAUSE: Duration = Duration::from_millis(1);

/// Calls in a row, when they come full: the deadlines of others must not wait.
const ROUNDS: u32 = 16;

/// An interval in one word: nanoseconds in so many bits, and 33 bits of seconds, the uppermost
/// of which is set. That are 136 to 272 years: no program would choose them, and the kernel does
/// not cut them (ktime_t holds 292).
const NANO_BITS: u32 = 29;
const LEAST_INTERVAL: u64 = 1 << (NANO_BITS + 32);

/// Any thread may add sockets and ring; one waits, and makes new descriptors.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: AtomicI32,
    bell: AtomicI32,
    /// The timer's interval, by which it is known.
    interval: u64,
    /// The system gives an interval back as it was set; where it does not, nothing can be
    /// asked.
    can_ask: AtomicBool,
    /// So many naps were over at once, one after the other.
    at_once: AtomicU32,
}

impl Poller {
    pub(crate) fn new() -> Result<Poller, Fault> {
        let poller = Poller {
            epoll: AtomicI32::new(-1),
            bell: AtomicI32::new(-1),
            interval: unlike_any_other(),
            can_ask: AtomicBool::new(true),
            at_once: AtomicU32::new(0),
        };
        poller.open()?;
        let answers = poller.is_ours();
        poller.can_ask.store(answers, Ordering::Relaxed);
        Ok(poller)
    }

    fn open(&self) -> Result<(), Fault> {
        let epoll = syscall!(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        let bell = match syscall!(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags)) {
            Ok(bell) => bell,
            Err(fault) => {
                let _ = close_raw(epoll);
                return Err(fault);
            }
        };
        // Above the low numbers: those are for the program, which may be about to dup2() onto
        // one that it has just closed.
        let bell = Socket(bell).out_of_the_way().0;
        let epoll = Socket(epoll).out_of_the_way().0;
        let opened = self
            .set_timer(bell, 0)
            .and_then(|()| register(epoll, libc::EPOLL_CTL_ADD, bell, libc::EPOLLIN, BELL));
        if let Err(fault) = opened {
            let _ = close_raw(bell);
            let _ = close_raw(epoll);
            return Err(fault);
        }
        self.bell.store(bell, Ordering::Release);
        self.epoll.store(epoll, Ordering::Release);
        Ok(())
    }

    fn bell(&self) -> RawSocket {
        self.bell.load(Ordering::Acquire)
    }

    fn epoll(&self) -> RawSocket {
        self.epoll.load(Ordering::Acquire)
    }

    /// The number of the bell is still that of our timer.
    fn has_bell(&self) -> bool {
        if !self.can_ask.load(Ordering::Relaxed) {
            return true;
        }
        let mut is = no_time();
        let expected = self.interval();
        match syscall!(libc::timerfd_gettime(self.bell(), &mut is)) {
            Ok(_) => {
                is.it_interval.tv_sec == expected.tv_sec
                    && is.it_interval.tv_nsec == expected.tv_nsec
            }
            Err(fault) => is_refusal(fault),
        }
    }

    /// Both numbers are still those of our descriptors. Changing what is registered tells it of the epoll
    /// descriptor, which knows a registration by the open file and its number (fs/eventpoll.c, ep_find). Only
    /// where the bell is ours: the program may have registered its own file in its own epoll descriptor, both
    /// under these numbers.
    fn is_ours(&self) -> bool {
        if !self.can_ask.load(Ordering::Relaxed) {
            return true;
        }
        if !self.has_bell() {
            return false;
        }
        let (epoll, bell) = (self.epoll(), self.bell());
        match register(epoll, libc::EPOLL_CTL_MOD, bell, libc::EPOLLIN, BELL) {
            Ok(()) => true,
            Err(fault) => fault.code != libc::ENOENT && is_refusal(fault),
        }
    }

    fn interval(&self) -> timespec {
        let seconds = self.interval >> NANO_BITS;
        let mut interval = no_time().it_interval;
        interval.tv_sec = match std::mem::size_of_val(&interval.tv_sec) {
            // 34 to 68 years, where seconds have 31 bits.
            4 => (seconds & (u64::MAX >> 34) | 1 << 30) as _,
            _ => seconds as _,
        };
        interval.tv_nsec = (self.interval & ((1 << NANO_BITS) - 1)) as _;
        interval
    }

    /// To go off after so many nanoseconds; 0: never.
    fn set_timer(&self, bell: RawSocket, nanos: i32) -> Result<(), Fault> {
        let mut time = no_time();
        time.it_value.tv_nsec = nanos as _;
        time.it_interval = self.interval();
        syscall!(libc::timerfd_settime(bell, 0, &time, null_mut())).map(drop)
    }

    /// Has the socket's events reported by its number from now on; whether what is there already is
    /// reported, too (fs/eventpoll.c, ep_insert). Closing the last descriptor of the socket ends it.
    pub(crate) fn add(&self, socket: Socket) -> Result<bool, Fault> {
        if !self.is_ours() {
            return Err(Fault::GONE);
        }
        let edges = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
        let key = socket.index() as u64;
        match register(self.epoll(), libc::EPOLL_CTL_ADD, socket.0, edges, key) {
            Err(fault) if fault.code == libc::EEXIST => Ok(false),
            result => result.map(|()| true),
        }
    }

    /// Ends the other thread's wait or nap; unless the bell is lost, which that thread finds
    /// out by itself.
    pub(crate) fn ring(&self) {
        if self.has_bell() {
            let _ = self.set_timer(self.bell(), 1);
        }
    }

    fn silence(&self) {
        if self.has_bell() {
            let _ = self.set_timer(self.bell(), 0);
        }
    }

    /// Waits for events, at most until then, and gives the numbers of their
    /// sockets. `false`: the program has closed what is ours.
    pub(crate) fn wait(&self, until: Time, mut each: impl FnMut(usize)) -> bool {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let mut limit = until;
        for _ in 0..ROUNDS {
            if !self.is_ours() {
                return false;
            }
            let room = events.as_mut_ptr();
            let limit_ms = millis_until(limit);
            let got = syscall!(libc::epoll_wait(
                self.epoll(),
                room,
                EVENTS as c_int,
                limit_ms
            ));
            let Ok(got) = got.map(|got| got as usize) else {
                // Interrupted; or refused, and this would spin.
                nap(SystemClock.now().plus_millis(BROKEN_MS));
                return true;
            };
            for event in &events[..got.min(EVENTS)] {
                match event.u64 {
                    BELL => self.silence(),
                    key => each(key as usize),
                }
            }
            if got < EVENTS {
                return true;
            }
            limit = SystemClock.now();
        }
        true
    }

    /// Makes new descriptors in the place of lost ones. What was registered is so no longer.
    pub(crate) fn renew(&self) -> Result<(), Fault> {
        let (bell, epoll) = (self.bell(), self.epoll());
        // The epoll descriptor is known by the bell alone: left alone if that is lost.
        let (has_bell, has_both) = (self.has_bell(), self.is_ours());
        self.open()?;
        if has_both {
            let _ = close_raw(epoll);
        }
        if has_bell {
            let _ = close_raw(bell);
        }
        Ok(())
    }

    /// Sleeps until then; only the bell ends it sooner.
    pub(crate) fn nap(&self, until: Time) {
        if !self.has_bell() {
            return nap(until);
        }
        let began = SystemClock.now();
        if nap_on(self.bell(), until) {
            self.silence();
        }
        let over = SystemClock.now();
        let left = until.since(over);
        if left.is_zero() || over.since(began) >= AT_ONCE {
            self.at_once.store(0, Ordering::Relaxed);
        } else if self.at_once.fetch_add(1, Ordering::Relaxed) >= MOST_AT_ONCE {
            std::thread::sleep(left.min(PAUSE));
        }
    }

    /// How long to let events gather before the next look.
    pub(crate) fn pace(&self, at_least: Duration) -> Duration {
        at_least
    }
}

/// The question was refused (a seccomp filter that the program has set since, no memory): that
/// says nothing of the number. It is closed (EBADF), or something else (EINVAL), or still ours.
pub(super) fn is_refusal(fault: Fault) -> bool {
    !matches!(fault.code, libc::EBADF | libc::EINVAL)
}

fn no_time() -> itimerspec {
    // SAFETY: all zeroes is a valid itimerspec (some systems pad it).
    unsafe { std::mem::zeroed() }
}

fn register(
    epoll: RawSocket,
    how: c_int,
    fd: RawSocket,
    events: c_int,
    key: u64,
) -> Result<(), Fault> {
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: key,
    };
    syscall!(libc::epoll_ctl(epoll, how, fd, &mut event)).map(drop)
}

/// One of 2^61 intervals.
fn unlike_any_other() -> u64 {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) as u64;
    let mut mixed = SystemClock.now().nanos() ^ count.rotate_left(48);
    mixed ^= std::ptr::from_ref(&COUNT) as u64 ^ u64::from(std::process::id()) << 40;
    // The finalizer of SplitMix64.
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    LEAST_INTERVAL | mixed & (LEAST_INTERVAL - 1)
}

impl Watcher<Socket> for Poller {
    const TELLS_EDGES: bool = true;

    fn watch(&self, _socket: Socket, _readable: bool) {}

    fn remove(&self, _socket: Socket) {}
}

impl Drop for Poller {
    fn drop(&mut self) {
        let (has_bell, has_both) = (self.has_bell(), self.is_ours());
        if has_both {
            let _ = close_raw(self.epoll());
        }
        if has_bell {
            let _ = close_raw(self.bell());
        }
    }
}
