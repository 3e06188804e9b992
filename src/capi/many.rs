//! Everything the program has, under one deadline.

use super::border::{catch, enter, Caught};
use super::close::{error_code, gc_socket, sink};
use super::convert;
use super::types::*;
use crate::closing::End;
use crate::many::Many;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::set::Indexed;
use crate::sys::{LastError, Socket};
use std::ffi::c_int;

/// Closes many connections gracefully under one deadline, on this thread.
///
/// socks are count descriptors; those that are none are told by their report
/// (GC_ERR_NOT_A_SOCKET) and disturb nobody. No descriptor may stand in it twice.
/// reports may be NULL or an array of count, each set up by GC_REPORT_INIT; all
/// of the struct_size of the first. options as in gc_close_with(); on_data gets
/// the data of all of them, one call at a time.
///
/// Returns how many ended GC_GRACEFUL, or an error, and all sockets are untouched
/// and yours: GC_ERR_ARGUMENT, GC_ERR_RESOURCES. Any thread.
#[no_mangle]
pub unsafe extern "C" fn gc_close_many(
    socks: *const gc_socket,
    count: usize,
    options: *const gc_options,
    reports: *mut gc_report,
) -> c_int {
    if count == 0 {
        return 0;
    }
    if socks.is_null() || count > isize::MAX as usize / std::mem::size_of::<gc_report>() {
        return refuse(GC_ERR_ARGUMENT, LastError::ARGUMENT);
    }
    // SAFETY: the caller vouches for so many descriptors.
    let socks = unsafe { std::slice::from_raw_parts(socks, count) };
    // SAFETY: the caller vouches for the pointer and its struct_size.
    let (Ok((options, raw)), Ok(reports)) = (unsafe { convert::options(options) }, unsafe {
        convert::ReportsOut::new(reports, count)
    }) else {
        return refuse(GC_ERR_ARGUMENT, LastError::ARGUMENT);
    };
    match has_doubles(socks) {
        Ok(false) => {}
        Ok(true) => return refuse(GC_ERR_ARGUMENT, LastError::ARGUMENT),
        Err(_) => return refuse(GC_ERR_RESOURCES, LastError::RESOURCES),
    }
    enter(|| close_many(socks, &options, &raw, &reports))
}

fn close_many(
    socks: &[gc_socket],
    options: &Options,
    raw: &gc_options,
    reports: &convert::ReportsOut,
) -> (c_int, Option<i32>) {
    let Ok(mut many) = Many::new(socks.iter().map(|&sock| Socket(sock)), options) else {
        return (GC_ERR_RESOURCES, Some(LastError::RESOURCES));
    };
    if reports.is_null() {
        many.nobody_asks();
    }
    let run = catch(|| match raw.on_data {
        None => many.run(&mut None),
        Some(on_data) => many.run(&mut Some(&mut sink((on_data, raw.user)))),
    });
    let mut graceful = 0;
    for (at, one) in many.all().iter().enumerate() {
        let (code, outcome) = match one.end() {
            Some(End::Outcome(outcome)) => (outcome as c_int, outcome),
            Some(End::Refused(fault)) => (error_code(fault), Outcome::Uncertain),
            None => (GC_ERR_INTERNAL, Outcome::Uncertain),
        };
        graceful += c_int::from(code == GC_GRACEFUL);
        reports.write(at, code, &one.report(outcome));
    }
    match run {
        Ok(()) => (graceful, None),
        Err(Caught) => (GC_ERR_INTERNAL, None),
    }
}

/// Whether a descriptor stands in there twice. Gaps in the program's table,
/// marked by -1 (INVALID_SOCKET), may; so may numbers that can be none.
fn has_doubles(socks: &[gc_socket]) -> Result<bool, std::collections::TryReserveError> {
    const LARGEST: usize = 1 << 24;
    let indices = || {
        socks
            .iter()
            .map(|&sock| Socket(sock).index())
            .filter(|&at| at < LARGEST)
    };
    let words = indices().max().map_or(0, |largest| largest / 64 + 1);
    let mut seen = Vec::new();
    seen.try_reserve_exact(words)?;
    seen.resize(words, 0u64);
    Ok(indices().any(|at| {
        let (word, bit) = (&mut seen[at / 64], 1 << (at % 64));
        let twice = *word & bit != 0;
        *word |= bit;
        twice
    }))
}

fn refuse(code: c_int, error: i32) -> c_int {
    LastError::set(error);
    code
}
