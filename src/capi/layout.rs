//! Between the C structs and the Rust ones.

use super::error::{Layout, Wrong};
use super::types::*;
use crate::options::{Fallback, IfShared, Options, DEFAULT_BACKGROUND_MS};
use crate::report::Report;
use std::mem::{offset_of, size_of, zeroed};
use std::ptr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// GC_UNKNOWN: a count that this system cannot tell.
pub(super) const UNKNOWN: usize = usize::MAX;

/// No struct of ours grows beyond this; a larger size is garbage, and looking
/// through so much of it for zeroes would leave the caller's memory.
const LARGEST: usize = 1024;

/// The caller's options in both shapes; NULL means the defaults.
///
/// # Safety
/// `from` is NULL or points to as many readable bytes as its `struct_size` says.
pub(super) unsafe fn options(from: *const gc_options) -> Result<(Options, gc_options), Wrong> {
    // SAFETY: all zeroes is a valid gc_options: numbers, and pointers that may
    // be NULL.
    let mut raw: gc_options = unsafe { zeroed() };
    raw.timeout_ms = crate::options::DEFAULT_TIMEOUT_MS;
    // SAFETY: any bytes make a valid gc_options; the caller vouches for the rest.
    unsafe { read(from, &mut raw, &OPTIONS) }?;
    Ok((checked(&raw)?, raw))
}

/// Reads what the caller has of a struct; what it lacks is zero. NULL changes nothing.
///
/// # Safety
/// `from` is NULL or points to as many readable bytes as its `struct_size` says; `layout` is that
/// of `T`, which begins with its size, and any bytes make a valid one.
unsafe fn read<T>(from: *const T, to: &mut T, layout: &'static Layout) -> Result<(), Wrong> {
    if from.is_null() {
        return Ok(());
    }
    let from = from.cast::<u8>();
    // SAFETY: the caller vouches for the size member first of all.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    layout.check(size)?;
    let known = size.min(size_of::<T>());
    // SAFETY: zeroes make a valid one, and `known` bytes are readable there and fit here.
    unsafe {
        *to = zeroed();
        ptr::copy_nonoverlapping(from, ptr::from_mut(to).cast(), known);
    }
    // SAFETY: the caller vouches for `size` bytes.
    match (known..size).any(|at| unsafe { from.add(at).read() } != 0) {
        true => Err(Wrong::NewerFields(layout)),
        false => Ok(()),
    }
}

fn checked(raw: &gc_options) -> Result<Options, Wrong> {
    let unknown = raw.flags & !(GC_DEFERRED | GC_UNTIL_ACKED | GC_KEEP_OPEN);
    if unknown != 0 {
        return Err(Wrong::Flags(unknown));
    }
    Ok(Options {
        timeout_ms: raw.timeout_ms,
        idle_timeout_ms: raw.idle_timeout_ms,
        peer_first_ms: raw.peer_first_ms,
        fallback: match raw.fallback {
            GC_THEN_CLOSE => Fallback::Close,
            GC_THEN_ABORT => Fallback::Abort,
            GC_THEN_KEEP => Fallback::Keep,
            GC_THEN_BACKGROUND if raw.flags & GC_KEEP_OPEN != 0 => {
                return Err(Wrong::KeptAndContinued)
            }
            GC_THEN_BACKGROUND => Fallback::Background,
            other => {
                let allowed = "GC_THEN_CLOSE, GC_THEN_ABORT, GC_THEN_KEEP or GC_THEN_BACKGROUND";
                return Err(Wrong::Value("fallback", other, allowed));
            }
        },
        if_shared: match raw.if_shared {
            GC_SHARED_SHUTDOWN => IfShared::Shutdown,
            GC_SHARED_RELEASE => IfShared::Release,
            other => {
                let allowed = "GC_SHARED_SHUTDOWN or GC_SHARED_RELEASE";
                return Err(Wrong::Value("if_shared", other, allowed));
            }
        },
        max_drain_bytes: raw.max_drain_bytes,
        until_acked: raw.flags & GC_UNTIL_ACKED != 0,
        keep_open: raw.flags & GC_KEEP_OPEN != 0,
        background_ms: match raw.background_ms {
            0 => DEFAULT_BACKGROUND_MS,
            ms => ms,
        },
    })
}

