//! Connections that a program gets that is started: they are not close-on-exec. The first three numbers
//! are those that a program is given on purpose.

use super::sites::site;
use super::{callers, mapping};
use crate::fd_table;
use crate::process;
use crate::sys;
use crate::tcp::{self, State};
use graceful_close_retrofit::observe::{Call, Counter, Site};
use libc::c_int;

/// What was counted before a start that may fail.
pub struct HandedOn {
    counted: Option<(&'static Site, u64)>,
}

/// Also in a child of vfork(), which has its parent's table, and numbers of its own.
pub fn hands_on(call: Call) -> HandedOn {
    let nothing = HandedOn { counted: None };
    if mapping::table().is_none() || !process::is_awake() {
        return nothing;
    }
    let noted = fd_table::numbers_from(libc::STDERR_FILENO + 1);
    let count = noted
        .filter(|(fd, entry)| entry.word() != fd_table::Word::default() && is_handed_on(*fd))
        .count() as u64;
    if count == 0 {
        return nothing;
    }
    let Some((_, site)) = site(call, &callers::capture()) else {
        return nothing;
    };
    site.add(Counter::HandedOn, count);
    HandedOn {
        counted: Some((site, count)),
    }
}

fn is_handed_on(fd: c_int) -> bool {
    let closes = libc::FD_CLOEXEC as usize;
    let stays = sys::descriptor_flags(fd).is_ok_and(|flags| flags & closes == 0);
    stays && matches!(tcp::state(fd, false), Ok(State::Connected { .. }))
}

impl HandedOn {
    /// Nothing was started.
    pub fn take_back(self) {
        if let Some((site, count)) = self.counted {
            site.take_back(Counter::HandedOn, count);
        }
    }
}
