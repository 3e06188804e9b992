//! What a thread of ours needs in somebody else's process.

use super::system_dll::pin_this_module;
use super::{last_fault, syscall, ws, Socket};
use crate::clock::Time;
use crate::connection::{Connection, Ends, Fault, Indexed, Mark};
use crate::sys::Room;
use socket2::SockRef;
use std::ffi::c_void;
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::os::windows::io::BorrowedSocket;
use std::ptr::null;
use windows_sys::Win32::Foundation::{
    CloseHandle, SetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT,
};
use windows_sys::Win32::System::Threading::{
    CreateThread, GetCurrentThreadId, WaitForSingleObject, INFINITE,
    STACK_SIZE_PARAM_IS_A_RESERVATION,
};

/// There is no fork.
pub(crate) fn process_generation() -> usize {
    0
}

/// There is no fork.
pub(crate) fn when_forked(_: fn()) {}

/// The generation of a process that only borrows the memory: there is none.
pub(crate) const BORROWED: usize = usize::MAX;

/// A thread of ours in somebody else's process. It keeps the DLL loaded, for
/// FreeLibrary must not take the code away under it, and holds a reference of its
/// own to Winsock, for the program may call WSACleanup meanwhile. (A thread of
/// `std` would make the library a tenth larger.)
pub(crate) struct Thread {
    handle: HANDLE,
    id: u32,
}

// SAFETY: a handle may be used from any thread.
unsafe impl Send for Thread {}
// SAFETY: as above; nothing is changed through it.
unsafe impl Sync for Thread {}

/// What a thread runs.
type Body = Box<dyn FnOnce() + Send>;

unsafe extern "system" fn run_body(body: *mut c_void) -> u32 {
    // SAFETY: the pointer that `Thread::start` made, and handed to this thread.
    let body = unsafe { Box::from_raw(body.cast::<Body>()) };
    body();
    stop_winsock();
    0
}

/// A reference of our own; should there be none to be had, the next call says so.
fn start_winsock() {
    let mut data = ws::WSADATA::default();
    // SAFETY: `data` is what the function fills; version 2.2.
    unsafe { ws::WSAStartup(0x0202, &mut data) };
}

/// Gives it back: once for each [`start_winsock`].
fn stop_winsock() {
    // SAFETY: takes nothing.
    unsafe { ws::WSACleanup() };
}

impl Thread {
    /// Starts it with so much stack.
    pub(crate) fn start(stack: usize, body: Body) -> Result<Thread, Fault> {
        let room = Room::ask().ok_or(super::fault(ws::WSAENOBUFS))?;
        pin_this_module();
        start_winsock();
        let body = Box::into_raw(room.fill(body)).cast::<c_void>();
        let mut id = 0;
        // SAFETY: `run_body` takes the body over; `id` lives on this stack.
        let handle = unsafe {
            let reserve = STACK_SIZE_PARAM_IS_A_RESERVATION;
            CreateThread(null(), stack, Some(run_body), body, reserve, &mut id)
        };
        if handle.is_null() {
            // SAFETY: no thread has taken the body over.
            unsafe { drop(Box::from_raw(body.cast::<Body>())) };
            stop_winsock();
            return Err(super::fault(ws::WSAENOBUFS));
        }
        Ok(Thread { handle, id })
    }

    /// The caller is this thread.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: takes nothing.
        unsafe { GetCurrentThreadId() == self.id }
    }

    /// Nobody will join it; nothing is kept for that here.
    pub(crate) fn detach(&self) {}

    /// Waits until it has ended. Never by itself.
    pub(crate) fn join(&self) {
        // SAFETY: the handle is open until `self` is dropped.
        unsafe { WaitForSingleObject(self.handle, INFINITE) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: ours, and closed once; the thread itself goes on.
        unsafe { CloseHandle(self.handle) };
    }
}

/// Handles go by four.
impl Indexed for Socket {
    fn index(&self) -> usize {
        self.0 / 4
    }

    fn mark(&self) -> Option<Mark> {
        self.check().ok()
    }

    /// A handle is given out again at once, and nothing tells an old socket from a new one but
    /// their ends, while they are known.
    fn is_still(&self, mark: Mark) -> bool {
        self.check().is_ok_and(|now| now.may_be(mark))
    }
}

impl Socket {
    /// Children that the program starts from now on do not get it.
    pub(crate) fn keep_from_children(self) {
        // SAFETY: a number and flags; what is no handle makes it fail.
        unsafe { SetHandleInformation(self.0 as HANDLE, HANDLE_FLAG_INHERIT, 0) };
    }

    /// Whether it is a socket at all, and what tells it from a later one with the same handle.
    pub(crate) fn check(mut self) -> Result<Mark, Fault> {
        self.classify()?;
        Ok(self.ends_mark())
    }

    /// Not to be told here, or closing wakes it.
    pub(crate) fn may_be_blocked_on(self) -> bool {
        false
    }

    /// Not to be had cheaply here.
    pub(crate) fn is_tcp_connection(self) -> bool {
        false
    }