static OPTIONS: Layout = Layout {
    name: "gc_options",
    init: "GC_OPTIONS_INIT",
    size: size_of::<gc_options>(),
    ends: &[
        offset_of!(gc_options, timeout_ms),
        offset_of!(gc_options, idle_timeout_ms),
        offset_of!(gc_options, peer_first_ms),
        offset_of!(gc_options, fallback),
        offset_of!(gc_options, if_shared),
        offset_of!(gc_options, flags),
        offset_of!(gc_options, flags) + size_of::<u32>(),
        offset_of!(gc_options, on_data),
        offset_of!(gc_options, user),
        offset_of!(gc_options, background_ms),
        offset_of!(gc_options, background_ms) + size_of::<u32>(),
        size_of::<gc_options>(),
    ],
};

static REPORT: Layout = Layout {
    name: "gc_report",
    init: "GC_REPORT_INIT",
    size: size_of::<gc_report>(),
    ends: &[
        offset_of!(gc_report, outcome),
        offset_of!(gc_report, system_error),
        offset_of!(gc_report, closed),
        offset_of!(gc_report, peer_closed),
        offset_of!(gc_report, drained_bytes),
        offset_of!(gc_report, unacked_bytes),
        offset_of!(gc_report, elapsed_us),
        size_of::<gc_report>(),
    ],
};

static REAPER_OPTIONS: Layout = Layout {
    name: "gc_reaper_options",
    init: "GC_REAPER_OPTIONS_INIT",
    size: size_of::<gc_reaper_options>(),
    ends: &[
        offset_of!(gc_reaper_options, max_pending),
        offset_of!(gc_reaper_options, when_full),
        size_of::<gc_reaper_options>(),
    ],
};

static STATS: Layout = Layout {
    name: "gc_stats",
    init: "GC_STATS_INIT",
    size: size_of::<gc_stats>(),
    ends: &[
        offset_of!(gc_stats, closed),
        offset_of!(gc_stats, by_outcome),
        offset_of!(gc_stats, aborted),
        offset_of!(gc_stats, drained_bytes),
        offset_of!(gc_stats, pending),
        size_of::<gc_stats>(),
    ],
};

impl Layout {
    /// Some version may have had so large a struct.
    fn check(&'static self, size: usize) -> Result<(), Wrong> {
        match self.ends.contains(&size) || (size > self.size && size <= LARGEST) {
            true => Ok(()),
            false => Err(Wrong::Size(self, size)),
        }
    }
}

/// A report that may be written to, and how much of it.
pub(super) struct ReportOut {
    to: *mut gc_report,
    size: usize,
}

impl ReportOut {
    /// # Safety
    /// `to` is NULL (nobody asks) or points to as many writable bytes as its
    /// `struct_size` says, until the last call to [`ReportOut::write`].
    pub(super) unsafe fn new(to: *mut gc_report) -> Result<ReportOut, Wrong> {
        if to.is_null() {
            return Ok(ReportOut { to, size: 0 });
        }
        // SAFETY: the caller vouches for the size member first of all.
        let size = unsafe { ptr::addr_of!((*to).struct_size).read_unaligned() };
        REPORT.check(size)?;
        Ok(ReportOut { to, size })
    }

    /// Writes what the caller has room for, its `struct_size` left as it is.
    pub(super) fn write(&self, code: i32, report: &Report) {
        let raw = gc_report {
            struct_size: self.size,
            ..raw_report(code, report)
        };
        let room = self.size.min(size_of::<gc_report>());
        // SAFETY: the maker of this vouched for `size` writable bytes at `to`
        // (none of them if it is NULL); `raw` has at least `room`.
        unsafe { ptr::copy_nonoverlapping(ptr::addr_of!(raw).cast::<u8>(), self.to.cast(), room) };
    }

