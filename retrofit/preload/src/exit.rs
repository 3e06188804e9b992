//! The end of the process, or of its program.

use crate::alone;
use crate::close;
use crate::fd_table::{self, INHERITED};
use crate::holders;
use crate::log::{self, Text};
use crate::observe;
use crate::own_fds;
use crate::park;
use crate::process;
use crate::reaper;
use crate::settings::{self, AtExit};
use crate::signal_state;
use crate::streams;
use crate::sys;
use crate::tcp::{self, Fate, Origin};
use graceful_close_retrofit::observe::Call;
use libc::c_int;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Once: exit() may be followed by _exit(), and called by several threads.
/// `flushes`: streams are still to be written out by the C library.
pub fn before_end(flushes: bool) {
    if !process::is_own() {
        return;
    }
    if !flushes {
        before_handlers();
    }
    if !process::begins_to_end() {
        return;
    }
    if observe::is_on() {
        observe::all_from(0, u32::MAX, Call::Exit);
        return holders::before_end();
    }
    match settings::at_exit() {
        AtExit::Off => process::leave_alone(),
        // a signal handler that ends the process on a stack that is hardly enough for itself
        _ if !signal_state::has_room(STACK) => process::leave_alone(),
        // they use what the exit handlers have destroyed, and may not expect a half-close
        _ if alone::may_have_others() => {
            process::leave_alone();
            log::not_waited_for(park::count());
        }
        AtExit::Wait => wait_undisturbed(),
        AtExit::Scan => {
            end_connections(flushes);
            wait_undisturbed();
        }
    }
    holders::before_end();
}

/// Before the program's exit handlers run, or it ends without them: if it has other threads they go
/// on in a whole program while this waits. Once: after that it may be whole no longer. (Not when
/// main() returns: other threads may use what it had on its stack.)
pub fn before_handlers() {
    // asked in any case: what is there in memory then makes the moment behind the handlers shorter
    if process::is_own()
        && process::stops_being_whole()
        && signal_state::has_room(STACK)
        && alone::may_have_others()
        && settings::at_exit() != AtExit::Off
        && park::count() > 0
    {
        // what the program has a handler for comes as ever: other threads may wait for an answer
        signal_state::held_back(signal_state::without_handler(), wait);
    }
}

/// For our own thread, when the program's have all ended, the first one with this status. Of 0 the C
/// library makes an exit() of the process when this thread ends, if the first one has ended in it.
pub fn left_with(status: c_int) {
    if status != 0 {
        before_end(false);
        sys::end(status >> 8 & 255);
    }
}

/// The end takes so many bytes of stack at most, with a margin: it took 12 kB.
const STACK: usize = 24 << 10;

/// Without us the process would have ended before a signal comes that is on its way, as the program's
/// alarm(): its status stays what the program has said.
fn wait_undisturbed() {
    if park::count() > 0 {
        signal_state::held_back(u64::MAX, wait);
    }
}

/// So long every process waits: it is enough on a local network.
const MOMENT_MS: u64 = 50;

/// Also before exec, which closes what is parked.
pub fn wait() {
    if park::count() == 0 {
        return;
    }
    process::waits(true);
    let budget = u64::from(settings::EXIT_WAIT_MS.load(Relaxed));
    reaper::finish(budget.min(MOMENT_MS));
    if budget > MOMENT_MS && park::count() > 0 {
        if let Some(turn) = take_turn() {
            reaper::finish(budget - MOMENT_MS);
            own_fds::close(turn);
        }
    }
    process::waits(false);
    log::not_waited_for(park::count());
}

/// One of the names of which there are as many as children of our parent may wait.
fn take_turn() -> Option<c_int> {
    (0..settings::EXIT_WAITERS.load(Relaxed)).find_map(|number| {
        let mut name = Text::new();
        let _ = write!(name, "graceful_close/{}/{number}", sys::parent_pid());
        let low = sys::named_socket(name.bytes()).ok()?;
        let turn = own_fds::duplicate(low);
        let _ = sys::close(low);
        turn
    })
}

/// All that the program has left open. One connection may have several numbers (inetd gives it as
/// 0, 1 and 2): the streams of all are written out before any of them is half-closed.
fn end_connections(flushes: bool) {
    // counted before anything is parked, which notes numbers of its own
    let noted = fd_table::numbers_from(0).count() as c_int;
    // a stream is in use by another thread, and cannot be written out
    let mut busy = Connections::default();
    let mut ended = Connections::default();
    if flushes && candidates(noted).next().is_some() {
        streams::write_out(candidates(noted), |fd| {
            if let Some(cookie) = holders::cookie(fd) {
                busy.add(Some(cookie));
            }
        });
    }
    let mut is_first = true;
    for fd in candidates(noted) {
        let cookie = holders::cookie(fd);
        // what has come under several numbers is not counted by number: looked up once
        let is_counted = fd_table::get(fd).is_some_and(fd_table::Entry::is_counted);
        if busy.may_have(cookie) || !is_counted && ended.has(cookie) {
            continue;
        }
        ended.add(cookie);
        if is_first {
            // another thread may be writing, and the process is to end as it was about to
            signal_state::ignore_broken_pipes();
            is_first = false;
        }
        close::at_the_end(fd);
    }
}

fn candidates(noted: c_int) -> impl Iterator<Item = c_int> {
    (0..noted.max(INHERITED)).filter(|fd| {
        let is_noted =
            fd_table::get(*fd).is_some_and(|entry| entry.is_counted() || entry.stream() != 0);
        (*fd < INHERITED || is_noted)
            && !fd_table::is_internal(*fd)
            && tcp::examine(*fd, Origin::default(), false) != Fate::Plain
    })
}

/// A few of them.
#[derive(Default)]
struct Connections {
    cookies: [u64; 16],
    count: usize,
    is_incomplete: bool,
}

impl Connections {
    fn add(&mut self, cookie: Option<u64>) {
        match (cookie, self.cookies.get_mut(self.count)) {
            (Some(cookie), Some(place)) => {
                *place = cookie;
                self.count += 1;
            }
            _ => self.is_incomplete = true,
        }
    }

    fn has(&self, cookie: Option<u64>) -> bool {
        let known = self.cookies.get(..self.count).unwrap_or_default();
        cookie.is_some_and(|cookie| known.contains(&cookie))
    }

    /// With more of them than there is room for it may be any.
    fn may_have(&self, cookie: Option<u64>) -> bool {
        let is_any = self.is_incomplete || cookie.is_none() && self.count > 0;
        is_any || self.has(cookie)
    }
}
