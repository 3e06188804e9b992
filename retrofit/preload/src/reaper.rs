//! The background thread: there while something is parked, and a little longer.

use crate::alone::{self, Checks};
use crate::driver;
use crate::log;
use crate::log_file;
use crate::memory::Guarded;
use crate::park;
use crate::process;
use crate::settings;
use crate::signal_state;
use crate::sys;
use crate::thread;
use crate::waiting;
use crate::watched::Watched;
use libc::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

/// There is nobody who drives.
const NOBODY: c_int = 0;
/// A thread is being started.
const STARTING: c_int = -1;
/// The number of the thread that drives, or one of the above.
static WHO: AtomicI32 = AtomicI32::new(NOBODY);
/// It has failed in a way that must not happen: everything is left alone from then on.
static BROKEN: AtomicBool = AtomicBool::new(false);
/// The number that the program wants for itself; -1: none.
static WANTED: AtomicI32 = AtomicI32::new(-1);
/// Give up so many, the program needs descriptors.
static LET_GO: AtomicU32 = AtomicU32::new(0);
/// So many have been given up so far.
static GIVEN_UP: AtomicU32 = AtomicU32::new(0);

/// With nothing to do it ends, so that it is not the last thread of a program whose others have
/// all ended.
const IDLE_MS: u64 = 1000;

/// Between looks at what has been handed over: a busy server wakes the thread that often only. Most peers have closed
/// by then, too, and all that is left is to close the socket.
const NAP_MS: u64 = 4;

/// The same while peers send, or there is little room for more.
const SHORT_NAP_MS: u64 = 1;

/// Between looks at who is silent or slow, while the program waits.
const GLANCE_MS: u64 = 10;

/// Between these looks without a bell, when there is no number for it.
const DEAF_MS: u64 = 10;

/// So often in a row a wait may fail at once.
const MOST_REFUSALS: u32 = 4;

static WATCHED: Guarded<Watched> = Guarded::new(Watched::new());

/// Whether somebody drives what is parked, after starting a thread if need be and possible.
/// Something must have been reserved before: the thread, about to end, then sees it.
pub fn is_there() -> bool {
    if !may_be_driven() {
        return false;
    }
    // a process that ends drives what is left itself
    WHO.load(SeqCst) != NOBODY || process::is_ending() || thread::may_start() && start()
}

/// With no thread to be had the program's own may drive what it closes; not in a signal handler.
pub fn may_be_done_without() -> bool {
    may_be_driven() && thread::may_start()
}

fn may_be_driven() -> bool {
    !BROKEN.load(SeqCst) && process::is_driven()
}

/// Drives what has been parked although there was no thread to be had, for a moment.
pub fn drive_if_alone() {
    // one that has just ended is started again
    while park::count() > 0 && !is_there() && may_be_done_without() {
        let Some(_driving) = drive_here() else {
            return;
        };
        let until = sys::now_ms() + BRIEF_MS;
        let is_over = catch_unwind(AssertUnwindSafe(|| {
            drive(Some(until), 0);
            driver::with(|driver| driver.give_up_oldest(park::PLACES as u32))
        }));
        if is_over.is_err() {
            return;
        }
    }
}

fn start() -> bool {
    if WHO
        .compare_exchange(NOBODY, STARTING, SeqCst, SeqCst)
        .is_err()
    {
        return true;
    }
    alone::our_thread_is_started();
    let is_started = thread::keeping_errno(|| park::hang_bell() && thread::start(run));
    if !is_started {
        alone::our_thread_is_not_there();
        WHO.store(NOBODY, SeqCst);
    }
    is_started
}

pub fn is_this_thread() -> bool {
    WHO.load(SeqCst) == sys::thread_id()
}

extern "C-unwind" fn run(_: *mut c_void) -> *mut c_void {
    WHO.store(alone::our_thread_begins(), SeqCst);
    sys::name_thread(c"graceful_close");
    if catch_unwind(AssertUnwindSafe(serve)).is_err() {
        // it stays the one who drives, so that nobody else tries
        BROKEN.store(true, SeqCst);
    }
    std::ptr::null_mut()
}

fn serve() {
    loop {
        if drive(None, IDLE_MS) {
            continue;
        }
        WHO.store(NOBODY, SeqCst);
        if BROKEN.load(SeqCst) {
            return;
        }
        if alone::ends_the_process() {
            return thread::start_last();
        }
        // who has reserved a place before this line relies on us
        let is_over = park::count() == 0;
        if is_over
            || WHO
                .compare_exchange(NOBODY, sys::thread_id(), SeqCst, SeqCst)
                .is_err()
        {
            return;
        }
        park::hang_bell();
    }
}

