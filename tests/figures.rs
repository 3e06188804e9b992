//! Statistics and log, by the Rust face. They are the process's: one test at a
//! time.

mod support;

use graceful_close::{
    abort, clear_log, close, close_many, close_with, set_log, set_log_caller, stats,
};
use graceful_close::{Fallback, Options, Outcome, Reaper, ReaperOptions, Stats};
use std::net::UdpSocket;
use std::sync::{mpsc, Arc, Mutex};
use std::time::Duration;
use support::{alone, await_news, eventually, finish, ms, payload, reset, tcp_pair, wine, LONG};

/// What has come since.
fn grown(before: &Stats) -> Stats {
    let now = stats();
    assert_eq!(now.closed, now.by_outcome.iter().sum::<usize>());
    let mut grown = now;
    grown.closed -= before.closed;
    for (count, before) in grown.by_outcome.iter_mut().zip(before.by_outcome) {
        *count -= before;
    }
    grown.aborted -= before.aborted;
    grown.drained_bytes -= before.drained_bytes;
    grown
}

#[track_caller]
fn assert_grown(before: &Stats, outcome: Outcome, by: usize, aborted: usize, drained: usize) {
    let grown = grown(before);
    for (number, count) in grown.by_outcome.into_iter().enumerate() {
        let expected = if number == outcome as usize { by } else { 0 };
        assert_eq!(count, expected, "outcome {number}: {grown:?}");
    }
    assert_eq!((grown.aborted, grown.drained_bytes), (aborted, drained));
}

#[test]
fn figures_are_true() {
    let _alone = alone();
    let before = stats();
    let (ours, peer) = tcp_pair();
    payload::send(&peer, 4321);
    finish(&peer);
    close(ours, LONG).unwrap();
    assert_grown(&before, Outcome::Graceful, 1, 0, 4321);

    let before = stats();
    let (ours, _peer) = tcp_pair();
    let options = Options::new().timeout(ms(10)).fallback(Fallback::Abort);
    close_with(ours, &options).unwrap();
    assert_grown(&before, Outcome::TimedOut, 1, 1, 0);

    // A fallback that was not needed is no abort.
    let before = stats();
    let (ours, peer) = tcp_pair();
    finish(&peer);
    close_with(ours, &options.timeout(LONG)).unwrap();
    assert_grown(&before, Outcome::Graceful, 1, 0, 0);

    let before = stats();
    let (ours, _peer) = tcp_pair();
    abort(ours).unwrap();
    assert_eq!(grown(&before).aborted, 1);

    let before = stats();
    let (pairs, peers): (Vec<_>, Vec<_>) = (0..5).map(|_| tcp_pair()).unzip();
    for peer in &peers {
        payload::send(peer, 10);
        finish(peer);
    }
    close_many(pairs, &Options::new().timeout(LONG)).unwrap();
    assert_grown(&before, Outcome::Graceful, 5, 0, 50);
}

#[test]
fn pending_goes_up_and_down() {
    let _alone = alone();
    let before = stats();
    let reaper = Reaper::new(&ReaperOptions::new().max_pending(4)).unwrap();
    let mut peers = Vec::new();
    for number in 1..=4 {
        let (ours, peer) = tcp_pair();
        reaper.close(ours, &Options::new().timeout(LONG)).unwrap();
        peers.push(peer);
        assert_eq!(stats().pending, before.pending + number);
    }
    drop(peers.split_off(2));
    eventually("two are gone", || stats().pending == before.pending + 2);
    assert_grown(&before, Outcome::Graceful, 2, 0, 0);
    let middle = stats();
    drop(reaper);
    assert_eq!(stats().pending, before.pending);
    assert_grown(&middle, Outcome::Evicted, 2, 0, 0);
}

/// Counted before the callback, which may look.
#[test]
fn a_callback_finds_its_own_close_counted() {
    let _alone = alone();
    let before = stats();
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    let (tell, told) = mpsc::channel();
    let (ours, peer) = tcp_pair();
    drop(peer);
    reaper
        .close_then(ours, &Options::new(), move |_| {
            tell.send(stats().closed).unwrap();
        })
        .unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), before.closed + 1);
}

type Lines = Arc<Mutex<Vec<(Outcome, String)>>>;

fn listen() -> Lines {
    let lines = Lines::default();
    let book = Arc::clone(&lines);
    set_log(move |outcome, line| book.lock().unwrap().push((outcome, line.to_string())));
    lines
}

#[test]
fn a_line_tells_it_all() {
    let _alone = alone();
    let lines = listen();
    let (ours, peer) = tcp_pair();
    let ends = format!(
        "{} -> {}: ",
        ours.local_addr().unwrap(),
        ours.peer_addr().unwrap()
    );
    payload::send(&peer, 99);
    payload::send(&ours, 12);
    close(ours, ms(40)).unwrap();
    clear_log();
    let lines = lines.lock().unwrap();
    let [(outcome, line)] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(*outcome, Outcome::TimedOut);
    assert!(line.starts_with(&ends), "{line}");
    assert!(line.contains("timed out after "), "{line}");
    assert!(line.contains("99 bytes drained"), "{line}");
    let after = line.split("after ").nth(1).unwrap();
    let took: u64 = after.split(' ').next().unwrap().parse().unwrap();
    assert!((40..2040).contains(&took), "{line}");
    let unacked = match cfg!(target_os = "linux") {
        true => "0 unacked",
        false => "unacked",
    };
    assert!(line.contains(unacked), "{line}");
}

