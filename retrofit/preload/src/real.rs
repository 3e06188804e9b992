//! The C library's own functions, behind the ones that this crate interposes.
//!
//! The library to preload finds them by `dlsym(RTLD_NEXT)`; what is linked into the program
//! (`link`) has them from the linker.

use libc::{c_char, c_int, c_long, c_uint, c_void, pid_t, socklen_t, DIR, FILE};
use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;

pub type Words = *const *const c_char;
/// Attributes, sets of signals and posix_spawn's file actions, of which nothing is looked at.
pub type Opaque = *const c_void;

/// What a thread does. It may end by unwinding, when it is cancelled.
pub type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// One place for each: found when first asked for, at the latest by the constructor, so that no
/// signal handler ever has to look for one.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        $(
            #[allow(non_snake_case)]
            pub fn $name() -> Option<unsafe extern "C" fn($($argument),*) -> $result> {
                static PLACE: AtomicUsize = AtomicUsize::new(0);
                let found = find(&PLACE, concat!(stringify!($name), "\0"));
                // SAFETY: the C library's function of this name has this type.
                (found != 0).then(|| unsafe {
                    std::mem::transmute::<usize, unsafe extern "C" fn($($argument),*) -> $result>(found)
                })
            }
        )*

        /// Looks all of them up.
        pub fn find_all() {
            $( $name(); )*
        }

        /// In the order of their addresses, which the linker fills in (`linked`).
        #[cfg(feature = "link")]
        pub const NAMES: &[&str] = &[$( concat!(stringify!($name), "\0") ),*];

        #[cfg(all(feature = "link", not(test)))]
        core::arch::global_asm!(
            ".pushsection .data.rel.ro.graceful_close_real,\"aw\",@progbits",
            ".balign 8",
            ".globl graceful_close_real_functions",
            ".hidden graceful_close_real_functions",
            "graceful_close_real_functions:",
            $( concat!(".quad __real_", stringify!($name)), )*
            ".popsection",
        );
    };
}

fn find(place: &AtomicUsize, name: &'static str) -> usize {
    let known = place.load(Relaxed);
    if known != 0 {
        return known;
    }
    let found = look_up(name);
    place.store(found, Relaxed);
    found
}

#[cfg(all(feature = "link", not(test)))]
fn look_up(name: &'static str) -> usize {
    crate::linked::look_up(NAMES, name)
}

#[cfg(any(not(feature = "link"), test))]
fn look_up(name: &'static str) -> usize {
    // SAFETY: the name ends with a zero.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) as usize }
}

