//! Reapers, closings and sockets in any order, each byte a step of the program or of the peer: every
//! socket that was handed over is told of once, nothing stays open, nobody waits.
#![no_main]

use graceful_close_fuzz::{c, sockets};
use std::ffi::{c_int, c_uint, c_void};
use std::mem::size_of;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

/// Steps in one run; more show nothing new.
const MOST_STEPS: usize = 64;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    warm_up();
    let before = sockets::lowest_free();
    let mut program = Program::default();
    for pair in bytes.chunks(2).take(MOST_STEPS) {
        program.step(pair[0], pair.get(1).copied().unwrap_or(0));
    }
    program.end();
    assert_eq!(sockets::lowest_free(), before, "a descriptor is left");
    let (given, told) = (program.given, TOLD.swap(0, Ordering::SeqCst));
    assert_eq!(given, told, "each one is told of once");
});

/// Calls of done since the program began.
static TOLD: AtomicU32 = AtomicU32::new(0);

/// What the process has for ever: its reaper, and the listener of the pairs.
fn warm_up() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let (ours, theirs) = sockets::tcp_pair();
        sockets::close(theirs);
        // SAFETY: no pointer.
        unsafe {
            c::gc_set_default_timeout(1);
            assert_eq!(c::gc_close_async(ours, 1000), 0);
            assert_eq!(c::gc_flush(2000), 0);
        }
    });
}

