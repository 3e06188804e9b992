//! Where processes begin and end.

use super::child::{environment, with_environment, Program, Words};
use super::{openings, real};
use crate::exec_locks;
use crate::exit;
use crate::holders::{self, births};
use crate::log_file;
use crate::observe;
use crate::process;
use crate::raw;
use crate::reaper;
use crate::thread::keeping_errno;
use graceful_close_retrofit::observe::Call;
use libc::{c_char, c_int, c_void, pid_t, FILE};
use std::ffi::CStr;

type Opaque = *const c_void;

/// The handlers of [`super::start`] do the counting; what they are not told is that it failed.
///
/// # Safety
/// As fork().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fork() -> pid_t {
    let child = real!(fork());
    if child == -1 && process::is_own() {
        births::fork_failed();
    }
    child
}

/// As fork(), without the handlers.
///
/// # Safety
/// As _Fork().
#[allow(non_snake_case)]
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn _Fork() -> pid_t {
    clones(0);
    real!(_Fork())
}

/// Threads may have different descriptors from now on; to a process with several some of it is refused.
pub fn unshares(flags: usize) {
    if flags & libc::CLONE_NEWUSER as usize != 0 && process::is_own() {
        keeping_errno(reaper::retire);
    }
    if flags & libc::CLONE_FILES as usize != 0 {
        process::confine();
    }
}

/// A user namespace is entered by a process with one thread only, and so is a mount namespace.
///
/// # Safety
/// As setns().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn setns(fd: c_int, kind: c_int) -> c_int {
    enters_namespace(kind as usize);
    real!(setns(fd, kind))
}

/// `kind`: 0 for any.
pub fn enters_namespace(kind: usize) {
    let needs_one = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as usize;
    if (kind == 0 || kind & needs_one != 0) && process::is_own() {
        keeping_errno(reaper::retire);
    }
}

/// A filter of system calls is about to be set, for this thread or for all.
pub fn confines(is_for_all: bool) {
    if is_for_all && process::is_own() {
        keeping_errno(reaper::retire);
    }
    process::confine();
}

/// # Safety
/// As unshare().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn unshare(flags: c_int) -> c_int {
    unshares(flags as usize);
    real!(unshare(flags))
}

/// A thread, or a process that has its own descriptors and of which no fork handler hears.
pub fn clones(flags: usize) {
    let shares = (libc::CLONE_FILES | libc::CLONE_THREAD) as usize;
    if flags & shares == 0 && process::is_own() {
        births::before_uncounted_fork();
        crate::epoll_sets::forked_unseen();
    }
}

/// # Safety
/// As clone(). The optional arguments are the last three.
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn clone(
    body: *mut c_void,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    parent_id: usize,
    storage: usize,
    child_id: usize,
) -> c_int {
    clones(flags as usize);
    real!(clone(
        body, stack, flags, argument, parent_id, storage, child_id
    ))
}

/// A program that the C library starts in a way of its own.
fn spawn<R>(real: impl FnOnce() -> R) -> R {
    if !process::is_own() {
        return real();
    }
    births::before_spawn();
    let result = real();
    births::after_spawn();
    result
}

/// What actions close is not known, and not counted.
fn spawn_with(actions: Opaque, real: impl FnOnce() -> c_int) -> c_int {
    let handed_on = actions
        .is_null()
        .then(|| observe::hands_on(Call::PosixSpawn));
    let result = spawn(real);
    if let Some(handed_on) = handed_on.filter(|_| result != 0) {
        handed_on.take_back();
    }
    result
}

/// # Safety
/// As system().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn system(command: *const c_char) -> c_int {
    let handed_on = observe::hands_on(Call::System);
    let result = spawn(|| real!(system(command)));
    if result == -1 {
        handed_on.take_back();
    }
    result
}

/// # Safety
/// As popen().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE {
    let handed_on = observe::hands_on(Call::Popen);
    let stream = spawn(|| match crate::real::popen() {
        // SAFETY: the caller's own arguments.
        Some(function) => openings::stream(|| unsafe { function(command, mode) }),
        None => std::ptr::null_mut(),
    });
    if stream.is_null() {
        handed_on.take_back();
    }
    stream
}

/// # Safety
/// As posix_spawn().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut pid_t,
    path: *const c_char,
    actions: Opaque,
    attributes: Opaque,
    arguments: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        with_environment(
            &Program::At(libc::AT_FDCWD, path),
            environment,
            &mut |environment| {
                spawn_with(actions, || {
                    real!(posix_spawn(
                        pid,
                        path,
                        actions,
                        attributes,
                        arguments,
                        environment
                    ))
                })
            },
        )
    }
}

