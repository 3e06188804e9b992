//! Contract 4.1: a peer's machine that vanishes ends a close that may wait longer than a minute, in
//! under two. Two network namespaces and a wire between them; the far end gets another hardware
//! address, so that from then on nothing arrives there and nobody is told.
//!
//! It takes two minutes, all cases at once: `cargo test --test vanished -- --ignored`.
#![cfg(target_os = "linux")]

mod support;

use graceful_close::{close_with, Options, Outcome, Reaper, ReaperOptions, Report};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::network::in_own_network;
use support::{ms, skipped, tcp_pair};

const NEAR: (&str, &str) = ("10.99.0.1", "02:00:00:00:00:01");
const FAR: (&str, &str) = ("10.99.0.2", "02:00:00:00:00:02");
const ELSEWHERE: &str = "02:00:00:00:00:03";

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
    }
}

/// One end of the wire. The other end's hardware address is known for ever: no question for it
/// could tell that nobody is there.
fn raise(device: &str, own: (&str, &str), other: (&str, &str)) {
    for arguments in [
        format!("addr add {}/24 dev {device}", own.0),
        format!("link set {device} up"),
        format!(
            "neigh replace {} lladdr {} nud permanent dev {device}",
            other.0, other.1
        ),
    ] {
        ip(&arguments).unwrap();
    }
}

fn thread_id() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// The machine at the far end: accepts so many, and does nothing more than its system does.
fn far_end(
    connections: usize,
    tell: mpsc::Sender<i32>,
    go_on: mpsc::Receiver<()>,
    at: mpsc::Sender<u16>,
    cut: mpsc::Sender<Instant>,
) {
    tell.send(thread_id()).unwrap();
    if go_on.recv().is_err() {
        return;
    }
    raise("gcfar", FAR, NEAR);
    let listener = TcpListener::bind((FAR.0, 0)).unwrap();
    at.send(listener.local_addr().unwrap().port()).unwrap();
    let peers: Vec<TcpStream> = (0..connections)
        .map(|_| listener.accept().unwrap().0)
        .collect();
    if go_on.recv().is_ok() {
        ip(&format!("link set gcfar address {ELSEWHERE}")).unwrap();
        cut.send(Instant::now()).unwrap();
        let _ = go_on.recv();
    }
    drop(peers);
}

fn assert_lost(what: &str, report: &Report, silent_for: Duration) {
    assert_eq!(report.outcome, Outcome::Lost, "{what}: {report:?}");
    assert_ne!(report.system_error, 0, "{what}: {report:?}");
    let range = Duration::from_secs(60)..Duration::from_secs(120);
    assert!(range.contains(&silent_for), "{what}: {silent_for:?}");
}

/// Its window is shut, and its system answers every probe: it is there.
fn shut_window() {
    let (ours, peer) = tcp_pair();
    ours.set_nonblocking(true).unwrap();
    while (&ours).write(&[7; 65536]).is_ok() {}
    let report = close_with(ours, &Options::new().timeout(Duration::from_secs(125)))
        .unwrap()
        .report;
    assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
    drop(peer);
}

/// It reads nothing for longer than it may be silent, and then all.
fn slow_peer() {
    let (ours, peer) = tcp_pair();
    ours.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(bytes) = (&ours).write(&[7; 65536]) {
        sent += bytes;
    }
    let reading = thread::spawn(move || {
        thread::sleep(Duration::from_secs(112));
        let mut all = Vec::new();
        (&peer).read_to_end(&mut all).unwrap();
        all.len()
    });
    let report = close_with(ours, &Options::new().timeout(Duration::MAX))
        .unwrap()
        .report;
    assert_eq!(report.outcome, Outcome::Graceful, "{report:?}");
    assert_eq!(reading.join().unwrap(), sent);
}

/// With data under way or with none, by a thread that waits or in the background.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// The close begins before the peer vanishes.
    begins_before: bool,
    data: bool,
    in_background: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for in_background in [false, true] {
        for (begins_before, data) in [(true, false), (false, true), (false, false)] {
            cases.push(Case {
                begins_before,
                data,
                in_background,
            });
        }
    }
    cases
}

fn close(case: Case, ours: TcpStream, reaper: &Reaper) -> Report {
    if case.data {
        (&ours).write_all(b"into the void").unwrap();
    }
    let options = Options::new().timeout(match case.data {
        true => Duration::from_secs(300),
        false => Duration::MAX,
    });
    if !case.in_background {
        return close_with(ours, &options).unwrap().report;
    }
    let (tell, told) = mpsc::channel();
    let done = move |report: &Report| tell.send(*report).unwrap();
    reaper.close_then(ours, &options, done).unwrap();
    told.recv().unwrap()
}

