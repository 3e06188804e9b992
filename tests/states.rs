//! A close in every state that a socket can be in: the right outcome, no wait
//! for what is dead, no hang for any SO_LINGER, and the descriptor gone or
//! untouched.

mod support;

use std::time::{Duration, Instant};
use support::c::{self, ERR_NOT_A_SOCKET, GRACEFUL, NOT_CONNECTED, RESET, TIMED_OUT, UNCERTAIN};
use support::descriptors::{identity, is_still, own, with_ref, Identity};
use support::scenes::{self, Build};
use support::{assert_prompt, assert_took, ms, wine};

#[cfg(target_os = "linux")]
use support::unix as posix;

/// What a close is to come to.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    build: Build,
    outcome: i32,
    /// Only the deadline ends it; otherwise it must not wait.
    waits: bool,
    drained: usize,
    peer_closed: bool,
    /// Without a time to wait the end may come too late to be seen.
    acknowledged_late: bool,
}

const fn row(name: &'static str, build: Build, outcome: i32) -> Row {
    Row {
        name,
        build,
        outcome,
        waits: false,
        drained: 0,
        peer_closed: outcome == GRACEFUL,
        acknowledged_late: false,
    }
}

impl Row {
    const fn waits(mut self) -> Row {
        self.waits = true;
        self
    }

    const fn drained(mut self, bytes: usize) -> Row {
        self.drained = bytes;
        self
    }

    #[cfg(target_os = "linux")]
    const fn peer_closed(mut self) -> Row {
        self.peer_closed = true;
        self
    }

    #[cfg(target_os = "linux")]
    const fn acknowledged_late(mut self) -> Row {
        self.acknowledged_late = true;
        self
    }
}