/// Drives until nothing has been parked for so long, or until then; whether there is still
/// something.
#[allow(unsafe_code)]
fn drive(until_ms: Option<u64>, idle_ms: u64) -> bool {
    let mut refusals = 0;
    let mut busy_ms = sys::now_ms();
    let mut checks = Checks::default();
    // SAFETY: one thread drives at a time, see WHO.
    driver::with(|driver| unsafe {
        WATCHED.with(|watched| loop {
            driver.adopt();
            obey(driver);
            let is_waited_for = process::is_waiting() || until_ms.is_some();
            if is_waited_for {
                driver.give_up_silent(patience_with_silence());
            }
            if process::is_waiting() {
                driver.give_way();
            }
            driver.hurry();
            driver.watch(watched);
            let is_idle = park::count() == 0;
            let is_deaf = park::bell() < 0;
            if is_idle && (until_ms.is_some() || is_deaf) {
                return false;
            }
            let now = sys::now_ms();
            if !is_idle {
                busy_ms = now;
            }
            if until_ms.is_none() && checks.find_nobody(now) {
                return false;
            }
            if until_ms.is_some_and(|until| is_over(until, now)) {
                return true;
            }
            let left = until_ms.map(|until| until - now);
            park::fall_asleep();
            if park::is_any_ready() {
                park::wake_up();
                continue;
            }
            let limit = match (is_idle, is_deaf) {
                (true, _) => Some(idle_ms.min(Checks::BETWEEN_MS)),
                (_, true) => Some(left.unwrap_or(DEAF_MS).min(DEAF_MS)),
                _ if is_waited_for => Some(left.unwrap_or(GLANCE_MS).min(GLANCE_MS)),
                _ => left.or(Some(Checks::BETWEEN_MS)),
            };
            let waited = watched.wait(park::bell(), limit);
            park::wake_up();
            refusals = match waited {
                Ok(()) | Err(sys::Error(libc::EINTR)) => 0,
                Err(_) => refusals + 1,
            };
            if refusals >= MOST_REFUSALS {
                // the program has confined itself, and its threads with it
                BROKEN.store(true, SeqCst);
                log::gave_up("waiting is refused");
                driver.give_up_oldest(park::PLACES as u32);
                return false;
            }
            // a signal may have ended the wait: setuid() sends one to every thread
            let has_waited = sys::now_ms() >= busy_ms + idle_ms;
            if is_idle && has_waited && park::count() == 0 && WANTED.load(SeqCst) < 0 {
                return false;
            }
            let are_quiet = driver.step(watched);
            if until_ms.is_none() && !watched_is_urgent() && !park::is_waited_for() {
                nap(are_quiet && park::has_much_room());
            }
        })
    })
}

/// Who hands over does not ring meanwhile, unless there is little room left.
fn nap(is_long: bool) {
    let limit = match is_long {
        true => NAP_MS,
        false => SHORT_NAP_MS,
    };
    let _ = waiting::wait(&mut [Watched::on(park::bell())], Some(limit));
}

fn patience_with_silence() -> u64 {
    match process::is_waiting() {
        true => settings::EXIT_IDLE_MS.load(Relaxed).into(),
        false => BRIEF_IDLE_MS,
    }
}

/// The time is up, or somebody has lost patience with a process that ends.
fn is_over(until: u64, now: u64) -> bool {
    until <= now || signal_state::is_asked_to_end()
}

/// Somebody waits for us.
fn watched_is_urgent() -> bool {
    process::is_waiting() || WANTED.load(SeqCst) >= 0 || LET_GO.load(SeqCst) > 0
}

fn obey(driver: &mut driver::Driver) {
    let pieces = LET_GO.load(SeqCst);
    if pieces > 0 {
        let given_up = match driver.give_up_oldest(pieces) {
            // the last number that we have
            0 if park::count() == 0 => park::take_down_bell().into(),
            count => count,
        };
        GIVEN_UP.fetch_add(given_up, SeqCst);
        // what has been asked for since is still to be done
        LET_GO.fetch_sub(pieces, SeqCst);
    }
    let wanted = WANTED.load(SeqCst);
    if wanted >= 0 {
        // poll() looks its numbers up again whenever it wakes: the bell is moved by us, too
        if wanted == park::bell() {
            park::move_bell();
        } else {
            driver.vacate(wanted);
        }
        WANTED.store(-1, SeqCst);
    }
}