/// # Safety
/// As posix_spawnp().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut pid_t,
    file: *const c_char,
    actions: Opaque,
    attributes: Opaque,
    arguments: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        with_environment(&Program::Named(file), environment, &mut |environment| {
            spawn_with(actions, || {
                real!(posix_spawnp(
                    pid,
                    file,
                    actions,
                    attributes,
                    arguments,
                    environment
                ))
            })
        })
    }
}

/// The program to be started gets a duplicate, close-on-exec or not.
///
/// # Safety
/// As posix_spawn_file_actions_adddup2().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn posix_spawn_file_actions_adddup2(
    actions: *mut c_void,
    fd: c_int,
    new: c_int,
) -> c_int {
    if process::is_own() {
        holders::duplicated_elsewhere(fd);
    }
    real!(posix_spawn_file_actions_adddup2(actions, fd, new))
}

/// Around a call that returns only when it has failed; `program` is what is to be run, null if that
/// is not known by a name.
///
/// # Safety
/// A name must be what exec takes.
pub unsafe fn exec<R>(program: *const c_char, real: impl FnOnce() -> R) -> R {
    if !process::is_own() {
        if process::is_awake() {
            births::exec_elsewhere();
        }
        let handed_on = observe::hands_on(Call::Exec);
        let result = real();
        handed_on.take_back();
        return result;
    }
    keeping_errno(exit::wait);
    if crate::sys::is_readable(program) && !observe::is_on() {
        // SAFETY: as the caller promises.
        exec_locks::leave_locks(unsafe { CStr::from_ptr(program) });
    }
    let handed_on = observe::hands_on(Call::Exec);
    log_file::hand_on();
    births::before_exec();
    let result = real();
    handed_on.take_back();
    exec_locks::remove_locks();
    log_file::take_back();
    births::exec_failed();
    result
}

/// # Safety
/// As execve().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn execve(
    path: *const c_char,
    arguments: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { exec_at(path, arguments, environment) }
}

/// # Safety
/// As execve().
pub unsafe fn exec_at(path: *const c_char, arguments: Words, environment: Words) -> c_int {
    let program = Program::At(libc::AT_FDCWD, path);
    // SAFETY: the caller's own arguments.
    unsafe {
        with_environment(&program, environment, &mut |environment| {
            exec(path, || real!(execve(path, arguments, environment)))
        })
    }
}

/// # Safety
/// As execvpe().
pub unsafe fn exec_named(file: *const c_char, arguments: Words, environment: Words) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        with_environment(&Program::Named(file), environment, &mut |environment| {
            exec(file, || real!(execvpe(file, arguments, environment)))
        })
    }
}

/// # Safety
/// As execv().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn execv(path: *const c_char, arguments: Words) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { exec_at(path, arguments, environment()) }
}

/// # Safety
/// As execvp().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn execvp(file: *const c_char, arguments: Words) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { exec_named(file, arguments, environment()) }
}

/// # Safety
/// As execvpe().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn execvpe(
    file: *const c_char,
    arguments: Words,
    environment: Words,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { exec_named(file, arguments, environment) }
}

/// # Safety
/// As fexecve().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn fexecve(fd: c_int, arguments: Words, environment: Words) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        with_environment(&Program::Open(fd), environment, &mut |environment| {
            exec(std::ptr::null(), || {
                real!(fexecve(fd, arguments, environment))
            })
        })
    }
}

/// # Safety
/// As execveat().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn execveat(
    folder: c_int,
    path: *const c_char,
    arguments: Words,
    environment: Words,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        let program = Program::in_folder(folder, path, flags);
        with_environment(&program, environment, &mut |environment| {
            exec(std::ptr::null(), || {
                real!(execveat(folder, path, arguments, environment, flags))
            })
        })
    }
}

/// # Safety
/// As _exit().
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn _exit(status: c_int) -> ! {
    exit::before_end(false);
    loop {
        // SAFETY: takes a number and does not return.
        unsafe { raw::call(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// # Safety
/// As _Exit().
#[allow(non_snake_case)]
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn _Exit(status: c_int) -> ! {
    // SAFETY: the same function by another name.
    unsafe { _exit(status) }
}

/// # Safety
/// As prctl(), of which no operation takes more.
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn prctl(operation: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    if operation == libc::PR_SET_SECCOMP {
        confines(false);
    }
    real!(prctl(operation, a, b, c, d))
}
