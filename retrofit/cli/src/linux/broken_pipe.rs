//! SIGPIPE: Rust ignores it before `main()`, and gives the default to what it starts. A program
//! of systemd's has it ignored, and would be killed then where it was not before.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static IS_IGNORED: AtomicBool = AtomicBool::new(false);

#[used]
#[link_section = ".init_array"]
static CONSTRUCTOR: extern "C" fn() = look;

/// As this command was given it.
extern "C" fn look() {
    // SAFETY: all zeroes is a valid sigaction; it is filled, and no new one is given.
    let action = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut action);
        action
    };
    IS_IGNORED.store(action.sa_sigaction == libc::SIG_IGN, Relaxed);
}

/// Passes it on to what the command starts.
pub fn keep(command: &mut Command) -> &mut Command {
    // SAFETY: signal() may be called between fork and exec, and nothing else is.
    unsafe {
        command.pre_exec(|| {
            if IS_IGNORED.load(Relaxed) {
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            }
            Ok(())
        })
    }
}
