//! The constructor and the destructor, and what happens around fork().

use super::child;
use crate::alone;
use crate::epoll_sets;
use crate::exec_locks;
use crate::exit;
use crate::fd_table;
use crate::holders::births;
use crate::log;
use crate::log_file;
use crate::observe;
use crate::park;
use crate::process;
use crate::real;
use crate::reaper;
use crate::settings;
use crate::slots;
use crate::sys;
use crate::thread::{self, keeping_errno};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

#[cfg(not(test))]
#[used]
#[link_section = ".init_array"]
static CONSTRUCTOR: extern "C" fn() = construct;

#[cfg(all(feature = "link", not(test)))]
#[used]
#[link_section = ".fini_array"]
static DESTRUCTOR: extern "C" fn() = destruct;

/// Numbers above this are left alone; the table takes 32 bytes for each that is ever used.
const MOST_DESCRIPTORS: u64 = 1 << 20;

#[cfg_attr(test, allow(dead_code))]
extern "C" fn construct() {
    keeping_errno(|| {
        real::find_all();
        child::find_own_file();
        alone::ends_with(exit::left_with);
        if settings::read() && may_observe() && set_up() {
            // what the starter has blocked no handler has
            thread::begins();
            process::wake_up();
            real::find_streams();
            #[cfg(all(not(feature = "link"), not(test)))]
            real::at_the_end(end);
            if observe::is_on() {
                return;
            }
            exec_locks::read_locks();
            if let Some(path) = settings::log() {
                log_file::open(path);
            }
            log::started();
            settings::not_understood(log::not_understood);
        }
    });
}

/// Without its table it does nothing at all: it was not asked for graceful closes.
fn may_observe() -> bool {
    settings::observe().map_or(true, observe::open)
}

fn has_a_limit_of_memory() -> bool {
    [libc::RLIMIT_AS, libc::RLIMIT_DATA]
        .into_iter()
        .any(|which| sys::limits(which as usize).rlim_cur != libc::RLIM64_INFINITY)
}

/// Whether there is memory for the tables.
fn set_up() -> bool {
    let numbers = sys::limits(libc::RLIMIT_NOFILE as usize);
    // who has little memory is not given room for all that he may ask for later
    let most = match has_a_limit_of_memory() {
        true => numbers.rlim_cur,
        false => numbers.rlim_max,
    };
    let most = most.clamp(1024, MOST_DESCRIPTORS);
    fd_table::set_up(most as usize)
        && slots::set_up()
        && exec_locks::set_up()
        && real::on_fork(before_fork, after_fork_in_parent, after_fork_in_child)
}

/// exit() ends the process without calling _exit(), and writes out the streams after this.
#[cfg(not(feature = "link"))]
extern "C" fn end(_: *mut libc::c_void) {
    exit::before_end(true);
}

#[cfg(feature = "link")]
extern "C" fn destruct() {
    exit::before_end(true);
}

/// The process whose fork has been counted; 0: none.
static FORKING: AtomicI32 = AtomicI32::new(0);

extern "C" fn before_fork() {
    if process::is_own() {
        births::before_fork();
        FORKING.store(process::own_pid(), SeqCst);
    }
}

extern "C" fn after_fork_in_parent() {
    if process::is_own() {
        FORKING.store(0, SeqCst);
        births::after_fork_in_parent();
        epoll_sets::forked();
    }
}

extern "C" fn after_fork_in_child() {
    // not the child of a child of which no handler has heard: its tables are out of date
    if !process::is_awake() || FORKING.swap(0, SeqCst) != process::own_pid() {
        return;
    }
    process::is_a_child();
    alone::after_fork_in_child();
    observe::after_fork_in_child();
    reaper::after_fork_in_child();
    park::after_fork_in_child(log_file::number());
    births::after_fork_in_child();
    epoll_sets::forked();
}
