//! syscall(): the way of libuv, and with it Node.js and uvloop.

use super::child::{with_environment, Program};
use super::{descriptors, epoll, openings, processes, refused_or, signals, sockets};
use crate::alone;
use crate::close;
use crate::exit;
use crate::process;
use crate::senders;
use crate::tcp;
use graceful_close_retrofit::observe::Call;
use libc::{c_int, c_long};

type Arguments = [usize; 6];

/// # Safety
/// As syscall(), of which no call takes more.
#[cfg_attr(not(test), no_mangle)]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let arguments = [a, b, c, d, e, f];
    if !process::is_awake() {
        return real(number, &arguments);
    }
    // SAFETY: the caller's own arguments.
    unsafe { noted(number, &arguments) }
}

fn real(number: c_long, a: &Arguments) -> c_long {
    super::real!(syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]))
}

/// A program; its environment is the argument of this number.
///
/// # Safety
/// As syscall().
unsafe fn started(program: &Program, number: c_long, a: &Arguments, environment: usize) -> c_long {
    let name = match program {
        Program::At(libc::AT_FDCWD, path) => *path,
        _ => std::ptr::null(),
    };
    // SAFETY: as the caller promises.
    unsafe {
        with_environment(program, a[environment] as _, &mut |other| {
            let mut changed = *a;
            changed[environment] = other as usize;
            processes::exec(name, || real(number, &changed)) as c_int
        })
        .into()
    }
}

/// # Safety
/// As syscall().
unsafe fn noted(number: c_long, a: &Arguments) -> c_long {
    let call = || real(number, a);
    let small = || call() as c_int;
    let [first, second, third] = [a[0] as c_int, a[1] as c_int, a[2] as c_int];
    match number {
        libc::SYS_close => refused_or(close::close(first, Call::Close, small)).into(),
        libc::SYS_dup => descriptors::duplicate(first, small).into(),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_dup2 => descriptors::replace(Call::Dup2, first, second, small).into(),
        libc::SYS_dup3 => descriptors::replace(Call::Dup3, first, second, small).into(),
        libc::SYS_fcntl if descriptors::makes_a_duplicate(second) => {
            descriptors::duplicate(first, small).into()
        }
        libc::SYS_fcntl => {
            descriptors::flags_change(first, second, a[2]);
            call()
        }
        libc::SYS_close_range => {
            // SAFETY: takes numbers.
            unsafe { descriptors::close_range(a[0] as u32, a[1] as u32, third) }.into()
        }
        libc::SYS_socket | libc::SYS_accept | libc::SYS_accept4 => sockets::make(small).into(),
        libc::SYS_connect => {
            sockets::connects(first);
            call()
        }
        libc::SYS_setsockopt => {
            tcp::option_is_set(second, third);
            call()
        }
        libc::SYS_shutdown => {
            let mut changed = *a;
            changed[1] = sockets::shut(first, second) as usize;
            real(number, &changed)
        }
        libc::SYS_sendmsg => {
            // SAFETY: the caller's message.
            unsafe { sockets::sends(a[1] as *const libc::msghdr) };
            call()
        }
        libc::SYS_recvmsg => {
            let result = call();
            if result >= 0 {
                // SAFETY: the caller's message, as the kernel left it.
                unsafe { sockets::received(a[1] as *const libc::msghdr) };
            }
            result
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_create => epoll::created(openings::number(small)).into(),
        libc::SYS_epoll_create1 => epoll::created(openings::number(small)).into(),
        libc::SYS_epoll_ctl => epoll::changed(first, second, third, small()).into(),
        libc::SYS_io_uring_setup => {
            senders::io_uring_in_use();
            openings::long_number(call)
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork => {
            processes::clones(0);
            call()
        }
        libc::SYS_unshare => {
            processes::unshares(a[0]);
            call()
        }
        libc::SYS_clone => {
            processes::clones(a[0]);
            call()
        }
        libc::SYS_clone3 => {
            // SAFETY: the first member of struct clone_args are its flags.
            processes::clones(
                unsafe { (a[0] as *const u64).as_ref() }.map_or(0, |flags| *flags as usize),
            );
            call()
        }
        libc::SYS_execve => {
            let program = Program::At(libc::AT_FDCWD, a[0] as _);
            // SAFETY: the caller's own arguments.
            unsafe { started(&program, number, a, 2) }
        }
        libc::SYS_execveat => {
            // SAFETY: the caller's own arguments.
            unsafe {
                let program = Program::in_folder(first, a[1] as _, a[4] as c_int);
                started(&program, number, a, 3)
            }
        }
        libc::SYS_rt_sigprocmask => signals::changes(call),
        // of the last thread it is the end of the process, with this status
        libc::SYS_exit if process::is_own() && !alone::may_have_others() => {
            exit::before_end(false);
            real(libc::SYS_exit_group, a)
        }
        libc::SYS_exit_group => {
            exit::before_end(false);
            call()
        }
        libc::SYS_setns => {
            processes::enters_namespace(a[1]);
            call()
        }
        libc::SYS_seccomp => {
            processes::confines(a[1] & libc::SECCOMP_FILTER_FLAG_TSYNC as usize != 0);
            call()
        }
        libc::SYS_prctl if first == libc::PR_SET_SECCOMP => {
            processes::confines(false);
            call()
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open | libc::SYS_pipe | libc::SYS_eventfd | libc::SYS_inotify_init => {
            openings::long_number(call)
        }
        libc::SYS_openat
        | libc::SYS_openat2
        | libc::SYS_pipe2
        | libc::SYS_socketpair
        | libc::SYS_eventfd2
        | libc::SYS_timerfd_create
        | libc::SYS_signalfd4
        | libc::SYS_inotify_init1
        | libc::SYS_memfd_create
        | libc::SYS_pidfd_open => openings::long_number(call),
        _ => call(),
    }
}