    /// Asked of what that has told of alone.
    pub(crate) fn is_quiet(self) -> bool {
        false
    }

    pub(crate) fn is_half_closed(self) -> bool {
        false
    }

    /// select() counts sockets here, not their numbers.
    pub(crate) fn out_of_the_way(self) -> Socket {
        self
    }

    pub(crate) fn higher_number(self) -> Option<Socket> {
        None
    }

    pub(crate) fn give_up_number(self) {}

    /// WSAAsyncSelect and WSAEventSelect are ended by [`Connection::prepare`].
    pub(crate) fn end_signals(self) -> Result<(), Fault> {
        Ok(())
    }

    /// Both addresses, for the log.
    pub(crate) fn ends(self) -> Ends {
        if self.0 == ws::INVALID_SOCKET {
            return Ends::default();
        }
        // SAFETY: borrowed for these calls only; a number that is not open makes
        // them fail.
        let borrowed = unsafe { BorrowedSocket::borrow_raw(self.0 as _) };
        let socket = SockRef::from(&borrowed);
        let internet = |address: std::io::Result<socket2::SockAddr>| address.ok()?.as_socket();
        Ends {
            local: internet(socket.local_addr()),
            peer: internet(socket.peer_addr()),
        }
    }
}

/// A datagram socket connected to itself: WSAPoll waits for sockets alone.
pub(crate) struct Bell {
    socket: Socket,
    /// Its port, at both ends: no other socket has that.
    port: u16,
}

impl Bell {
    /// Made by hand: socket2 starts Winsock with a socket of `std`, and drops that,
    /// by a closesocket that the program may have put in the place of the system's.
    pub(crate) fn new() -> Result<Bell, Fault> {
        start_winsock();
        // SAFETY: takes numbers only.
        let number = unsafe { ws::socket(i32::from(ws::AF_INET), ws::SOCK_DGRAM, 0) };
        if number == ws::INVALID_SOCKET {
            let fault = last_fault();
            stop_winsock();
            return Err(fault);
        }
        // From here on closed again if something fails.
        let mut bell = Bell {
            socket: Socket(number),
            port: 0,
        };
        bell.socket.keep_from_children();
        bell.connect_to_itself()?;
        bell.socket.set_nonblocking(true);
        bell.port = bell.own_port().unwrap_or(0);
        Ok(bell)
    }

    /// The port that it has at both ends, if it is connected to itself.
    fn own_port(&self) -> Option<u16> {
        let ends = self.socket.ends();
        let port = ends.local?.port();
        (ends.local == ends.peer).then_some(port)
    }

    /// The program has not closed it.
    pub(crate) fn is_ours(&self) -> bool {
        self.own_port() == Some(self.port)
    }

    fn connect_to_itself(&self) -> Result<(), Fault> {
        let mut address = ws::SOCKADDR_IN {
            sin_family: ws::AF_INET,
            ..Default::default()
        };
        address.sin_addr.S_un.S_addr = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
        let place = (&mut address as *mut ws::SOCKADDR_IN).cast::<ws::SOCKADDR>();
        let mut size = size_of::<ws::SOCKADDR_IN>() as i32;
        syscall!(ws::bind(self.socket.0, place, size))?;
        // the port that the system has chosen
        syscall!(ws::getsockname(self.socket.0, place, &mut size))?;
        syscall!(ws::connect(self.socket.0, place, size)).map(drop)
    }

    pub(crate) fn socket(&self) -> Socket {
        self.socket
    }

    pub(crate) fn ring(&self) {
        if self.is_ours() {
            // SAFETY: one byte from a static.
            unsafe { ws::send(self.socket.0, b"!".as_ptr(), 1, 0) };
        }
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0u8; 16];
        while self.is_ours() {
            // SAFETY: `bytes` is as large as said; non-blocking.
            let got = unsafe { ws::recv(self.socket.0, bytes.as_mut_ptr(), 16, 0) };
            if got <= 0 {
                return;
            }
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if self.is_ours() || self.port == 0 {
            let _ = self.socket.close_once();
        }
        stop_winsock();
    }
}

/// One entry for WSAPoll.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct PollEntry(ws::WSAPOLLFD);

impl PollEntry {
    pub(crate) fn readable(socket: Socket) -> PollEntry {
        PollEntry(ws::WSAPOLLFD {
            fd: socket.0,
            events: ws::POLLRDNORM,
            revents: 0,
        })
    }

    pub(crate) fn socket(&self) -> Socket {
        Socket(self.0.fd)
    }

    pub(crate) fn has_event(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits for any of them; whether it could be waited at all.
pub(crate) fn poll_many(entries: &mut [PollEntry], until: Time) -> bool {
    let limit = super::waiter::millis_until(until);
    // SAFETY: PollEntry is a WSAPOLLFD and nothing else; as many as said.
    let result = unsafe { ws::WSAPoll(entries.as_mut_ptr().cast(), entries.len() as u32, limit) };
    result != ws::SOCKET_ERROR || entries.iter().any(PollEntry::has_event)
}
