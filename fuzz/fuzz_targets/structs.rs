//! Structs as raw bytes, each behind memory that is exactly as large as its struct_size says, through
//! the C functions: a code that is documented, a report that says so, a socket closed or left alone.
#![no_main]

use graceful_close_fuzz::c::{self, Report};
use graceful_close_fuzz::sockets;
use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::ffi::{c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr::{null, null_mut};

/// More than this is refused before anything else is read.
const LARGEST: usize = 1024;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [function, kind, split, rest @ ..] = bytes else {
        return;
    };
    let (first, second) = rest.split_at(usize::from(*split).min(rest.len()));
    let first = Raw::of(first);
    let second = Raw::of(second);
    match function % 8 {
        0..=2 => close_with(*kind, first, &second),
        3 => close_many(*kind, first, &second),
        4 => closing(*kind, first, &second),
        5 => in_background(*kind, first),
        6 => reaper(&first),
        _ => stats(&first),
    }
});

/// A struct of the program's: what lies behind it is AddressSanitizer's.
struct Raw {
    start: *mut u8,
    layout: Layout,
    size: usize,
}

impl Raw {
    /// The first bytes say how large it is; no bytes at all make NULL.
    fn of(bytes: &[u8]) -> Raw {
        let layout = |size| Layout::from_size_align(size, 8).expect("small");
        if bytes.is_empty() {
            return Raw {
                start: null_mut(),
                layout: layout(8),
                size: 0,
            };
        }
        // sizes that some version has had come up often enough
        let size = match bytes[0] {
            small @ 0..=160 => usize::from(small),
            161 => usize::MAX,
            162 => LARGEST + 1,
            163 => LARGEST,
            large => usize::from(large) * 8,
        };
        let room = if size > LARGEST { 8 } else { size.max(8) };
        // SAFETY: not of no size.
        let start = unsafe { alloc_zeroed(layout(room)) };
        let count = room.min(bytes.len());
        // SAFETY: both have so many, and eight for the size at least.
        unsafe {
            start.copy_from_nonoverlapping(bytes.as_ptr(), count);
            start.cast::<usize>().write(size);
        }
        Raw {
            start,
            layout: layout(room),
            size,
        }
    }

    /// A function where the program would have given one. The time is bounded: the peer of every
    /// close here has finished already, so what waits waits for something else.
    fn make_options(self) -> Raw {
        type Options = c::Options;
        let has = |end: usize| !self.start.is_null() && self.size <= LARGEST && self.size >= end;
        let place = self.start.cast::<Options>();
        // SAFETY: `has` says that it is there.
        unsafe {
            if has(offset_of!(Options, on_data) + size_of::<usize>()) {
                let given = (&raw const (*place).on_data).cast::<usize>().read();
                let function = (given % 3 == 1).then_some(on_data as c::DataFn);
                (&raw mut (*place).on_data).write(function);
            }
            if has(offset_of!(Options, idle_timeout_ms)) {
                (*place).timeout_ms &= 0x8000_0003;
            }
        }
        self
    }

    fn report(&self) -> Option<Report> {
        let is_whole = self.size >= size_of::<Report>() && self.size <= LARGEST;
        // SAFETY: it is as large as that.
        is_whole.then(|| unsafe { self.start.cast::<Report>().read() })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if !self.start.is_null() {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.start, self.layout) };
        }
    }
}

unsafe extern "C" fn on_data(user: *mut c_void, data: *const c_void, size: usize) -> c_int {
    // SAFETY: so many bytes are the library's promise.
    let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    assert!(data.iter().all(|&byte| byte == 7));
    c_int::from(user as usize % 5 == 4)
}

/// A connection whose peer has said its last word, or one that is no connection: the number, the peer's, and which
/// socket it is.
struct Sock(c_int, c_int, Option<sockets::Identity>);

impl Sock {
    fn of(kind: u8) -> Sock {
        let (ours, theirs) = match kind % 16 {
            0 => return Sock(-1, -1, None),
            1 => return Sock(c_int::MAX, -1, None),
            2 => sockets::tcp_pair(),
            _ => sockets::local_pair(),
        };
        let which = sockets::identity(ours);
        assert!(which.is_some());
        if kind & 16 != 0 {
            sockets::send(theirs, 300);
        }
        if kind & 32 != 0 {
            sockets::send(ours, 20);
        }
        if kind & 64 != 0 && kind % 16 == 2 {
            sockets::reset(theirs);
            return Sock(ours, -1, which);
        }
        sockets::half_close(theirs);
        Sock(ours, theirs, which)
    }

    fn is_real(&self) -> bool {
        self.2.is_some()
    }

    /// Of one that is none: never.
    fn is_open(&self) -> bool {
        self.is_real() && sockets::identity(self.0) == self.2
    }

    /// What the call returned against what has become of it. `closed`: as reported.
    fn judge(self, code: c_int, closed: Option<c_int>) {
        assert!(c::is_documented(code) && code != c::ERR_INTERNAL, "{code}");
        let (is_real, is_open) = (self.is_real(), self.is_open());
        if code == c::ERR_ARGUMENT {
            assert_eq!(is_open, is_real, "refused, and yet closed");
        } else if !is_real {
            assert_eq!(code, c::ERR_NOT_A_SOCKET);
        } else if let Some(closed) = closed.filter(|_| code != c::CONTINUED) {
            assert_eq!(is_open, closed == 0, "{code}: not as reported");
        }
        // one that goes on in the background may be anybody's number by now
        if is_open && code != c::CONTINUED {
            sockets::close(self.0);
        }
        sockets::close(self.1);
    }
}

