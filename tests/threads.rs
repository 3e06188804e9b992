//! Several threads: one still receives while another closes, one is cancelled,
//! many close at once, two close the same.

mod support;

use graceful_close::{close, Outcome};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use support::descriptors::{into_raw, Raw};
use support::{alone, c, descriptors, finish, ms, payload, tcp_pair, LONG, SLACK};

/// Receives on a number that another thread is going to close, as old programs
/// do: without a duplicate.
#[cfg(unix)]
fn receive_blocking(raw: Raw) -> i64 {
    let mut byte = [0u8; 1];
    // SAFETY: one writable byte; a number that is not open makes it fail.
    unsafe { libc::recv(raw, byte.as_mut_ptr().cast(), 1, 0) as i64 }
}

#[cfg(windows)]
fn receive_blocking(raw: Raw) -> i64 {
    let mut byte = [0u8; 1];
    // SAFETY: one writable byte; a handle that is not open makes it fail.
    unsafe { windows_sys::Win32::Networking::WinSock::recv(raw, byte.as_mut_ptr(), 1, 0).into() }
}

/// Closes while another thread is blocked in recv: what close and recv said.
fn close_under_a_receiver(ours: TcpStream, close: impl FnOnce(Raw) -> i32) -> (i32, i64) {
    let raw = into_raw(ours);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(receive_blocking(raw)));
    // It sleeps by then.
    thread::sleep(ms(60));
    let code = close(raw);
    match told.recv_timeout(SLACK) {
        Ok(received) => (code, received),
        Err(_) => panic!("{code}: the receiver sleeps on"),
    }
}

#[test]
fn a_receiver_sees_the_graceful_end() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let (code, received) = close_under_a_receiver(ours, |raw| {
        let ending = thread::spawn(move || {
            thread::sleep(ms(40));
            drop(peer);
        });
        let code = c::close(raw, 10_000);
        ending.join().unwrap();
        code
    });
    assert_eq!(code, c::GRACEFUL);
    assert!(received <= 0, "{received}");
}

#[test]
fn a_receiver_is_woken_at_the_timeout() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let (code, received) = close_under_a_receiver(ours, |raw| c::close(raw, 50));
    assert_eq!(code, c::TIMED_OUT);
    assert!(received <= 0, "{received}");
    assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    // Nobody holds the connection any more: it answers with a reset.
    support::eventually("the peer cannot send", || (&peer).write(b"?").is_err());
}

#[test]
fn a_receiver_is_woken_by_an_abort() {
    let _alone = alone();
    let (ours, peer) = tcp_pair();
    let (code, received) = close_under_a_receiver(ours, c::abort);
    assert_eq!(code, 0);
    assert!(received <= 0, "{received}");
    support::eventually("the peer cannot send", || (&peer).write(b"?").is_err());
}

#[test]
fn many_threads_close_at_once() {
    let _alone = alone();
    const EACH: usize = 20;
    thread::scope(|scope| {
        for number in 0..16 {
            scope.spawn(move || {
                for round in 0..EACH {
                    let (ours, peer) = tcp_pair();
                    let size = 1 + number * 1000 + round;
                    let sending = thread::spawn(move || {
                        payload::send(&peer, size);
                        finish(&peer);
                        payload::receive(&peer, 1000, ms(0)).unwrap()
                    });
                    payload::send(&ours, size);
                    let report = close(ours, LONG).unwrap();
                    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
                    assert_eq!(report.drained_bytes, size);
                    assert_eq!(sending.join().unwrap(), size);
                }
            });
        }
    });
}

/// A bug of the program, which must stay a small one: the second learns that
/// the number is gone, and keeps its hands off a socket that has it by now.
fn close_twice(ours: TcpStream) {
    let raw = into_raw(ours);
    let patient = thread::spawn(move || c::close(raw, 700));
    thread::sleep(ms(60));
    assert_eq!(c::close(raw, 80), c::TIMED_OUT);
    if cfg!(windows) {
        // A handle that is reused at once cannot be told from the old one.
        assert_eq!(patient.join().unwrap(), c::ERR_NOT_A_SOCKET);
        return;
    }
    // Owned by number: a close of theirs must fail the test, not the process.
    let (next, its_peer) = tcp_pair();
    payload::send(&its_peer, 1000);
    let both = [into_raw(next), into_raw(its_peer)];
    let before = both.map(descriptors::identity);
    let code = patient.join().unwrap();
    for (number, identity) in both.into_iter().zip(before) {
        assert!(
            descriptors::is_still(number, identity),
            "{code}: closed another socket"
        );
    }
    let [next, its_peer] = both.map(|number| TcpStream::from(descriptors::own(number)));
    finish(&its_peer);
    let received = payload::receive(&next, 1000, ms(0));
    assert_eq!(received.unwrap(), 1000, "{code}: drained another socket");
    assert_eq!(
        code,
        c::ERR_NOT_A_SOCKET,
        "of {raw}, {both:?} came after it"
    );
}

