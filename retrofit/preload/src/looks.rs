//! How often it is looked again whether somebody else holds a connection.

use crate::process;
use crate::scan;
use libc::c_int;

/// Two that close at the same moment see each other's duplicates: who has seen somebody looks
/// again after these many milliseconds. A process that ends waits for one look less, and of two
/// alike the one with the lower number gives up first, so that the other finds itself alone.
pub const LOOK_AGAIN_MS: [u64; 6] = [1, 4, 16, 64, 250, 1000];

/// So often it is looked again, as long as this one holds it.
pub fn looks_again(holder: c_int) -> usize {
    let is_ending = process::is_ending();
    if waits_for_us(holder) {
        return 0;
    }
    if !is_ending && scan::is_descendant(holder) {
        // It answers, and ends then: it gives up, and we find ourselves alone. Both must not give
        // up in the same moment.
        return LOOK_AGAIN_MS.len();
    }
    let gives_up_first = process::own_pid() < holder;
    LOOK_AGAIN_MS.len() - 1 - usize::from(is_ending) - usize::from(gives_up_first)
}

/// It has started us, and we end, or become another program, as soon as nothing is parked. It goes on with
/// the connection then; or it is about to close it, and looks longer than we do.
pub fn waits_for_us(holder: c_int) -> bool {
    (process::is_ending() || process::is_waiting()) && scan::is_ancestor(holder)
}