functions! {
    close(c_int) -> c_int;
    dup(c_int) -> c_int;
    dup2(c_int, c_int) -> c_int;
    dup3(c_int, c_int, c_int) -> c_int;
    fcntl(c_int, c_int, usize) -> c_int;
    fcntl64(c_int, c_int, usize) -> c_int;
    ioctl(c_int, libc::Ioctl, usize) -> c_int;
    close_range(c_uint, c_uint, c_int) -> c_int;
    closefrom(c_int) -> ();
    shutdown(c_int, c_int) -> c_int;
    setsockopt(c_int, c_int, c_int, *const c_void, socklen_t) -> c_int;
    socket(c_int, c_int, c_int) -> c_int;
    connect(c_int, *const c_void, socklen_t) -> c_int;
    accept(c_int, *mut c_void, *mut socklen_t) -> c_int;
    accept4(c_int, *mut c_void, *mut socklen_t, c_int) -> c_int;
    sendmsg(c_int, *const libc::msghdr, c_int) -> isize;
    recvmsg(c_int, *mut libc::msghdr, c_int) -> isize;
    sendmmsg(c_int, *mut libc::mmsghdr, c_uint, c_int) -> c_int;
    recvmmsg(c_int, *mut libc::mmsghdr, c_uint, c_int, *mut libc::timespec) -> c_int;
    epoll_create(c_int) -> c_int;
    epoll_create1(c_int) -> c_int;
    epoll_ctl(c_int, c_int, c_int, *mut libc::epoll_event) -> c_int;
    open(*const c_char, c_int, usize) -> c_int;
    open64(*const c_char, c_int, usize) -> c_int;
    openat(c_int, *const c_char, c_int, usize) -> c_int;
    openat64(c_int, *const c_char, c_int, usize) -> c_int;
    __open_2(*const c_char, c_int) -> c_int;
    __open64_2(*const c_char, c_int) -> c_int;
    __openat_2(c_int, *const c_char, c_int) -> c_int;
    __openat64_2(c_int, *const c_char, c_int) -> c_int;
    creat(*const c_char, c_uint) -> c_int;
    creat64(*const c_char, c_uint) -> c_int;
    pipe(*mut c_int) -> c_int;
    pipe2(*mut c_int, c_int) -> c_int;
    socketpair(c_int, c_int, c_int, *mut c_int) -> c_int;
    eventfd(c_uint, c_int) -> c_int;
    timerfd_create(c_int, c_int) -> c_int;
    signalfd(c_int, usize, c_int) -> c_int;
    inotify_init() -> c_int;
    inotify_init1(c_int) -> c_int;
    memfd_create(*const c_char, c_uint) -> c_int;
    posix_openpt(c_int) -> c_int;
    fopen(*const c_char, *const c_char) -> *mut FILE;
    fopen64(*const c_char, *const c_char) -> *mut FILE;
    tmpfile() -> *mut FILE;
    tmpfile64() -> *mut FILE;
    opendir(*const c_char) -> *mut DIR;
    fclose(*mut FILE) -> c_int;
    fdopen(c_int, *const c_char) -> *mut FILE;
    exit(c_int) -> ();
    fork() -> pid_t;
    _Fork() -> pid_t;
    unshare(c_int) -> c_int;
    setns(c_int, c_int) -> c_int;
    pthread_create(*mut libc::pthread_t, Opaque, Start, *mut c_void) -> c_int;
    pthread_sigmask(c_int, Opaque, *mut c_void) -> c_int;
    sigprocmask(c_int, Opaque, *mut c_void) -> c_int;
    clone(*mut c_void, *mut c_void, c_int, *mut c_void, usize, usize, usize) -> c_int;
    system(*const c_char) -> c_int;
    popen(*const c_char, *const c_char) -> *mut FILE;
    posix_spawn(*mut pid_t, *const c_char, Opaque, Opaque, Words, Words) -> c_int;
    posix_spawnp(*mut pid_t, *const c_char, Opaque, Opaque, Words, Words) -> c_int;
    posix_spawn_file_actions_adddup2(*mut c_void, c_int, c_int) -> c_int;
    execve(*const c_char, Words, Words) -> c_int;
    execv(*const c_char, Words) -> c_int;
    execvp(*const c_char, Words) -> c_int;
    execvpe(*const c_char, Words, Words) -> c_int;
    fexecve(c_int, Words, Words) -> c_int;
    execveat(c_int, *const c_char, Words, Words, c_int) -> c_int;
    prctl(c_int, usize, usize, usize, usize) -> c_int;
    syscall(c_long, usize, usize, usize, usize, usize, usize) -> c_long;
}

/// A variable of the environment. For the constructor: there is one thread then.
pub fn environment(name: &CStr) -> Option<&'static CStr> {
    // with another user's rights nothing that the user says counts: it would name a log file
    extern "C" {
        fn secure_getenv(name: *const c_char) -> *mut c_char;
    }
    // SAFETY: the name ends with a zero; what comes back is a C string, and it stays where it is
    // as nobody changes the environment yet.
    unsafe {
        let value = secure_getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

/// What the program is called: by whoever started it, and by its file. A script's is that of its
/// interpreter.
pub fn program_names() -> [Option<&'static [u8]>; 2] {
    [invocation_name(), file_name()]
}

pub fn invocation_name() -> Option<&'static [u8]> {
    extern "C" {
        static program_invocation_short_name: *const c_char;
    }
    // SAFETY: the C library has set it before any constructor, and the program leaves it alone.
    unsafe {
        let name = program_invocation_short_name;
        (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes())
    }
}

fn file_name() -> Option<&'static [u8]> {
    path()?.rsplit(|byte| *byte == b'/').next()
}

/// Of the program, as it was given to exec.
pub fn path() -> Option<&'static [u8]> {
    extern "C" {
        fn getauxval(kind: libc::c_ulong) -> libc::c_ulong;
    }
    // SAFETY: takes a number; what it gives for this one is a C string that the kernel put above
    // the stack, or 0.
    unsafe {
        let path = getauxval(libc::AT_EXECFN) as *const c_char;
        (!path.is_null()).then(|| CStr::from_ptr(path).to_bytes())
    }
}

/// Calls the C library before and after each fork() of the process.
pub fn on_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> bool {
    extern "C" {
        fn pthread_atfork(
            before: extern "C" fn(),
            in_parent: extern "C" fn(),
            in_child: extern "C" fn(),
        ) -> c_int;
    }
    // SAFETY: functions that live as long as the library, which is never unloaded.
    unsafe { pthread_atfork(before, in_parent, in_child) == 0 }
}

