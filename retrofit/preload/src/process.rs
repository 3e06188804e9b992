//! Which process this is, and whether the library is at work in it.

use crate::sys;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering::Relaxed, Ordering::SeqCst};

/// Before the constructor, switched off, or not for this program.
const ASLEEP: u8 = 0;
const AWAKE: u8 = 1;
/// The program has confined itself: not one system call more than it makes itself.
const CONFINED: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(ASLEEP);
static PID: AtomicI32 = AtomicI32::new(0);
/// In which the program was started, by exec: this one is forked from it, as all between are.
static ROOT: AtomicI32 = AtomicI32::new(0);

pub fn wake_up() {
    PID.store(sys::pid(), SeqCst);
    ROOT.store(sys::pid(), SeqCst);
    MODE.store(AWAKE, SeqCst);
}

/// In a forked child: it is another process now.
pub fn is_a_child() {
    PID.store(sys::pid(), SeqCst);
    ENDING.store(false, SeqCst);
    WAITING.store(false, SeqCst);
    WHOLE.store(true, SeqCst);
    LEFT_ALONE.store(false, SeqCst);
}

/// The end of the process is under way.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The end of the process, or of its program, waits for what is parked.
static WAITING: AtomicBool = AtomicBool::new(false);

/// No exit handler of the program can have run.
static WHOLE: AtomicBool = AtomicBool::new(true);

/// Whether it was until now.
pub fn stops_being_whole() -> bool {
    WHOLE.swap(false, SeqCst)
}

/// The process ends, and nobody drives what other threads close until it is gone.
static LEFT_ALONE: AtomicBool = AtomicBool::new(false);

pub fn leave_alone() {
    LEFT_ALONE.store(true, SeqCst);
}

pub fn is_driven() -> bool {
    !LEFT_ALONE.load(SeqCst)
}

/// Whether this is the first to say so.
pub fn begins_to_end() -> bool {
    !ENDING.swap(true, SeqCst)
}

pub fn is_ending() -> bool {
    ENDING.load(SeqCst)
}

pub fn waits(on: bool) {
    WAITING.store(on, SeqCst);
}

pub fn is_waiting() -> bool {
    WAITING.load(SeqCst)
}

/// From now on everything is left alone.
pub fn confine() {
    let _ = MODE.compare_exchange(AWAKE, CONFINED, SeqCst, SeqCst);
}

/// Whether the library does anything at all. Costs no system call.
#[inline]
pub fn is_awake() -> bool {
    MODE.load(Relaxed) == AWAKE
}

/// Whether a system call of the library's own may be made for a program that is about to start.
#[inline]
pub fn may_look() -> bool {
    MODE.load(Relaxed) != CONFINED
}

/// Whether it does, and this is the process whose tables these are. In a child of vfork() they
/// are its parent's, who goes on with them; in one that fork handlers do not hear of, they are
/// out of date.
#[inline]
pub fn is_own() -> bool {
    is_awake() && sys::pid() == PID.load(Relaxed)
}

pub fn root_pid() -> i32 {
    ROOT.load(Relaxed)
}

pub fn own_pid() -> i32 {
    PID.load(Relaxed)
}