fn close_with(kind: u8, options: Raw, report: &Raw) {
    let options = options.make_options();
    let sock = Sock::of(kind);
    // SAFETY: both are as large as they say.
    let code = unsafe { c::gc_close_with(sock.0, options.start, report.start) };
    let report = report.report().filter(|_| code != c::ERR_ARGUMENT);
    if let Some(report) = report {
        assert_eq!(report.outcome, code);
    }
    sock.judge(code, report.map(|report| report.closed));
    if code == c::CONTINUED {
        // SAFETY: no pointer.
        unsafe { c::gc_flush(1000) };
    }
}

fn close_many(kind: u8, options: Raw, report: &Raw) {
    let options = options.make_options();
    let socks = [
        Sock::of(kind),
        Sock::of(kind.rotate_left(3)),
        Sock::of(kind ^ 0x55),
    ];
    let numbers = [socks[0].0, socks[1].0, socks[2].0];
    // all of the reports are as large as the first
    let size = if report.size > LARGEST {
        8
    } else {
        report.size.max(8)
    };
    let mut room = vec![0u64; (3 * size).div_ceil(8)];
    for at in 0..3 {
        if report.start.is_null() {
            break;
        }
        // SAFETY: `report` has so many bytes, and there is room for three.
        unsafe {
            let to = room.as_mut_ptr().cast::<u8>().add(at * size);
            to.copy_from_nonoverlapping(report.start, size);
        }
    }
    let reports = match report.start.is_null() {
        true => null_mut(),
        false => room.as_mut_ptr().cast::<u8>(),
    };
    // SAFETY: as large as they say, and three of each.
    let code = unsafe { c::gc_close_many(numbers.as_ptr(), 3, options.start, reports) };
    assert!((0..=3).contains(&code) || code == c::ERR_ARGUMENT, "{code}");
    let is_whole = code >= 0 && !reports.is_null() && report.size == size_of::<Report>();
    for (at, sock) in socks.into_iter().enumerate() {
        if is_whole {
            // SAFETY: whole ones stand side by side.
            let one = unsafe { reports.cast::<Report>().add(at).read() };
            sock.judge(one.outcome, Some(one.closed));
        } else if code == c::ERR_ARGUMENT {
            sock.judge(code, None);
        } else {
            if sock.is_open() {
                sockets::close(sock.0);
            }
            sockets::close(sock.1);
        }
    }
}

fn closing(kind: u8, options: Raw, report: &Raw) {
    let options = options.make_options();
    let sock = Sock::of(kind);
    let mut closing = null_mut();
    // SAFETY: as large as they say; the handle is freed once.
    unsafe {
        let code = c::gc_closing_new(sock.0, options.start, &mut closing);
        if code != 0 {
            assert!(closing.is_null());
            return sock.judge(code, None);
        }
        assert_eq!(c::gc_closing_socket(closing), sock.0);
        let mut code = c::PENDING;
        for _ in 0..100 {
            code = c::gc_closing_step(closing);
            c::gc_closing_wants_read(closing);
            if code != c::PENDING {
                assert_eq!(c::gc_closing_step(closing), code, "another end");
                break;
            }
        }
        let said = c::gc_closing_report(closing, report.start);
        c::gc_closing_free(closing);
        let closed = report
            .report()
            .filter(|_| said == 0)
            .map(|report| report.closed);
        if code == c::PENDING {
            return sock.judge(8, None);
        }
        sock.judge(code, closed);
    }
}

fn in_background(kind: u8, options: Raw) {
    let options = options.make_options();
    let sock = Sock::of(kind);
    // SAFETY: as large as it says.
    let code = unsafe { c::gc_close_async_with(sock.0, options.start, None, null_mut()) };
    if code == 0 {
        // SAFETY: no pointer.
        unsafe { c::gc_flush(2000) };
        assert!(!sock.is_open(), "taken over, and the number kept");
        return sockets::close(sock.1);
    }
    sock.judge(code, None);
}

fn reaper(options: &Raw) {
    let mut reaper = null_mut();
    // SAFETY: as large as it says; freed once.
    unsafe {
        let code = c::gc_reaper_new(options.start, &mut reaper);
        assert_eq!(code == 0, !reaper.is_null());
        assert!(code == 0 || code == c::ERR_ARGUMENT, "{code}");
        assert_eq!(c::gc_reaper_pending(reaper), 0);
        let freed = c::gc_reaper_free(reaper, 0);
        assert!(freed == 0 || code != 0, "{freed}");
    }
}

fn stats(stats: &Raw) {
    // SAFETY: as large as it says.
    let code = unsafe { c::gc_get_stats(stats.start) };
    assert!(code == 0 || code == c::ERR_ARGUMENT, "{code}");
    // SAFETY: any code has a name.
    assert_ne!(
        unsafe { c::gc_outcome_name(code ^ stats.size as c_int) },
        null()
    );
}
