//! What Linux, macOS and the BSDs have in common.

use crate::clock::{Clock, SystemClock, Time};
use crate::connection::{
    Answer, Connection, Ends, Fault, FaultKind, Indexed, Kind, Mark, Received, Sharing,
};
use libc::{c_int, c_short, c_void, socklen_t};
use socket2::SockRef;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub(crate) type RawSocket = RawFd;
pub(crate) type OwnedSocket = OwnedFd;

/// A descriptor, by its number alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket(pub(crate) RawFd);

/// Calls the system; -1 becomes the [`Fault`] that `errno` stands for.
macro_rules! syscall {
    ($call:expr) => {{
        // SAFETY: the arguments are plain numbers, or pointers to objects that
        // outlive the call together with their true size. A descriptor that is
        // not open, or is something else, makes the call fail with EBADF or
        // ENOTSOCK; it touches no memory of ours.
        let result = unsafe { $call };
        if result == -1 {
            Err($crate::sys::unix::last_fault())
        } else {
            Ok(result)
        }
    }};
}
pub(super) use syscall;

/// Lets an owner forget a descriptor that has been closed.
pub(crate) fn disown(socket: OwnedSocket) {
    let _ = socket.into_raw_fd();
}

/// What `errno` means to a close.
pub(super) fn fault(code: i32) -> Fault {
    let kind = match code {
        libc::EBADF | libc::ENOTSOCK => FaultKind::NotASocket,
        // EINVAL: FreeBSD and macOS say so of a stream that never had a peer,
        // Linux of an AF_UNIX one. ECONNREFUSED: the connect failed.
        libc::ENOTCONN | libc::EINVAL | libc::ECONNREFUSED => FaultKind::NotConnected,
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ESHUTDOWN => FaultKind::Reset,
        libc::ETIMEDOUT
        | libc::EHOSTUNREACH
        | libc::ENETUNREACH
        | libc::ENETDOWN
        | libc::EHOSTDOWN
        | libc::ENETRESET => FaultKind::Lost,
        _ => FaultKind::Other,
    };
    Fault { kind, code }
}

pub(super) fn last_fault() -> Fault {
    fault(LastError::get())
}

/// The calling thread's `errno`.
pub(crate) struct LastError;

impl LastError {
    /// The number for a wrong argument.
    pub(crate) const ARGUMENT: i32 = libc::EINVAL;
    /// For want of memory, a descriptor or a thread.
    pub(crate) const RESOURCES: i32 = libc::ENOMEM;
    /// For a reaper that is not at work any more.
    pub(crate) const STOPPED: i32 = libc::ECANCELED;
    /// For a program that has not started the system's sockets.
    pub(crate) const NOT_STARTED: Option<i32> = None;

    pub(crate) fn get() -> i32 {
        // SAFETY: the location is the calling thread's own and always there.
        unsafe { *errno_location() }
    }

    pub(crate) fn set(code: i32) {
        // SAFETY: as above.
        unsafe { *errno_location() = code }
    }
}

/// Where the thread's `errno` lives.
fn errno_location() -> *mut c_int {
    // SAFETY: takes nothing, returns a pointer that is valid in this thread.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
    }
}

/// Holds off `pthread_cancel` while it lives: unwinding by cancellation out of
/// the middle of a close would leak the socket. A request that came meanwhile
/// is honoured at the program's next cancellation point.
pub(crate) struct CancelGuard(#[cfg_attr(target_os = "android", allow(dead_code))] c_int);

/// PTHREAD_CANCEL_DISABLE; 1 on Linux (glibc, musl), FreeBSD's value is 1 too,
/// macOS has 0.
#[cfg(not(any(target_vendor = "apple", target_os = "android")))]
const CANCEL_DISABLE: c_int = 1;
#[cfg(target_vendor = "apple")]
const CANCEL_DISABLE: c_int = 0;

#[cfg(not(target_os = "android"))]
extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

impl CancelGuard {
    #[cfg(not(target_os = "android"))]
    pub(crate) fn hold() -> CancelGuard {
        let mut old = CANCEL_DISABLE;
        // SAFETY: `old` is a valid place for the previous state.
        unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut old) };
        CancelGuard(old)
    }

    /// Android has no thread cancellation.
    #[cfg(target_os = "android")]
    pub(crate) fn hold() -> CancelGuard {
        CancelGuard(0)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        #[cfg(not(target_os = "android"))]
        {
            let mut unused = 0;
            // SAFETY: `self.0` is a state that the system itself gave.
            unsafe { pthread_setcancelstate(self.0, &mut unused) };
        }
    }
}