#[derive(Clone, Copy, Debug)]
struct Variant {
    blocking: bool,
    linger: Linger,
    timeout_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Linger {
    Unset,
    Off,
    Reset,
    FiveSeconds,
}

/// The deadline of rows that are to reach it, and of those that are not.
const REACHED_MS: u32 = 120;
const UNREACHED_MS: u32 = 8000;

fn variants(row: Row) -> Vec<Variant> {
    let whole_ms = if row.waits { REACHED_MS } else { UNREACHED_MS };
    let mut all = Vec::new();
    for blocking in [true, false] {
        for linger in [
            Linger::Unset,
            Linger::Off,
            Linger::Reset,
            Linger::FiveSeconds,
        ] {
            for timeout_ms in [0, whole_ms] {
                all.push(Variant {
                    blocking,
                    linger,
                    timeout_ms,
                });
            }
        }
    }
    all
}

fn check_all(rows: &[Row]) {
    // Handles of Windows are told apart by being open only: one at a time.
    let _alone = cfg!(windows).then(support::alone);
    for row in rows {
        if cfg!(windows) {
            variants(*row)
                .into_iter()
                .for_each(|variant| check(*row, variant));
            continue;
        }
        std::thread::scope(|scope| {
            for variant in variants(*row) {
                scope.spawn(move || check(*row, variant));
            }
        });
    }
}

fn check(row: Row, variant: Variant) {
    let Some(scene) = (row.build)() else {
        support::skipped(row.name, "this system has no such socket");
        return;
    };
    let before = identity(scene.raw);
    if before.is_some() && row.outcome != ERR_NOT_A_SOCKET {
        set_up(scene.raw, variant);
    }
    let started = Instant::now();
    let (code, report) = c::close_with(scene.raw, &c::Options::timeout(variant.timeout_ms));
    let elapsed = started.elapsed();
    let case = format!("{}, {variant:?}: {report:?}", row.name);

    let had_no_time =
        row.acknowledged_late && variant.timeout_ms == 0 && matches!(code, TIMED_OUT | UNCERTAIN);
    if !had_no_time {
        assert_eq!(code, row.outcome, "{case}");
        assert_eq!(report.peer_closed, i32::from(row.peer_closed), "{case}");
    }
    check_time(row, variant, elapsed, &case);
    check_fate(row, scene.raw, before, &case);
    assert_eq!(report.closed, i32::from(code >= 0), "{case}");
    assert_eq!(report.drained_bytes, row.drained, "{case}");
    let has_error = matches!(code, RESET | ERR_NOT_A_SOCKET);
    if !has_error {
        assert_eq!(report.system_error, 0, "{case}");
    }
}

fn set_up(raw: support::descriptors::Raw, variant: Variant) {
    with_ref(raw, |socket| {
        socket.set_nonblocking(!variant.blocking).unwrap();
        let linger = match variant.linger {
            Linger::Unset => return,
            Linger::Off => None,
            Linger::Reset => Some(Duration::ZERO),
            Linger::FiveSeconds => Some(ms(5000)),
        };
        // Some systems refuse it on a connection that has ended.
        let _ = socket.set_linger(linger);
    });
}

fn check_time(row: Row, variant: Variant, elapsed: Duration, case: &str) {
    println!("{elapsed:?} {case}");
    match row.waits && variant.timeout_ms > 0 {
        true => assert_took(elapsed, ms(variant.timeout_ms.into())),
        false => assert_prompt(elapsed),
    }
}

/// Closed, or what it was; nothing in between.
fn check_fate(row: Row, raw: support::descriptors::Raw, before: Identity, case: &str) {
    let is_open = is_still(raw, before);
    if row.outcome >= 0 {
        assert!(!is_open, "{case}");
    } else if before.is_some() {
        assert!(is_open, "{case}");
        drop(own(raw));
    }
}

#[test]
fn without_a_connection_it_is_closed_at_once() {
    check_all(&[
        row("fresh", scenes::fresh, NOT_CONNECTED),
        row("bound", scenes::bound, NOT_CONNECTED),
        row("listening", scenes::listening, NOT_CONNECTED),
        row(
            "listening, called",
            scenes::listening_with_a_caller,
            NOT_CONNECTED,
        ),
        row("connecting", scenes::connecting, NOT_CONNECTED),
        row("refused", scenes::refused, NOT_CONNECTED),
        row(
            "refused, not asked yet",
            scenes::refused_unseen,
            NOT_CONNECTED,
        ),
        row("datagram", scenes::datagram, NOT_CONNECTED),
        row(
            "connected datagram",
            scenes::connected_datagram,
            NOT_CONNECTED,
        ),
    ]);
}

#[test]
fn an_idle_peer_is_waited_for() {
    check_all(&[
        row("idle peer", scenes::idle_peer, TIMED_OUT).waits(),
        row("idle peer, we connected", scenes::connected_side, TIMED_OUT).waits(),
        row("half-closed by us", scenes::half_closed_by_us, TIMED_OUT).waits(),
    ]);
}

#[test]
fn a_finished_peer_is_a_graceful_end() {
    check_all(&[
        row("peer gone", scenes::peer_gone, GRACEFUL),
        row("peer finished", scenes::peer_finished, GRACEFUL),
        row(
            "peer finished, data",
            scenes::peer_finished_5_unread,
            GRACEFUL,
        )
        .drained(5),
        row(
            "peer finished, seen",
            scenes::peer_finished_and_seen,
            GRACEFUL,
        ),
        row("peer finished, IPv6", scenes::over_ipv6, GRACEFUL),
        row("both", scenes::half_closed_by_both, GRACEFUL),
        row(
            "both, peer first",
            scenes::half_closed_by_both_peer_first,
            GRACEFUL,
        ),
        row("both, data", scenes::half_closed_by_both_5_unread, GRACEFUL).drained(5),
    ]);
}

/// Windows throws away what was received and not read.
fn left_by_reset(bytes: usize) -> usize {
    match cfg!(windows) && !wine::hides_resets() {
        true => 0,
        false => bytes,
    }
}

#[test]
fn a_dead_connection_is_told_and_not_waited_for() {
    check_all(&[
        row("reset", scenes::was_reset, RESET),
        row("reset, data", scenes::was_reset_5_unread, RESET).drained(left_by_reset(5)),
        row("reset, recv took it", scenes::reset_seen_by_recv, RESET),
        row("reset, send took it", scenes::reset_seen_by_send, RESET),
        row("reset, ours unread", scenes::reset_with_ours_unread, RESET),
    ]);
}

#[test]
fn a_reset_that_the_program_has_taken_is_still_one() {
    if wine::hides_resets() {
        return;
    }
    check_all(&[row(
        "reset, SO_ERROR took it",
        scenes::reset_seen_by_so_error,
        RESET,
    )]);
}

/// A FIN has come, and yet the connection did not end by its FINs.
#[test]
#[cfg(target_os = "linux")]
fn a_reset_behind_a_fin_is_a_reset() {
    check_all(&[row("FIN, reset", scenes::finished_then_reset, RESET).peer_closed()]);
}

/// Nothing is in flight then, because our FIN has never been sent.
#[test]
#[cfg(target_os = "linux")]
fn a_reset_behind_a_fin_that_the_program_has_taken_is_still_one() {
    for build in [
        scenes::finished_then_reset_seen_by_send,
        scenes::finished_then_reset_seen_by_so_error,
        scenes::finished_then_reset_seen_we_connected,
    ] {
        check_all(&[row("FIN, reset, taken", build, RESET).peer_closed()]);
    }
}

/// recv says 0 for ever, and no FIN has come.
#[test]
#[cfg(target_os = "linux")]
fn after_our_own_shutdown_an_end_is_none() {
    check_all(&[
        row("SHUT_RD", scenes::deaf, UNCERTAIN).waits(),
        row("SHUT_RDWR", scenes::shut_both_ways, UNCERTAIN).waits(),
        row("SHUT_RD, FIN", scenes::deaf_then_peer_finished, GRACEFUL),
        row(
            "SHUT_RDWR, FIN",
            scenes::shut_both_ways_then_peer_finished,
            GRACEFUL,
        ),
    ]);
}

/// Winsock refuses to receive after SD_RECEIVE: nothing can be learnt.
#[test]
#[cfg(windows)]
fn after_our_own_shutdown_an_end_is_waited_for() {
    check_all(&[
        row("SD_RECEIVE", scenes::deaf, UNCERTAIN).waits(),
        row("SD_BOTH", scenes::shut_both_ways, UNCERTAIN).waits(),
    ]);
}

#[test]
#[cfg(target_os = "linux")]
fn other_families() {
    check_all(&[
        row("AF_UNIX, idle", posix::unix_idle, TIMED_OUT).waits(),
        row("AF_UNIX, finished", posix::unix_finished, GRACEFUL),
        row("AF_UNIX, data", posix::unix_finished_5_unread, GRACEFUL).drained(5),
        row("AF_UNIX, reset", posix::unix_reset, RESET),
        row("AF_UNIX, fresh", posix::unix_fresh, NOT_CONNECTED),
        row("AF_UNIX, listening", posix::unix_listening, NOT_CONNECTED),
        row("AF_UNIX, datagram", posix::unix_datagram, NOT_CONNECTED),
        row(
            "AF_UNIX, datagram pair",
            posix::unix_datagram_pair,
            NOT_CONNECTED,
        ),
        row("AF_UNIX, packets", posix::unix_seqpacket, NOT_CONNECTED),
        row("netlink", posix::netlink, NOT_CONNECTED),
        row("MPTCP, idle", posix::multipath_idle, TIMED_OUT).waits(),
        row("MPTCP, finished", posix::multipath_finished, GRACEFUL).acknowledged_late(),
    ]);
}

#[test]
fn what_is_no_socket_stays_untouched() {
    check_all(&[
        row("none", scenes::no_descriptor, ERR_NOT_A_SOCKET),
        row("absurd number", scenes::absurd_number, ERR_NOT_A_SOCKET),
    ]);
    #[cfg(target_os = "linux")]
    check_all(&[
        row("pipe", posix::pipe, ERR_NOT_A_SOCKET),
        row("file", posix::file, ERR_NOT_A_SOCKET),
        row("epoll", posix::epoll, ERR_NOT_A_SOCKET),
        row("eventfd", posix::eventfd, ERR_NOT_A_SOCKET),
    ]);
}