/// At most so long for the thread to do what it is asked: then the program goes on.
const PATIENCE_MS: u64 = 200;

fn ask(is_done: impl Fn() -> bool) {
    let until = sys::now_ms() + PATIENCE_MS;
    while !is_done() && sys::now_ms() < until {
        park::ring();
        let _ = waiting::wait(&mut [], Some(1));
    }
}

/// Gives a number of ours to the program, which is about to use it.
pub fn vacate(fd: c_int) {
    if fd == log_file::number() {
        log_file::vacate();
        return;
    }
    if WHO.load(SeqCst) == NOBODY || is_this_thread() || BROKEN.load(SeqCst) {
        return;
    }
    // another thread may be asking for another one
    let has_asked = || WANTED.compare_exchange(-1, fd, SeqCst, SeqCst).is_ok();
    ask(has_asked);
    ask(|| WANTED.load(SeqCst) != fd);
}

/// The program has run out of descriptors: whether there are more now.
pub fn let_go(pieces: u32) -> bool {
    if is_this_thread() || BROKEN.load(SeqCst) {
        return false;
    }
    if let Some(driving) = drive_here() {
        let had_bell = park::take_down_bell();
        drop(driving);
        // who has parked something meanwhile relied on us
        let _ = park::count() == 0 || is_there();
        return had_bell;
    }
    let before = GIVEN_UP.load(SeqCst);
    LET_GO.fetch_add(pieces, SeqCst);
    ask(|| LET_GO.load(SeqCst) == 0);
    GIVEN_UP.load(SeqCst) != before
}

/// It will run out of them.
pub fn let_go_soon(pieces: u32) {
    if LET_GO.compare_exchange(0, pieces, SeqCst, SeqCst).is_ok() {
        park::ring();
    }
}

/// So long the program is held up by what is parked before it does what it can do with one thread
/// only.
const BRIEF_MS: u64 = 50;
/// And so long by a peer of which nothing comes.
const BRIEF_IDLE_MS: u64 = 20;
/// Others may be closing meanwhile.
const RETIRE_TRIES: usize = 8;

/// The thread ends, after a moment for what is parked: the program is about to confine all its
/// threads, or to do what is refused to one that has several.
pub fn retire() {
    if WHO.load(SeqCst) == NOBODY || is_this_thread() || BROKEN.load(SeqCst) {
        return;
    }
    finish(BRIEF_MS);
    let until = sys::now_ms() + PATIENCE_MS;
    while WHO.load(SeqCst) == STARTING && sys::now_ms() < until {
        waiting::wait_us(100);
    }
    let thread = WHO.load(SeqCst);
    // all that is left, and then the bell, without which it ends
    for _ in 0..RETIRE_TRIES {
        if !let_go(park::PLACES as u32) {
            break;
        }
    }
    while thread > 0 && sys::is_thread(thread) && sys::now_ms() < until {
        waiting::wait_us(100);
    }
}

/// While this lives the calling thread is the one that drives.
struct Driving;

impl Drop for Driving {
    fn drop(&mut self) {
        WHO.store(NOBODY, SeqCst);
    }
}

/// If nobody else does.
fn drive_here() -> Option<Driving> {
    WHO.compare_exchange(NOBODY, sys::thread_id(), SeqCst, SeqCst)
        .is_ok()
        .then(|| Driving)
}

/// Waits until nothing is parked any more, at most so long; drives it on this thread if there is
/// no other.
pub fn finish(limit_ms: u64) {
    let until = sys::now_ms() + limit_ms;
    if BROKEN.load(SeqCst) || is_this_thread() {
        return;
    }
    if let Some(_driving) = drive_here() {
        let _ = catch_unwind(AssertUnwindSafe(|| drive(Some(until), 0)));
        return;
    }
    park::ring();
    loop {
        let (count, now) = (park::count(), sys::now_ms());
        if count == 0 || is_over(until, now) {
            return;
        }
        park::wait_for_change(count, (until - now).min(GLANCE_MS));
    }
}

/// In a forked child: nobody drives, and nothing is parked.
pub fn after_fork_in_child() {
    WHO.store(NOBODY, SeqCst);
    WANTED.store(-1, SeqCst);
    LET_GO.store(0, SeqCst);
    driver::with(driver::Driver::forget_all);
}