/// The pause where even waiting is refused.
const REFUSED_NAP: Duration = Duration::from_millis(20);

/// So often receiving is tried again after EINTR.
const INTERRUPTIONS: u32 = 8;

/// So many numbers select() can take.
pub(super) const FD_SETSIZE: c_int = 1024;

impl Indexed for Socket {
    fn index(&self) -> usize {
        self.0 as usize
    }

    fn mark(&self) -> Option<Mark> {
        super::system::mark(*self)
    }

    fn is_still(&self, mark: Mark) -> bool {
        super::system::is_still(*self, mark)
    }
}

impl Socket {
    /// The number of an owned socket; it stays the owner's.
    pub(crate) fn of(owner: &OwnedSocket) -> Socket {
        Socket(owner.as_raw_fd())
    }

    /// The type of a socket, where the connection's state cannot be had.
    pub(crate) fn kind_by_type(self) -> Result<Kind, Fault> {
        match self.option(libc::SOL_SOCKET, libc::SO_TYPE)? {
            libc::SOCK_STREAM => Ok(Kind::Stream),
            _ => Ok(Kind::Other),
        }
    }

    /// An option whose value is an `int`.
    pub(super) fn option(self, level: c_int, name: c_int) -> Result<c_int, Fault> {
        let mut value: c_int = 0;
        let mut size = size_of::<c_int>() as socklen_t;
        syscall!(libc::getsockopt(
            self.0,
            level,
            name,
            (&mut value as *mut c_int).cast(),
            &mut size
        ))?;
        Ok(value)
    }

    pub(super) fn set_option(self, level: c_int, name: c_int, value: c_int) -> Result<(), Fault> {
        syscall!(libc::setsockopt(
            self.0,
            level,
            name,
            (&value as *const c_int).cast(),
            size_of::<c_int>() as socklen_t
        ))?;
        Ok(())
    }

    pub(super) fn has_peer(self) -> bool {
        // SAFETY: borrowed for this call only; a number that is not open makes
        // it fail. It is not -1: the socket has been classified.
        let fd = unsafe { BorrowedFd::borrow_raw(self.0) };
        SockRef::from(&fd).peer_addr().is_ok()
    }

