//! `--follow`: a thread that looks at the connections which the program has closed. The program itself
//! only notes their addresses: every close is done at once, as without it.

use super::diagnosis::Diagnosis;
use super::followed::Followed;
use crate::failure::Failure;
use graceful_close_retrofit::observe::Table;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// Each connection is looked at for so long, and in half of the time that the system keeps one
/// whose peer does not end it (tcp_fin_timeout, 60 s): what is gone later may have been given up.
const LIMIT: Duration = Duration::from_secs(10);
/// After the end of the program.
const AT_THE_END: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

pub struct Follower {
    diagnosis: Diagnosis,
    table: &'static Table,
    limit: Duration,
}

pub struct Running {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    /// For so long.
    pub limit: Duration,
}

impl Follower {
    /// Before the program starts.
    pub fn new(table: &'static Table) -> Result<Follower, Failure> {
        let refused = |error: io::Error| {
            let why = "--follow asks the system for the state of connections that are closed";
            Failure::Cannot(format!("{why} (sock_diag, Linux 5.14 or newer): {error}"))
        };
        let diagnosis = Diagnosis::open().map_err(refused)?;
        table.trails().begin(diagnosis.cookie);
        Ok(Follower {
            diagnosis,
            table,
            limit: limit(),
        })
    }

    /// After its start: a program is started by one thread.
    pub fn start(self) -> Result<Running, Failure> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, limit) = (is_over.clone(), self.limit);
        let named = thread::Builder::new().name("follow".into());
        let started = named.spawn(move || self.run(&told));
        let thread = started.map_err(|error| Failure::Cannot(error.to_string()))?;
        Ok(Running {
            is_over,
            thread,
            limit,
        })
    }

    fn run(self, is_over: &AtomicBool) {
        let mut followed = Followed::new(self.table, self.limit);
        let mut looked = Instant::now();
        let mut end = None;
        loop {
            self.diagnosis.wait(PAUSE);
            let now = Instant::now();
            self.diagnosis
                .ended(|ends, ended| followed.ended(ends, ended, now));
            if now.duration_since(looked) < PAUSE {
                continue;
            }
            looked = now;
            let was_over = end.is_some();
            if is_over.load(Ordering::Acquire) {
                end.get_or_insert(now + AT_THE_END);
            }
            let is_last = end.is_some_and(|end| now >= end);
            followed.look(now, is_last, |trail| self.diagnosis.state(trail).ok());
            if is_last || was_over && followed.is_done() {
                return;
            }
        }
    }
}

impl Running {
    /// The program has ended: what is not known soon is not known.
    pub fn end(self) {
        self.is_over.store(true, Ordering::Release);
        let _ = self.thread.join();
    }
}

fn limit() -> Duration {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_fin_timeout");
    let seconds = text.ok().and_then(|text| text.trim().parse().ok());
    let kept = Duration::from_secs(seconds.unwrap_or(60));
    LIMIT.min(kept / 2)
}
