//! The end of the process, or of its program.

use crate::close;
use crate::holders;
use crate::park;
use crate::process;
use crate::reaper;
use crate::settings::{self, AtExit};
use crate::streams;
use crate::sys;
use crate::table::{self, Kind};
use crate::tcp::{self, Fate};
use libc::c_int;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// Numbers of which nothing is known, as they were there before the program, are tried up to
/// here: a server that inetd or systemd starts has its connection under one of the first.
const INHERITED: c_int = 16;

pub fn is_under_way() -> bool {
    UNDER_WAY.load(SeqCst)
}

/// Once: exit() may be followed by _exit(), and called by several threads.
/// `flushes`: streams are still to be written out by the C library.
pub fn before_end(flushes: bool) {
    if !process::is_own() || UNDER_WAY.swap(true, SeqCst) {
        return;
    }
    match settings::at_exit() {
        AtExit::Off => {}
        AtExit::Wait => wait(),
        AtExit::Scan => {
            end_connections(flushes);
            wait();
        }
    }
    holders::before_end();
}

pub fn after_fork_in_child() {
    UNDER_WAY.store(false, SeqCst);
}

/// Also before exec, which closes what is parked.
pub fn wait() {
    if park::count() > 0 {
        reaper::finish(settings::EXIT_WAIT_MS.load(Relaxed).into());
    }
}

/// All that the program has left open.
fn end_connections(flushes: bool) {
    // First of all: one connection may have several numbers (a server that inetd starts has three),
    // and what the stream of one of them holds back cannot be sent once another one is half-closed.
    if flushes && !streams::flush_all(may_be_ended) {
        return;
    }
    // Before the table changes.
    let noted = table::numbers_from(0).count() as c_int;
    let mut ended = Ended::default();
    for (fd, entry) in table::numbers_from(0) {
        let is_noted = matches!(entry.word().kind(), Kind::Alone | Kind::Counted);
        if fd >= INHERITED && !is_noted && entry.stream() == 0 {
            continue;
        }
        end_connection(fd, &mut ended);
    }
    for fd in noted..INHERITED {
        end_connection(fd, &mut ended);
    }
}

fn may_be_ended(fd: c_int) -> bool {
    !table::is_internal(fd) && tcp::examine(fd, false) != Fate::Plain
}

/// The sockets in doubt that are seen to: one may have several numbers, and who else holds it is
/// dear to find out.
#[derive(Default)]
struct Ended {
    cookies: [u64; 4],
    count: usize,
    is_begun: bool,
}

impl Ended {
    /// Whether it is another one; it is noted.
    fn is_new(&mut self, fd: c_int) -> bool {
        let Some(cookie) = holders::cookie(fd) else {
            return true;
        };
        let is_new = !self.cookies.contains(&cookie);
        if is_new {
            self.cookies[self.count % self.cookies.len()] = cookie;
            self.count += 1;
        }
        is_new
    }
}

fn end_connection(fd: c_int, ended: &mut Ended) {
    if !may_be_ended(fd) {
        return;
    }
    if !std::mem::replace(&mut ended.is_begun, true) {
        // another thread may be writing, and the process is to end as it was about to
        sys::ignore_broken_pipes();
    }
    close::at_the_end(fd, || ended.is_new(fd));
}
