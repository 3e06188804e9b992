//! What the program held when it was loaded. What it did not hold then is its own: those
//! who started it (init, a shell, a container's runtime) cannot have left it to it.

use super::folder::{self, link, Folder};
use super::kin::Stat;
use super::{inode_in, Sought};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// More than that, and all count as inherited.
const MOST: usize = 16;

/// Written once, before `main` or by dlopen(), and only read after that.
struct Load {
    namespace: AtomicU64,
    /// When the process began, in the unit of /proc/PID/stat; 0 if that is not known.
    began: AtomicU64,
    sockets: [AtomicU64; MOST],
    count: AtomicUsize,
}

static LOAD: Load = Load {
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
    LOAD.namespace.store(folder::namespace(b"pid"), Relaxed);
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

/// The PID namespace of that process.
pub(super) fn namespace() -> u64 {
    LOAD.namespace.load(Relaxed)
}
