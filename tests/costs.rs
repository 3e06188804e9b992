//! What two calls cost on Linux: figures that the manual states. They are measured, so they run only when asked:
//! `cargo test --test costs -- --ignored --nocapture`

#![cfg(target_os = "linux")]

mod support;

use graceful_close::{close_with, IfShared, Options, Outcome};
use socket2::SockRef;
use std::fs::File;
use std::time::{Duration, Instant};
use support::linux::Usage;
use support::{alone, fill, finish, tcp_pair, LONG};

/// Few enough for the usual limit of open files.
const DESCRIPTORS: usize = 800;

#[test]
#[ignore = "measures; docs/time-wait.md has the result"]
fn linger_blocks_the_close_of_a_non_blocking_socket() {
    let _alone = alone();
    let (ours, _silent) = tcp_pair();
    fill(&ours);
    ours.set_nonblocking(true).unwrap();
    SockRef::from(&ours)
        .set_linger(Some(Duration::from_secs(2)))
        .unwrap();
    let began = Instant::now();
    drop(ours);
    let took = began.elapsed();
    println!("close() with SO_LINGER {{1, 2}} took {took:.2?}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
#[ignore = "measures; docs/platforms.md has the result"]
fn a_look_for_other_holders_by_descriptor() {
    let _alone = alone();
    let before = cheapest_release();
    let held: Vec<File> = (0..DESCRIPTORS)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    let after = cheapest_release();
    drop(held);
    let each = (after - before) as f64 / DESCRIPTORS as f64;
    println!(
        "{before} us before, {after} us with {DESCRIPTORS} descriptors more: {each:.2} us each"
    );
    assert!(each < 20.0, "{each}");
}

/// In us of processor time, so that a busy machine does not count.
fn cheapest_release() -> i64 {
    let options = Options::new().timeout(LONG).if_shared(IfShared::Release);
    let one = || {
        let (ours, peer) = tcp_pair();
        finish(&peer);
        let began = Usage::now();
        let closed = close_with(ours, &options).unwrap();
        assert_eq!(closed.report.outcome, Outcome::Graceful);
        Usage::now().since(began).processor_us
    };
    (0..50).map(|_| one()).min().unwrap()
}