#[test]
#[ignore = "takes two minutes"]
fn a_machine_that_vanishes_is_lost_in_under_two_minutes() {
    const NAME: &str = "a machine that vanishes";
    in_own_network(NAME, |network| {
        if !network.is_own() {
            return;
        }
        let cases = cases();
        let (tell, told) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel();
        let (tell_at, at) = mpsc::channel();
        let (tell_cut, cut) = mpsc::channel();
        let count = cases.len();
        let reaper = &Reaper::new(&ReaperOptions::new()).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                in_own_network(NAME, move |_| {
                    far_end(count, tell, gone_on, tell_at, tell_cut)
                });
            });
            let far = told.recv().unwrap();
            let wire = format!(
                "link add gcnear address {} type veth peer name gcfar address {} netns {far}",
                NEAR.1, FAR.1
            );
            if let Err(reason) = ip(&wire) {
                skipped(NAME, &format!("no wire between two namespaces: {reason}"));
                return drop(go_on);
            }
            raise("gcnear", NEAR, FAR);
            go_on.send(()).unwrap();
            let port = at.recv().unwrap();
            let all: Vec<TcpStream> = (0..count)
                .map(|_| TcpStream::connect((FAR.0, port)).unwrap())
                .collect();
            let mut running = vec![scope.spawn(shut_window), scope.spawn(slow_peer)];
            let mut later = Vec::new();
            let (tell_end, ends) = mpsc::channel();
            let mut start = |case: Case, ours: TcpStream| {
                let tell_end = tell_end.clone();
                running.push(scope.spawn(move || {
                    let report = close(case, ours, reaper);
                    tell_end.send((case, report, Instant::now())).unwrap();
                }));
            };
            for (case, ours) in cases.into_iter().zip(all) {
                match case.begins_before {
                    true => start(case, ours),
                    false => later.push((case, ours)),
                }
            }
            thread::sleep(ms(1000));
            go_on.send(()).unwrap();
            let cut = cut.recv().unwrap();
            for (case, ours) in later {
                start(case, ours);
            }
            for _ in 0..count {
                let (case, report, when) = ends.recv_timeout(Duration::from_secs(200)).unwrap();
                assert_lost(&format!("{case:?}"), &report, when - cut);
            }
            for thread in running {
                thread.join().unwrap();
            }
            drop(go_on);
        });
    });
}

fn option(of: &TcpStream, level: i32, name: i32) -> i32 {
    use std::os::fd::AsRawFd;
    let mut value = 0;
    let mut size = 4;
    let place: *mut i32 = &mut value;
    // SAFETY: the value is an int, of that size.
    let result = unsafe { libc::getsockopt(of.as_raw_fd(), level, name, place.cast(), &mut size) };
    assert_eq!(result, 0);
    value
}

/// What is seen through a second descriptor of the same connection while it waits.
#[test]
fn keep_alive_is_on_while_a_long_close_waits() {
    for (seconds, own, expected) in [
        (60, false, (0, 7200)),
        (61, false, (1, 45)),
        (61, true, (1, 99)),
    ] {
        let (ours, peer) = tcp_pair();
        let twin = ours.try_clone().unwrap();
        let before = option(&twin, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
        if own {
            let socket = socket2::SockRef::from(&twin);
            let times = socket2::TcpKeepalive::new().with_time(Duration::from_secs(99));
            socket.set_tcp_keepalive(&times).unwrap();
        }
        let options = Options::new().timeout(Duration::from_secs(seconds));
        let closing = thread::spawn(move || close_with(ours, &options).unwrap());
        thread::sleep(ms(200));
        let is_on = option(&twin, libc::SOL_SOCKET, libc::SO_KEEPALIVE);
        let idle = option(&twin, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
        let expected_idle = if expected.0 == 0 { before } else { expected.1 };
        assert_eq!(
            (is_on, idle),
            (expected.0, expected_idle),
            "{seconds} s, {own}"
        );
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(closing.join().unwrap().report.outcome, Outcome::Graceful);
    }
}

#[test]
fn a_descriptor_that_is_handed_back_is_without_our_keep_alive() {
    let (ours, peer) = tcp_pair();
    let twin = ours.try_clone().unwrap();
    let options = Options::new().timeout(Duration::from_secs(61)).keep_open();
    let closing = thread::spawn(move || close_with(ours, &options).unwrap());
    thread::sleep(ms(200));
    assert_eq!(option(&twin, libc::SOL_SOCKET, libc::SO_KEEPALIVE), 1);
    peer.shutdown(Shutdown::Write).unwrap();
    let closed = closing.join().unwrap();
    let report = closed.report;
    assert_eq!((report.outcome, report.closed), (Outcome::Graceful, false));
    assert_eq!(option(&twin, libc::SOL_SOCKET, libc::SO_KEEPALIVE), 0);
}
