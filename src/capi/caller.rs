//! Who called, in the log; and which functions a program calls: behind the last one of them on the
//! stack the program begins.

use super::close::*;
use super::closing::*;
use super::info::gc_get_stats;
use super::many::gc_close_many;
use super::reaper::*;
use crate::log;
use std::ffi::c_int;

/// Has each line of gc_set_log() end with who called, if on is not 0. At first it is off.
///
///   10.0.0.1:80 -> 10.0.0.2:4711: timed out after 5000 ms, 0 bytes drained, 7 unacked; caller:
///   server+0x1234 < server+0x2210 < libc.so.6+0x2724a
///
/// (in one line): where the program called the function of the library, the caller of that
/// function of the program, and so on: 6 at most, the innermost first. Each is the name of a
/// file, and the offset of the return address: into the file (ELF), or from the beginning of
/// its image (PE). The command graceful-close observe --add-log FILE finds functions and lines
/// for them. For a close that ended in the background it is who handed the socket over.
///
/// The line keeps its 511 bytes: callers for which there is no room are left out. Nothing is
/// added where the stack cannot be walked, and for what was handed over before there was a log.
/// (A static program of musl-gcc is linked with -Wl,--eh-frame-hdr for it.)
///
/// While it is on, and there is a log, each close looks at the stack (some microseconds), and
/// takes about 80 bytes from the heap until it has ended; without memory its line goes without.
/// Off, it costs nothing. Any thread; closes under way keep what they have.
#[no_mangle]
pub extern "C" fn gc_set_log_caller(on: c_int) {
    log::set_entries(is_entry);
    log::set_log_caller(on != 0);
}

macro_rules! is_one_of {
    ($address:expr, $($function:ident)*) => {
        [$($function as *const () as usize),*]
            .iter()
            .any(|begin| $crate::capi::caller::same($address, *begin))
    };
}
#[cfg(all(windows, target_arch = "x86"))]
pub(super) use is_one_of;

/// Whether one begins there. Functions that no line of the log can come from are left out.
pub(super) fn is_entry(address: usize) -> bool {
    is_one_of!(address,
        gc_abort gc_close gc_close_async gc_close_async_with gc_close_many gc_close_with
        gc_closesocket gc_closing_free gc_closing_new gc_closing_report gc_closing_step gc_finish
        gc_flush gc_flush_at_exit gc_get_stats gc_reaper_close gc_reaper_flush gc_reaper_free
        gc_reaper_new
    )
}

/// On 32-bit ARM the lowest bit of a function's address says how its code is written.
pub(super) fn same(one: usize, other: usize) -> bool {
    let bits = if cfg!(target_arch = "arm") { !1 } else { !0 };
    one & bits == other & bits
}

#[cfg(test)]
mod tests {
    use super::is_entry;

    #[test]
    fn a_function_is_told_by_its_beginning() {
        assert!(is_entry(super::gc_close as *const () as usize));
        assert!(!is_entry(super::gc_close as *const () as usize + 2));
        assert!(!is_entry(super::gc_set_log_caller as *const () as usize));
    }

    /// With those that have no line: they close nothing and refuse nothing.
    #[test]
    fn every_function_is_there() {
        const SILENT: [&str; 11] = [
            "gc_closing_socket",
            "gc_closing_timeout_ms",
            "gc_closing_wants_read",
            "gc_outcome_name",
            "gc_reaper_pending",
            "gc_set_default_timeout",
            "gc_set_exit_timeout",
            "gc_set_log",
            "gc_set_log_caller",
            "gc_version_number",
            "gc_version_string",
        ];
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/abi/symbols.txt");
        // not in the package of the crate
        let Ok(list) = std::fs::read_to_string(list) else {
            return;
        };
        let (_, here) = include_str!("caller.rs")
            .split_once("is_one_of!(address,")
            .unwrap();
        let (here, _) = here.split_once(')').unwrap();
        let mut all: Vec<&str> = here.split_whitespace().chain(SILENT).collect();
        all.sort_unstable();
        let names = list.lines().filter(|line| !line.contains([' ', '#']));
        assert_eq!(all, names.collect::<Vec<_>>());
    }
}
