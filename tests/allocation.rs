//! A close asks for no memory, with a log and without: what cannot be had would end the program.
//! (tests/c/no_allocation.c asks the same of the C library's own allocator, which the systems' calls
//! use, too.)

mod support;

use graceful_close::{clear_log, close_with, set_log, Fallback, Options, Outcome};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{accept_from, alone, await_news, c, finish, ms, payload, reset, wine};

/// Counts what the calling thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work; counting asks for no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LINES: AtomicUsize = AtomicUsize::new(0);

/// Closes with a log or without; the outcome, and how often memory was asked for.
fn asked_by(close: impl FnOnce() -> Outcome, is_logged: bool) -> (Outcome, usize) {
    let lines = LINES.load(Ordering::Relaxed);
    let before = ASKED.with(Cell::get);
    let outcome = close();
    let asked = ASKED.with(Cell::get) - before;
    let told = LINES.load(Ordering::Relaxed) - lines;
    assert_eq!(told == 1, is_logged && outcome != Outcome::Graceful);
    (outcome, asked)
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    accept_from(&listener)
}

fn no_close_asks_for_memory(is_logged: bool) {
    let options = Options::new().timeout(ms(30));
    let (ours, _peer) = connection();
    let close = || close_with(ours, &options).unwrap().report.outcome;
    assert_eq!(asked_by(close, is_logged), (Outcome::TimedOut, 0));

    let (ours, _peer) = connection();
    let options = options.fallback(Fallback::Abort);
    let close = || close_with(ours, &options).unwrap().report.outcome;
    assert_eq!(asked_by(close, is_logged), (Outcome::TimedOut, 0));

    let options = Options::new();
    let (ours, peer) = connection();
    payload::send(&peer, 1000);
    finish(&peer);
    let close = || close_with(ours, &options).unwrap().report.outcome;
    assert_eq!(asked_by(close, is_logged), (Outcome::Graceful, 0));

    let (ours, peer) = connection();
    reset(peer);
    await_news(&ours);
    let close = || close_with(ours, &options).unwrap().report.outcome;
    let (outcome, asked) = asked_by(close, is_logged);
    assert!(outcome == Outcome::Reset || wine::hides_resets());
    assert_eq!(asked, 0);

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let close = || close_with(socket, &options).unwrap().report.outcome;
    assert_eq!(asked_by(close, is_logged), (Outcome::NotConnected, 0));
}

#[test]
fn closes_ask_for_no_memory() {
    let _alone = alone();
    no_close_asks_for_memory(false);
    set_log(|_, line| {
        assert!(!line.is_empty());
        LINES.fetch_add(1, Ordering::Relaxed);
    });
    no_close_asks_for_memory(true);
    clear_log();
}

/// The Rust face's logger has no lines for these; writing them is all the same.
#[test]
fn refused_calls_ask_for_no_memory() {
    let _alone = alone();
    set_log(|_, _| panic!("nothing was closed"));
    let before = ASKED.with(Cell::get);
    assert_eq!(c::close(support::descriptors::NONE, 0), c::ERR_NOT_A_SOCKET);
    let mut options = c::Options::timeout(0);
    options.fallback = 77;
    let refused = c::close_with(support::descriptors::NONE, &options).0;
    assert_eq!(refused, c::ERR_ARGUMENT);
    assert_eq!(ASKED.with(Cell::get), before);
    clear_log();
}
