//! Everything the program has, under one deadline.

use super::call::{call, catch, tell};
use super::close::sink;
use super::error::{Refusal, Wrong};
use super::layout;
use super::types::*;
use crate::connection::Indexed;
use crate::drive::many::Many;
use crate::machine::End;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::sys::Socket;
use std::ffi::c_int;

/// Closes many connections gracefully under one deadline, on this thread.
///
/// socks is an array of count descriptors. An entry that is not a socket gets a report
/// with GC_ERR_NOT_A_SOCKET; the other entries are closed all the same. No descriptor may
/// stand in the array twice.
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
    call(NAME, None, || {
        if count == 0 {
            return Ok(0);
        }
        if socks.is_null() {
            return Err(Wrong::Null("socks").into());
        }
        if count > isize::MAX as usize / std::mem::size_of::<gc_report>() {
            return Err(Wrong::Count(count).into());
        }
        // SAFETY: the caller vouches for so many descriptors.
        let socks = unsafe { std::slice::from_raw_parts(socks, count) };
        // SAFETY: the caller vouches for the pointer and its struct_size.
        let (options, raw) = unsafe { layout::options(options) }?;
        // SAFETY: likewise.
        let reports = unsafe { layout::ReportsOut::new(reports, count) }?;
        match first_double(socks) {
            Ok(None) => close_many(socks, &options, &raw, &reports),
            Ok(Some(sock)) => Err(Wrong::Twice(sock).into()),
            Err(_) => Err(Refusal::NO_MEMORY),
        }
    })
}

const NAME: &str = "gc_close_many";

fn close_many(
    socks: &[gc_socket],
    options: &Options,
    raw: &gc_options,
    reports: &layout::ReportsOut,
) -> Result<c_int, Refusal> {
    let sockets = socks.iter().map(|&sock| Socket(sock));
    let mut many = Many::new(sockets, options).map_err(|_| Refusal::NO_MEMORY)?;
    if reports.is_null() {
        many.skip_final_count();
    }
    let run = catch(|| match raw.on_data {
        None => many.run(&mut None),
        Some(on_data) => many.run(&mut Some(&mut sink((on_data, raw.user)))),
    });
    let mut graceful = 0;
    for (at, (one, &sock)) in many.all().iter().zip(socks).enumerate() {
        let (code, outcome) = match one.end() {
            Some(End::Outcome(outcome)) => (outcome as c_int, outcome),
            Some(End::Refused(fault)) => {
                let refusal = Refusal::System(fault);
                tell(NAME, Some(sock), refusal);
                (refusal.number(), Outcome::Uncertain)
            }
            None => (GC_ERR_INTERNAL, Outcome::Uncertain),
        };
        graceful += c_int::from(code == GC_GRACEFUL);
        reports.write(at, code, &one.report(outcome));
    }
    run.map(|()| graceful)
}

/// A descriptor that stands in there twice. Gaps in the program's table,
/// marked by -1 (INVALID_SOCKET), may; so may numbers that can be none.
fn first_double(
    socks: &[gc_socket],
) -> Result<Option<gc_socket>, std::collections::TryReserveError> {
    const LARGEST: usize = 1 << 24;
    let indices = || {
        let index = |sock: gc_socket| (sock, Socket(sock).index());
        let indices = socks.iter().map(move |&sock| index(sock));
        indices.filter(|&(_, at)| at < LARGEST)
    };
    let largest = indices().map(|(_, at)| at).max();
    let words = largest.map_or(0, |largest| largest / 64 + 1);
    let mut seen = Vec::new();
    seen.try_reserve_exact(words)?;
    seen.resize(words, 0u64);
    let double = indices().find(|&(_, at)| {
        let (word, bit) = (&mut seen[at / 64], 1 << (at % 64));
        let twice = *word & bit != 0;
        *word |= bit;
        twice
    });
    Ok(double.map(|(sock, _)| sock))
}

#[cfg(test)]
mod tests {
    use super::{first_double, gc_socket};

    /// What an index of the system is: on Windows handles are multiples of 4.
    const STEP: gc_socket = if cfg!(windows) { 4 } else { 1 };

    fn double(numbers: &[gc_socket]) -> Option<gc_socket> {
        let socks: Vec<_> = numbers.iter().map(|number| number * STEP).collect();
        let found = first_double(&socks).expect("memory");
        found.map(|sock| sock / STEP)
    }

    #[test]
    fn what_stands_there_twice_is_found() {
        let all: Vec<_> = (0..300).collect();
        assert_eq!(double(&[]), None);
        assert_eq!(double(&all), None);
        for twice in [0, 1, 63, 64, 65, 127, 128, 299] {
            assert_eq!(double(&[all.as_slice(), &[twice]].concat()), Some(twice));
        }
    }

    /// Gaps in the program's table, and what is larger than any number that a system gives.
    #[test]
    fn numbers_that_can_be_none_may_stand_there_twice() {
        assert_eq!(first_double(&[!0, !0, 7 * STEP, !0]), Ok(None));
        const LARGEST: gc_socket = 1 << 24;
        assert_eq!(double(&[LARGEST, LARGEST]), None);
        assert_eq!(double(&[LARGEST - 1, 5, LARGEST - 1]), Some(LARGEST - 1));
    }
}