#[test]
fn two_threads_close_the_same_while_the_peer_is_silent() {
    let _alone = alone();
    let (ours, _peer) = tcp_pair();
    close_twice(ours);
}

/// Both wait for the last acknowledgement.
#[test]
#[cfg(target_os = "linux")]
fn two_threads_close_the_same_while_the_peer_does_not_read() {
    let _alone = alone();
    let (ours, peer) = support::narrow_pair();
    support::fill(&ours);
    finish(&peer);
    support::await_news(&ours);
    close_twice(ours);
}

#[cfg(target_os = "linux")]
mod cancellation {
    use super::*;
    use std::ffi::{c_int, c_void};
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

    const ENABLED: c_int = 0;
    const DEFERRED: c_int = 0;

    // Cancellation unwinds, so the plain C ABI would not do.
    extern "C-unwind" {
        fn pthread_create(
            thread: *mut libc::pthread_t,
            attributes: *const c_void,
            start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
            argument: *mut c_void,
        ) -> c_int;
        fn pthread_testcancel();
    }
    extern "C" {
        fn pthread_cancel(thread: libc::pthread_t) -> c_int;
        fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
        fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
    }

    struct Notes {
        raw: Raw,
        outcome: AtomicI32,
        state: AtomicI32,
        kind: AtomicI32,
        survived: AtomicI32,
    }

    /// No frame in here owns anything: cancellation must not run into a `Drop`.
    extern "C-unwind" fn close_and_be_cancelled(notes: *mut c_void) -> *mut c_void {
        // SAFETY: the test's notes outlive the thread, which it joins.
        let notes = unsafe { &*notes.cast::<Notes>() };
        notes.outcome.store(c::close(notes.raw, 10_000), SeqCst);
        let (mut state, mut kind) = (-1, -1);
        // SAFETY: valid values, and places for the old ones; then a cancellation
        // point in a frame without destructors.
        unsafe {
            pthread_setcancelstate(ENABLED, &mut state);
            pthread_setcanceltype(DEFERRED, &mut kind);
            notes.state.store(state, SeqCst);
            notes.kind.store(kind, SeqCst);
            pthread_testcancel();
        }
        notes.survived.store(1, SeqCst);
        null_mut()
    }

    /// Cancelled in the middle, the thread completes the close and dies after.
    #[test]
    fn is_held_off_until_the_close_is_complete() {
        let _alone = alone();
        let (ours, peer) = tcp_pair();
        let notes = Notes {
            raw: into_raw(ours),
            outcome: AtomicI32::new(-99),
            state: AtomicI32::new(-99),
            kind: AtomicI32::new(-99),
            survived: AtomicI32::new(0),
        };
        let before = support::descriptors::identity(notes.raw);
        let argument = (&notes as *const Notes).cast_mut().cast();
        let mut thread: libc::pthread_t = 0;
        let mut end = null_mut();
        // SAFETY: a place for the id, and notes that live until the join.
        unsafe {
            let start = close_and_be_cancelled;
            let made = pthread_create(&mut thread, std::ptr::null(), start, argument);
            assert_eq!(made, 0);
            thread::sleep(ms(60));
            assert_eq!(pthread_cancel(thread), 0);
            thread::sleep(ms(40));
            // It is still at it.
            assert_eq!(notes.outcome.load(SeqCst), -99);
            payload::send(&peer, 7);
            finish(&peer);
            assert_eq!(libc::pthread_join(thread, &mut end), 0);
        }
        assert_eq!(end as isize, -1, "PTHREAD_CANCELED");
        assert_eq!(notes.outcome.load(SeqCst), c::GRACEFUL);
        assert_eq!(notes.state.load(SeqCst), ENABLED);
        assert_eq!(notes.kind.load(SeqCst), DEFERRED);
        assert_eq!(notes.survived.load(SeqCst), 0);
        assert!(!support::descriptors::is_still(notes.raw, before));
        assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 0);
    }
}