unsafe extern "C" fn on_done(user: *mut c_void, _: c_int, report: *const c::Report) {
    // SAFETY: valid during the call.
    let report = unsafe { &*report };
    assert_eq!(user as usize, 0x5EED);
    assert!(c::is_documented(report.outcome), "{report:?}");
    assert_eq!(report.struct_size, size_of::<c::Report>());
    TOLD.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn on_data(_: *mut c_void, _: *const c_void, size: usize) -> c_int {
    c_int::from(size == 13)
}

#[derive(Default)]
struct Program {
    /// Ours that are still ours.
    socks: Vec<c_int>,
    peers: Vec<c_int>,
    closings: Vec<*mut c::Closing>,
    reapers: Vec<*mut c::Reaper>,
    given: u32,
}

impl Program {
    fn step(&mut self, action: u8, detail: u8) {
        match action % 24 {
            0..=3 => self.connect(detail),
            4..=7 => self.peer(detail),
            8 | 9 => self.new_closing(detail),
            10..=12 => self.step_closing(detail),
            13 => self.free_closing(detail),
            14 => self.new_reaper(detail),
            15..=17 => self.hand_over(detail),
            18 => self.ask_reaper(detail),
            19 => self.free_reaper(detail),
            20 | 21 => self.close_now(detail),
            22 => self.in_background(detail),
            _ => self.other(detail),
        }
    }

    fn connect(&mut self, detail: u8) {
        if self.socks.len() + self.peers.len() > 16 {
            return;
        }
        let (ours, theirs) = match detail % 4 {
            0 => sockets::tcp_pair(),
            _ => sockets::local_pair(),
        };
        self.socks.push(ours);
        self.peers.push(theirs);
    }

    fn peer(&mut self, detail: u8) {
        let Some(at) = pick(&self.peers, detail) else {
            return;
        };
        let peer = self.peers[at];
        match detail >> 4 {
            0..=3 => sockets::send(peer, [1, 13, 400, 4096][usize::from(detail >> 4)]),
            4..=8 => sockets::half_close(peer),
            9..=12 => sockets::close(self.peers.swap_remove(at)),
            _ => sockets::reset(self.peers.swap_remove(at)),
        }
    }

    fn take_sock(&mut self, detail: u8) -> Option<c_int> {
        pick(&self.socks, detail).map(|at| self.socks.swap_remove(at))
    }

    fn new_closing(&mut self, detail: u8) {
        let Some(sock) = self.take_sock(detail) else {
            return;
        };
        let options = options(detail);
        let mut closing = null_mut();
        // SAFETY: as large as it says.
        let code = unsafe { c::gc_closing_new(sock, bytes_of(&options), &mut closing) };
        match code {
            0 => self.closings.push(closing),
            _ => self.socks.push(sock),
        }
    }

    fn step_closing(&mut self, detail: u8) {
        let Some(at) = pick(&self.closings, detail) else {
            return;
        };
        let closing = self.closings[at];
        // SAFETY: it has not been freed.
        unsafe {
            match detail >> 6 {
                0 => {
                    c::gc_closing_timeout_ms(closing);
                    c::gc_closing_wants_read(closing);
                }
                1 => {
                    let mut report = empty_report();
                    c::gc_closing_report(closing, (&raw mut report).cast());
                }
                _ => {
                    let code = c::gc_closing_step(closing);
                    assert!(code == c::PENDING || c::is_documented(code), "{code}");
                    assert_ne!(code, c::ERR_INTERNAL);
                }
            }
        }
    }

    /// A close that has not come to its end is ended by that; what is handed back is ours.
    fn free_closing(&mut self, detail: u8) {
        let Some(at) = pick(&self.closings, detail) else {
            return;
        };
        let closing = self.closings.swap_remove(at);
        let mut report = empty_report();
        // SAFETY: freed once.
        let (sock, before, code) = unsafe {
            let sock = c::gc_closing_socket(closing);
            let before = sockets::identity(sock);
            let code = c::gc_closing_step(closing);
            assert_eq!(c::gc_closing_report(closing, (&raw mut report).cast()), 0);
            c::gc_closing_free(closing);
            (sock, before, code)
        };
        let is_there = before.is_some() && sockets::identity(sock) == before;
        // ended: as reported; freed too early: by its fallback, which may keep it
        let is_ours = match code {
            c::PENDING => is_there,
            c::CONTINUED => false,
            _ => report.closed == 0,
        };
        if is_ours {
            assert!(is_there, "{report:?}");
            self.socks.push(sock);
        }
    }

    fn new_reaper(&mut self, detail: u8) {
        if self.reapers.len() >= 2 {
            return;
        }
        let raw = [
            size_of::<usize>() * 3,
            usize::from(detail % 4),
            usize::from(detail >> 6 & 1),
        ];
        let mut reaper = null_mut();
        // SAFETY: the third member is smaller than its place, and the rest is padding.
        let code = unsafe { c::gc_reaper_new(raw.as_ptr().cast(), &mut reaper) };
        assert_eq!(code, 0);
        self.reapers.push(reaper);
    }

    fn hand_over(&mut self, detail: u8) {
        let Some(at) = pick(&self.reapers, detail >> 2) else {
            return;
        };
        let Some(sock) = self.take_sock(detail) else {
            return;
        };
        let options = options(detail);
        let user = 0x5EED as *mut c_void;
        let (reaper, options) = (self.reapers[at], bytes_of(&options));
        // SAFETY: the reaper lives, and the options are as large as they say.
        let code = unsafe { c::gc_reaper_close(reaper, sock, options, Some(on_done), user) };
        match code {
            0 => self.given += 1,
            _ => self.socks.push(sock),
        }
    }

    fn ask_reaper(&mut self, detail: u8) {
        let Some(at) = pick(&self.reapers, detail) else {
            return;
        };
        let reaper = self.reapers[at];
        // SAFETY: the reaper lives.
        unsafe {
            let pending = c::gc_reaper_pending(reaper);
            let flushed = c::gc_reaper_flush(reaper, c_uint::from(detail >> 7));
            assert!(flushed == 0 || flushed == 1, "{flushed}");
            assert!(c::gc_reaper_pending(reaper) <= pending);
        }
    }

    fn free_reaper(&mut self, detail: u8) {
        let Some(at) = pick(&self.reapers, detail) else {
            return;
        };
        let reaper = self.reapers.swap_remove(at);
        // SAFETY: freed once.
        let code = unsafe { c::gc_reaper_free(reaper, c_uint::from(detail >> 7)) };
        assert!(code == 0 || code == 1, "{code}");
    }

    fn close_now(&mut self, detail: u8) {
        let Some(sock) = self.take_sock(detail) else {
            return;
        };
        let before = sockets::identity(sock);
        assert!(before.is_some());
        let is_there = || sockets::identity(sock) == before;
        // SAFETY: no pointer.
        let code = unsafe {
            match detail >> 5 {
                0..=2 => c::gc_close(sock, 0),
                3 | 4 => c::gc_abort(sock),
                5 => c::gc_closesocket(sock),
                _ => {
                    let code = c::gc_finish(sock, 0);
                    self.socks.push(sock);
                    assert!(is_there());
                    assert!(c::is_documented(code), "{code}");
                    return;
                }
            }
        };
        assert!(c::is_documented(code), "{code}");
        assert!(code < 0 || !is_there(), "{code}: still open");
        if code < 0 && is_there() {
            self.socks.push(sock);
        }
    }

    fn in_background(&mut self, detail: u8) {
        let Some(sock) = self.take_sock(detail) else {
            return;
        };
        let options = options(detail);
        let user = 0x5EED as *mut c_void;
        // SAFETY: as large as they say.
        let code = unsafe { c::gc_close_async_with(sock, bytes_of(&options), Some(on_done), user) };
        match code {
            0 => self.given += 1,
            _ => self.socks.push(sock),
        }
    }

    fn other(&mut self, detail: u8) {
        // SAFETY: NULL is allowed, and refused, by each.
        unsafe {
            match detail % 6 {
                0 => assert_eq!(c::gc_flush(0) & !1, 0),
                1 => c::gc_closing_free(null_mut()),
                2 => assert_eq!(c::gc_closing_step(null_mut()), c::ERR_ARGUMENT),
                3 => assert_eq!(c::gc_reaper_free(null_mut(), 0), 0),
                4 => assert_eq!(c::gc_reaper_pending(null()), 0),
                _ => assert_eq!(c::gc_reaper_flush(null_mut(), 0), c::ERR_ARGUMENT),
            }
        }
    }

    /// Everything is given back; the peers have gone then, so nothing is waited for.
    fn end(&mut self) {
        for peer in self.peers.drain(..) {
            sockets::close(peer);
        }
        while !self.closings.is_empty() {
            self.free_closing(0);
        }
        while !self.reapers.is_empty() {
            self.free_reaper(0xFF);
        }
        for sock in self.socks.drain(..) {
            sockets::close(sock);
        }
        // SAFETY: no pointer.
        assert_eq!(
            unsafe { c::gc_flush(5000) },
            0,
            "it waits for peers that have gone"
        );
    }
}

fn pick<T>(from: &[T], detail: u8) -> Option<usize> {
    (!from.is_empty()).then(|| usize::from(detail & 3) % from.len())
}

fn options(detail: u8) -> c::Options {
    c::Options {
        struct_size: size_of::<c::Options>(),
        timeout_ms: [0, 1, 2, 20][usize::from(detail & 3)],
        idle_timeout_ms: 0,
        peer_first_ms: c_uint::from(detail >> 2 & 1),
        fallback: c_uint::from(detail >> 3 & 3),
        if_shared: 0,
        flags: [0, 0, 1, 2, 3, 0, 4, 0][usize::from(detail >> 5)],
        max_drain_bytes: usize::from(detail & 16) * 8,
        on_data: (detail & 0x44 == 0x44).then_some(on_data as c::DataFn),
        user: null_mut(),
        background_ms: 3,
    }
}

fn bytes_of(options: &c::Options) -> *const u8 {
    (options as *const c::Options).cast()
}

fn empty_report() -> c::Report {
    c::Report {
        struct_size: size_of::<c::Report>(),
        outcome: 0,
        system_error: 0,
        closed: 0,
        peer_closed: 0,
        drained_bytes: 0,
        unacked_bytes: 0,
        elapsed_us: 0,
    }
}