/// Of one that ends in the background it is who has handed it over: on the reaper's thread this
/// program would be told by its start alone.
#[test]
fn a_line_names_the_caller_if_asked() {
    let _alone = alone();
    let lines = listen();
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    for is_on in [true, false] {
        set_log_caller(is_on);
        let (ours, peer) = tcp_pair();
        close(ours, ms(10)).unwrap();
        let (ours, peer_of_reaper) = tcp_pair();
        reaper.close(ours, &Options::new().timeout(ms(10))).unwrap();
        assert!(reaper.flush(LONG));
        let (many, peers): (Vec<_>, Vec<_>) = [tcp_pair(), tcp_pair()].into_iter().unzip();
        close_many(many, &Options::new().timeout(ms(10))).unwrap();
        drop((peer, peer_of_reaper, peers));
    }
    clear_log();
    let lines = lines.lock().unwrap();
    let program = std::env::current_exe().unwrap();
    let place = format!("{}+0x", program.file_name().unwrap().to_str().unwrap());
    let (named, others) = lines.split_at(lines.len() / 2);
    assert_eq!((named.len(), others.len()), (4, 4), "{lines:?}");
    for (_, line) in named {
        let (_, chain) = line
            .split_once("; caller: ")
            .unwrap_or_else(|| panic!("{line}"));
        assert!(chain.starts_with(&place), "{line}");
        assert!((1..=6).contains(&chain.split(" < ").count()), "{line}");
        assert!(line.len() < 512);
    }
    assert!(!others.iter().any(|(_, line)| line.contains("caller")));
}

/// Also of a connection that has forgotten its peer by then.
#[test]
fn a_reset_in_the_background_has_both_addresses_and_the_error() {
    let _alone = alone();
    let lines = listen();
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    let (ours, peer) = tcp_pair();
    let ends = [ours.local_addr().unwrap(), ours.peer_addr().unwrap()];
    reaper.close(ours, &Options::new().timeout(LONG)).unwrap();
    reset(peer);
    assert!(reaper.flush(LONG));
    clear_log();
    let lines = lines.lock().unwrap();
    if wine::hides_resets() || !cfg!(any(target_os = "linux", windows)) {
        return;
    }
    let [(outcome, line)] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(*outcome, Outcome::Reset);
    for end in ends {
        assert!(line.contains(&end.to_string()), "{line}");
    }
    let error = std::io::Error::from_raw_os_error(libc_reset()).to_string();
    let broken = std::io::Error::from_raw_os_error(32).to_string();
    assert!(line.contains(&error) || line.contains(&broken), "{line}");
}

fn libc_reset() -> i32 {
    if cfg!(windows) {
        10054
    } else {
        104
    }
}

#[test]
fn graceful_ones_have_no_line_and_none_comes_after_the_end() {
    let _alone = alone();
    let lines = listen();
    let (ours, peer) = tcp_pair();
    finish(&peer);
    await_news(&ours);
    close(ours, LONG).unwrap();
    assert!(lines.lock().unwrap().is_empty());
    clear_log();
    close(UdpSocket::bind("127.0.0.1:0").unwrap(), Duration::ZERO).unwrap();
    assert!(lines.lock().unwrap().is_empty());
}

#[test]
fn the_logger_may_call_back_and_what_it_closes_has_no_line() {
    let _alone = alone();
    let depth = Arc::new(Mutex::new(0));
    let reaper = Arc::new(Reaper::new(&ReaperOptions::new()).unwrap());
    let inner = Arc::clone(&reaper);
    let count = Arc::clone(&depth);
    let datagrams = || UdpSocket::bind("127.0.0.1:0").unwrap();
    set_log(move |outcome, _| {
        assert_eq!(outcome, Outcome::NotConnected);
        *count.lock().unwrap() += 1;
        close(datagrams(), LONG).unwrap();
        inner.close(datagrams(), &Options::new()).unwrap();
        assert!(stats().closed > 0);
        clear_log();
    });
    reaper.close(datagrams(), &Options::new()).unwrap();
    assert!(reaper.flush(LONG));
    assert_eq!(*depth.lock().unwrap(), 1);
    close(datagrams(), LONG).unwrap();
    assert_eq!(*depth.lock().unwrap(), 1);
}

/// As `eprintln!` does where nobody reads the errors. It costs the line, on the thread that closes and on a reaper's.
#[test]
fn a_panic_of_the_logger_is_caught() {
    let _alone = alone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    set_log(|_, _| panic!("nobody reads this"));
    let reaper = Reaper::new(&ReaperOptions::new()).unwrap();
    for _ in 0..3 {
        let (ours, _peer) = tcp_pair();
        assert_eq!(close(ours, ms(5)).unwrap().outcome, Outcome::TimedOut);
        let (ours, _peer) = tcp_pair();
        let (tell, told) = mpsc::channel();
        let options = Options::new().timeout(ms(5));
        reaper
            .close_then(ours, &options, move |report| {
                tell.send(report.outcome).unwrap()
            })
            .unwrap();
        assert_eq!(told.recv_timeout(LONG).unwrap(), Outcome::TimedOut);
    }
    clear_log();
    std::panic::set_hook(hook);
}