    /// SO_LINGER, before any half-close: macOS and Solaris refuse it after.
    pub(super) fn set_linger(self, on: bool) {
        let linger = libc::linger {
            l_onoff: c_int::from(on),
            l_linger: 0,
        };
        // A refusal leaves an ordinary close, which is the best there is then.
        let _ = syscall!(libc::setsockopt(
            self.0,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&linger as *const libc::linger).cast(),
            size_of::<libc::linger>() as socklen_t
        ));
    }

    pub(super) fn shutdown(self, how: c_int) -> Result<(), Fault> {
        syscall!(libc::shutdown(self.0, how)).map(drop)
    }

    pub(super) fn recv(self, buffer: *mut c_void, size: usize, flags: c_int) -> Received {
        for _ in 0..INTERRUPTIONS {
            // MSG_DONTWAIT: O_NONBLOCK is shared with other holders, hands off.
            match syscall!(libc::recv(self.0, buffer, size, flags | libc::MSG_DONTWAIT)) {
                Ok(0) => return Received::End,
                Ok(bytes) => return Received::Bytes(bytes as usize),
                Err(fault) if fault.code == libc::EINTR => continue,
                Err(fault) if fault.code == libc::EAGAIN || fault.code == libc::EWOULDBLOCK => {
                    return Received::Empty;
                }
                Err(fault) => return Received::Failed(fault),
            }
        }
        // What waits looks at the clock.
        Received::Empty
    }

    pub(super) fn take_error(self) -> Answer<Fault> {
        match self.option(libc::SOL_SOCKET, libc::SO_ERROR)? {
            0 => Ok(None),
            code => Ok(Some(fault(code))),
        }
    }

    /// Wakes threads that are blocked in recv on it: close() does not, and
    /// while they sleep the connection stays.
    pub(super) fn wake_readers(self) {
        let _ = self.shutdown(libc::SHUT_RD);
    }

    /// Children that the program starts from now on do not get it.
    pub(crate) fn keep_from_children(self) {
        let _ = syscall!(libc::fcntl(self.0, libc::F_SETFD, libc::FD_CLOEXEC));
    }

    /// Moves it above what select() can take, if there is room, so that the
    /// program gets its low number back.
    pub(crate) fn out_of_the_way(self) -> Socket {
        match self.higher_number() {
            Some(high) => {
                let _ = super::system::close_raw(self.0);
                high
            }
            None => self,
        }
    }

    /// A second number for it above what select() can take, which no child gets.
    pub(crate) fn higher_number(self) -> Option<Socket> {
        if self.0 >= FD_SETSIZE {
            return None;
        }
        let high = syscall!(libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, FD_SETSIZE));
        high.ok().map(Socket)
    }

    /// Gives one of two numbers of ours back.
    pub(crate) fn give_up_number(self) {
        let _ = super::system::close_raw(self.0);
    }

    /// Ends what the program was to be told of by signals: SIGIO, also under another number
    /// (F_SETSIG), and SIGURG. They belong to the open connection, not to the number: another
    /// holder may want them. Fails only if looking for that one took so long that the number
    /// has become another one's.
    pub(crate) fn end_signals(mut self) -> Result<(), Fault> {
        match syscall!(libc::fcntl(self.0, libc::F_GETOWN)) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        match self.sharing(SystemClock.now()) {
            Sharing::Alone => {}
            Sharing::Unknown(gone) if gone.kind == FaultKind::NotASocket => return Err(gone),
            Sharing::Shared | Sharing::Unknown(_) => return Ok(()),
        }
        if let Ok(flags) = syscall!(libc::fcntl(self.0, libc::F_GETFL)) {
            let _ = syscall!(libc::fcntl(self.0, libc::F_SETFL, flags & !libc::O_ASYNC));
        }
        let _ = syscall!(libc::fcntl(self.0, libc::F_SETOWN, 0));
        Ok(())
    }

    /// Both addresses, for the log.
    pub(crate) fn ends(self) -> Ends {
        if self.0 < 0 {
            return Ends::default();
        }
        // SAFETY: borrowed for these calls only; a number that is not open makes
        // them fail.
        let fd = unsafe { BorrowedFd::borrow_raw(self.0) };
        let socket = SockRef::from(&fd);
        let internet = |address: std::io::Result<socket2::SockAddr>| address.ok()?.as_socket();
        Ends {
            local: internet(socket.local_addr()),
            peer: internet(socket.peer_addr()),
        }
    }

    /// Waits until it can be read, or the time is up; a signal may end it early.
    /// What poll() says of it.
    pub(super) fn poll_readable(self, until: Time) -> c_short {
        let mut entry = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN,
            revents: 0,
        };
        if !poll(std::slice::from_mut(&mut entry), until) {
            // A signal; or it is refused (RLIMIT_NOFILE is 0), and this would spin.
            nap(until.min(SystemClock.now().plus_millis(1)));
        }
        entry.revents
    }
}

/// Sleeps until then, or until the descriptor can be read; whether it can.
#[allow(dead_code)] // only where the poller has such a bell
pub(super) fn nap_on(fd: RawFd, until: Time) -> bool {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    poll(std::slice::from_mut(&mut entry), until);
    entry.revents != 0
}

/// Sleeps until the time is up; a signal may end it early.
pub(super) fn nap(until: Time) {
    let began = SystemClock.now();
    if !poll(&mut [], until) && LastError::get() != libc::EINTR {
        // Refused (a seccomp filter): every wait would spin.
        std::thread::sleep(until.since(began).min(REFUSED_NAP));
    }
}

/// Never returns before `until` for want of an event, bar a signal. Not ppoll(): stopped and
/// continued (SIGSTOP, a debugger, cpulimit) it goes on with the time that was left when it was
/// stopped, while poll() has a point in time (kernel/restart, do_restart_poll).
pub(super) fn poll(entries: &mut [libc::pollfd], until: Time) -> bool {
    let limit = millis_until(until);
    let count = entries.len() as libc::nfds_t;
    syscall!(libc::poll(entries.as_mut_ptr(), count, limit)).is_ok()
}

/// The time left for calls that count whole milliseconds: rounded up, so never
/// early; -1 for ever.
pub(super) fn millis_until(until: Time) -> c_int {
    match until.millis_from(SystemClock.now()) {
        None => -1,
        Some(ms) => c_int::try_from(ms).unwrap_or(c_int::MAX),
    }
}