    /// Whether anybody asks.
    pub(super) fn is_wanted(&self) -> bool {
        self.size != 0
    }
}

/// Microseconds; saturates.
fn micros(time: Duration) -> usize {
    let micros = time.as_secs().saturating_mul(1_000_000);
    let micros = micros.saturating_add(u64::from(time.subsec_micros()));
    usize::try_from(micros).unwrap_or(usize::MAX)
}

/// A report as C sees it.
pub(super) fn raw_report(code: i32, report: &Report) -> gc_report {
    gc_report {
        struct_size: size_of::<gc_report>(),
        outcome: code,
        system_error: report.system_error,
        closed: i32::from(report.closed),
        peer_closed: i32::from(report.peer_closed),
        drained_bytes: report.drained_bytes,
        unacked_bytes: report.unacked_bytes.unwrap_or(UNKNOWN),
        elapsed_us: micros(report.elapsed),
    }
}

/// An array of reports, all of one size.
pub(super) struct ReportsOut {
    to: *mut gc_report,
    size: usize,
}

impl ReportsOut {
    /// # Safety
    /// `to` is NULL (nobody asks) or points to `count` reports, each as large as
    /// the `struct_size` of the first says.
    pub(super) unsafe fn new(to: *mut gc_report, count: usize) -> Result<ReportsOut, Wrong> {
        // SAFETY: the caller vouches for the first one.
        let size = unsafe { ReportOut::new(to) }?.size;
        for at in 1..count {
            if size == 0 {
                break;
            }
            // SAFETY: the caller vouches for `count` of them, so far apart.
            let next = unsafe { to.cast::<u8>().add(at * size).cast::<gc_report>() };
            // SAFETY: as above.
            if unsafe { ptr::addr_of!((*next).struct_size).read_unaligned() } != size {
                return Err(Wrong::UnlikeTheFirst(at));
            }
        }
        Ok(ReportsOut { to, size })
    }

    /// Nobody asks.
    pub(super) fn is_null(&self) -> bool {
        self.to.is_null()
    }

    pub(super) fn write(&self, at: usize, code: i32, report: &Report) {
        if self.size == 0 {
            return;
        }
        // SAFETY: the maker of this vouched for that many, so far apart.
        let to = unsafe { self.to.cast::<u8>().add(at * self.size).cast() };
        ReportOut {
            to,
            size: self.size,
        }
        .write(code, report);
    }
}

/// The caller's reaper options; NULL means no limit.
///
/// # Safety
/// `from` is NULL or points to as many readable bytes as its `struct_size` says.
pub(super) unsafe fn reaper_options(
    from: *const gc_reaper_options,
) -> Result<gc_reaper_options, Wrong> {
    // SAFETY: all zeroes is a valid one, as any bytes are; the caller vouches for the rest.
    unsafe {
        let mut raw = zeroed();
        read(from, &mut raw, &REAPER_OPTIONS)?;
        Ok(raw)
    }
}

/// Writes the figures that the caller has room for.
///
/// # Safety
/// `to` is NULL or points to as many writable bytes as its `struct_size` says.
pub(super) unsafe fn write_stats(to: *mut gc_stats, raw: gc_stats) -> Result<(), Wrong> {
    if to.is_null() {
        return Err(Wrong::Null("stats"));
    }
    // SAFETY: not NULL; the caller vouches for the size member first of all.
    let size = unsafe { ptr::addr_of!((*to).struct_size).read_unaligned() };
    STATS.check(size)?;
    let raw = gc_stats {
        struct_size: size,
        ..raw
    };
    let room = size.min(size_of::<gc_stats>());
    // SAFETY: so many bytes may be written there; `raw` has at least as many.
    unsafe { ptr::copy_nonoverlapping(ptr::addr_of!(raw).cast::<u8>(), to.cast(), room) };
    Ok(())
}
