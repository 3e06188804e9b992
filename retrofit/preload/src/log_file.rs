//! The file of the log: opened when the program starts, before it changes its user or its root;
//! opened anew when it has been renamed or removed; handed on through exec by a process that has
//! changed its user, as its program could not open it.

use crate::files::{self, FileId};
use crate::folder::{self, decimal, Folder};
use crate::own_fds;
use crate::signal_state;
use crate::sys;
use libc::c_int;
use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::OnceLock;

/// -1: nobody wants it.
static NUMBER: AtomicI32 = AtomicI32::new(-1);

/// Where it is, for those that open it anew.
static PLACE: OnceLock<Place> = OnceLock::new();

struct Place {
    path: [u8; ROOM],
    /// The path says something else in another root.
    root: FileId,
    /// By whom it was opened; `None`: it was handed on.
    user: Option<u32>,
}

const ROOM: usize = 1024;
/// A FIFO is not waited for: neither for a reader, nor for room.
const FLAGS: c_int = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_NONBLOCK;

pub fn open(path: &CStr) {
    let (number, user) = match sys::open_at(libc::AT_FDCWD, path, FLAGS) {
        Ok(low) => {
            let high = own_fds::duplicate(low);
            let _ = sys::close(low);
            (high, Some(sys::user()))
        }
        Err(_) => (handed_on(path), None),
    };
    let Some(number) = number else {
        return;
    };
    NUMBER.store(number, SeqCst);
    if let (Some(path), Some(root)) = (path_of(number), files::file_id(c"/")) {
        let _ = PLACE.set(Place { path, root, user });
    }
}

/// One that is open already, under one of the numbers that are ours.
fn handed_on(path: &CStr) -> Option<c_int> {
    let mut own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd").ok()?;
    let found = loop {
        let fd = folder::number(own.next().ok()??);
        if let Some(fd) = fd.filter(|fd| own_fds::may_be_ours(*fd) && is_at(*fd, path)) {
            break fd;
        }
    };
    own_fds::take_over(found).then_some(found)
}

fn is_at(fd: c_int, path: &CStr) -> bool {
    let path = path.to_bytes();
    path_of(fd).is_some_and(|found| {
        let found = CStr::from_bytes_until_nul(&found).map_or(&[][..], CStr::to_bytes);
        let before = found.strip_suffix(path);
        before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
    })
}

/// From the root on.
fn path_of(fd: c_int) -> Option<[u8; ROOM]> {
    let own = Folder::open(libc::AT_FDCWD, c"/proc/self/fd").ok()?;
    let (mut digits, mut path) = ([0u8; 12], [0u8; ROOM]);
    let size = sys::read_link(own.fd, decimal(fd, &mut digits), &mut path).ok()?;
    (path[0] == b'/' && size < ROOM).then_some(path)
}

pub fn number() -> c_int {
    NUMBER.load(SeqCst)
}

pub fn is_open() -> bool {
    number() >= 0
}

/// Its number is wanted by the program.
pub fn vacate() {
    let old = number();
    NUMBER.store(own_fds::duplicate(old).unwrap_or(-1), SeqCst);
    own_fds::close(old);
}

pub fn write(line: &[u8]) {
    let number = number();
    if number < 0 {
        return;
    }
    follow(number);
    let _ = signal_state::unpunished(|| sys::write(number, line));
}

/// After a rotation the path is another file's, or nobody's. The number stays: another thread may
/// be about to write.
fn follow(number: c_int) {
    let Some(place) = PLACE.get() else {
        return;
    };
    let Ok(path) = CStr::from_bytes_until_nul(&place.path) else {
        return;
    };
    let is_moved = files::file_id(path) != files::file_id_of(number);
    if is_moved && files::file_id(c"/") == Some(place.root) {
        if let Ok(new) = sys::open_at(libc::AT_FDCWD, path, FLAGS) {
            let _ = files::duplicate_onto(new, number);
            let _ = sys::close(new);
        }
    }
}

/// Before exec: the new program may not be able to open it.
pub fn hand_on() {
    let is_of_another = |place: &Place| place.user != Some(sys::user());
    if is_open() && PLACE.get().is_some_and(is_of_another) {
        files::close_by_exec(number(), false);
    }
}

/// Exec has failed.
pub fn take_back() {
    if is_open() {
        files::close_by_exec(number(), true);
    }
}
