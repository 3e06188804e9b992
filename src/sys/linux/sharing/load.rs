//! What the program held when it was loaded. What it did not hold then is its own: those
//! who started it (init, a shell, a container's runtime) cannot have left it to it.

use super::folder::{self, link, Folder, Room};
use super::sought::{inode_in, Sought};
use super::stat::Stat;
use std::sync::OnceLock;

/// More than that, and all count as inherited.
const MOST: usize = 16;

struct Load {
    pid_namespace: u64,
    /// When the process began, in the unit of /proc/PID/stat; 0 if that is not known.
    began: u64,
    /// The sockets that were open then; `None` if not all of them are known.
    sockets: Option<[u64; MOST]>,
}

static LOAD: OnceLock<Load> = OnceLock::new();

// Miri does not know the system calls that this takes, and its tests ask for no holders.
#[used]
#[cfg_attr(not(miri), link_section = ".init_array")]
static ON_LOAD: extern "C" fn() = on_load;

/// Run by the dynamic linker, or by the C library in a static program.
extern "C" fn on_load() {
    let _ = LOAD.set(Load {
        pid_namespace: folder::namespace(b"pid"),
        began: Stat::of(libc::AT_FDCWD, b"/proc/self").map_or(0, |stat| stat.began),
        sockets: open_sockets(),
    });
}

fn open_sockets() -> Option<[u64; MOST]> {
    let fds = Folder::open(libc::AT_FDCWD, c"/proc/self/fd").ok()?;
    let folder = fds.number();
    let mut room = Room::new();
    let mut names = fds.names(&mut room);
    let (mut sockets, mut count) = ([0; MOST], 0);
    while let Some(name) = names.next_number().ok()? {
        let mut room = [0; 40];
        let target = link(folder, name, &mut room).ok()?;
        if let Some(inode) = inode_in(target) {
            *sockets.get_mut(count)? = inode;
            count += 1;
        }
    }
    Some(sockets)
}

/// When the process that loaded the program began. Its ancestors are older than that,
/// its descendants are not.
pub(super) fn began() -> u64 {
    LOAD.get().map_or(0, |load| load.began)
}

/// This socket may have been there then.
pub(super) fn had(socket: &Sought) -> bool {
    let sockets = LOAD.get().and_then(|load| load.sockets);
    sockets.map_or(true, |sockets| sockets.contains(&socket.inode))
}

/// The PID namespace of that process; 0 if it is not known.
pub(super) fn pid_namespace() -> u64 {
    LOAD.get().map_or(0, |load| load.pid_namespace)
}