/// The number that a stream reads and writes.
///
/// # Safety
/// It must be an open stream.
pub unsafe fn number_of(stream: *mut FILE) -> c_int {
    extern "C" {
        fn fileno_unlocked(stream: *mut FILE) -> c_int;
    }
    // SAFETY: as the caller promises.
    unsafe { fileno_unlocked(stream) }
}

/// Writes out what a stream holds back; not if another thread is using it.
///
/// # Safety
/// It must be an open stream.
pub unsafe fn flush_if_idle(stream: *mut FILE) -> bool {
    extern "C" {
        fn ftrylockfile(stream: *mut FILE) -> c_int;
        fn funlockfile(stream: *mut FILE);
        fn fflush_unlocked(stream: *mut FILE) -> c_int;
    }
    // SAFETY: as the caller promises; it is locked while it is flushed.
    unsafe {
        if ftrylockfile(stream) != 0 {
            return false;
        }
        fflush_unlocked(stream);
        funlockfile(stream);
    }
    true
}

/// Whether it has something that is not written yet.
///
/// # Safety
/// It must be an open stream.
pub unsafe fn holds_back(stream: *mut FILE) -> bool {
    extern "C" {
        fn __fpending(stream: *mut FILE) -> libc::size_t;
    }
    // SAFETY: as the caller promises.
    unsafe { __fpending(stream) > 0 }
}

/// How glibc lists its streams (libio/libioP.h, exported since 2.2.5): a lock, and functions that go
/// from one to the next.
struct StreamList {
    lock: unsafe extern "C" fn(),
    unlock: unsafe extern "C" fn(),
    first: unsafe extern "C" fn() -> *mut FILE,
    next: unsafe extern "C" fn(*mut FILE) -> *mut FILE,
}

static STREAM_LIST: OnceLock<Option<StreamList>> = OnceLock::new();

#[cfg(any(not(feature = "link"), test))]
fn stream_list() -> Option<StreamList> {
    let found = [
        look_up("_IO_list_lock\0"),
        look_up("_IO_list_unlock\0"),
        look_up("_IO_iter_begin\0"),
        look_up("_IO_iter_next\0"),
    ];
    if found.contains(&0) {
        return None;
    }
    let [lock, unlock, first, next] = found;
    // SAFETY: the C library's functions of these names have these types.
    unsafe {
        Some(StreamList {
            lock: std::mem::transmute::<usize, unsafe extern "C" fn()>(lock),
            unlock: std::mem::transmute::<usize, unsafe extern "C" fn()>(unlock),
            first: std::mem::transmute::<usize, unsafe extern "C" fn() -> *mut FILE>(first),
            next: std::mem::transmute::<usize, unsafe extern "C" fn(*mut FILE) -> *mut FILE>(next),
        })
    }
}

#[cfg(all(feature = "link", not(test)))]
fn stream_list() -> Option<StreamList> {
    None
}

/// By the constructor: it may take the dynamic linker's lock.
pub fn find_streams() {
    let _ = STREAM_LIST.set(stream_list());
}

/// Calls `work` with each open stream; `false`: the C library does not list them. The list is locked
/// meanwhile, as exit() itself locks it a moment later.
pub fn each_stream(work: &mut dyn FnMut(*mut FILE)) -> bool {
    let Some(list) = STREAM_LIST.get().and_then(Option::as_ref) else {
        return false;
    };
    // SAFETY: a stream stays in the list as long as it is open, and the list does not change while it
    // is locked by another thread; this one goes on only from streams that are open.
    unsafe {
        (list.lock)();
        let mut stream = (list.first)();
        while !stream.is_null() {
            work(stream);
            stream = (list.next)(stream);
        }
        (list.unlock)();
    }
    true
}

/// Has `end` called when the process ends by exit(): after all that is registered later, and in a
/// library that is preloaded after the destructors of all other libraries. Those are called by a
/// function that the C library registers when all constructors of libraries have run.
#[cfg(all(not(feature = "link"), not(test)))]
pub fn at_the_end(end: extern "C" fn(*mut c_void)) {
    extern "C" {
        fn __cxa_atexit(
            end: extern "C" fn(*mut c_void),
            argument: *mut c_void,
            library: *mut c_void,
        ) -> c_int;
    }
    // SAFETY: the function lives as long as the library, which is never unloaded. Of no library: it is
    // not called when one is finalised.
    unsafe { __cxa_atexit(end, std::ptr::null_mut(), std::ptr::null_mut()) };
}

/// The streams that every program has.
pub fn standard_streams() -> [*mut FILE; 2] {
    extern "C" {
        static stdout: *mut FILE;
        static stderr: *mut FILE;
    }
    // SAFETY: the C library has set them before any constructor.
    unsafe { [stdout, stderr] }
}
