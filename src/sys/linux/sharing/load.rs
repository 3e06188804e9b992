//! What the program held when it was loaded. What it did not hold then is its own: those
//! who started it (init, a shell, a container's runtime) cannot have left it to it.

use super::folder::{link, namespace, Folder};
use super::kin::Stat;
use super::{inode_in, Sought};
use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// More than that, and all count as inherited.
const MOST: usize = 16;

const PIDS: &CStr = c"/proc/self/ns/pid";

/// Written once, before `main` or by dlopen(), and only read after that.
struct Load {
    process: AtomicI32,
    namespace: AtomicU64,
    /// When the process began, in the unit of /proc/PID/stat; 0 if that is not known.
    began: AtomicU64,
    sockets: [AtomicU64; MOST],
    count: AtomicUsize,
}

static LOAD: Load = Load {
    process: AtomicI32::new(0),
    namespace: AtomicU64::new(0),
    began: AtomicU64::new(0),
    sockets: [const { AtomicU64::new(0) }; MOST],
    count: AtomicUsize::new(usize::MAX),
};

#[used]
#[link_section = ".init_array"]
static ON_LOAD: extern "C" fn() = on_load;

/// Run by the dynamic linker, or by the C library in a static program.
extern "C" fn on_load() {
    // SAFETY: takes nothing.
    LOAD.process.store(unsafe { libc::getpid() }, Relaxed);
    LOAD.namespace.store(namespace(PIDS), Relaxed);
    let began = Stat::of(libc::AT_FDCWD, b"/proc/self").map_or(0, |stat| stat.began);
    LOAD.began.store(began, Relaxed);
    LOAD.count.store(inherited().unwrap_or(usize::MAX), Relaxed);
}

/// Notes the sockets that are open now; how many there are, if that can be told.
fn inherited() -> Option<usize> {
    let mut fds = Folder::open(libc::AT_FDCWD, c"/proc/self/fd").ok()?;
    let folder = fds.number();
    let mut count = 0;
    while let Some(name) = fds.next_number().ok()? {
        let mut room = [0; 40];
        let target = link(folder, name, &mut room).ok()?;
        if let Some(inode) = inode_in(target) {
            LOAD.sockets.get(count)?.store(inode, Relaxed);
            count += 1;
        }
    }
    Some(count)
}

/// When the process that loaded the program began. Its ancestors are older than that,
/// its descendants are not.
pub(super) fn began() -> u64 {
    LOAD.began.load(Relaxed)
}

/// This socket may have been there then.
pub(super) fn had(socket: &Sought) -> bool {
    let count = LOAD.count.load(Relaxed);
    let known = LOAD.sockets.get(..count);
    known.map_or(true, |known| {
        known.iter().any(|one| one.load(Relaxed) == socket.inode)
    })
}

/// The program was loaded by this process, not by one that it was forked from.
pub(super) fn was_here() -> bool {
    // SAFETY: takes nothing.
    let is_same = unsafe { libc::getpid() } == LOAD.process.load(Relaxed);
    // In another namespace another process may have the same number.
    is_same && namespace(PIDS) == LOAD.namespace.load(Relaxed)
}
