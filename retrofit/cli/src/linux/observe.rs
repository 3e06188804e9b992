//! `graceful-close observe`: the program runs, and the command waits for it.
//!
//! A signal that somebody sends to the command is handed on to the program; those of the terminal
//! (Ctrl-C) the program gets itself. SIGUSR2 asks for a report so far.

use super::follow::{self, Follower};
use super::namespace::Namespace;
use super::table_file::TableFile;
use crate::arguments::Observation;
use crate::failure::Failure;
use crate::observe::kernel::{descendants, Counters, Waiting, Watch};
use crate::observe::report::Run;
use crate::observe::write_report;
use libc::c_int;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Connections in CLOSE_WAIT are looked for so often.
const LOOK: Duration = Duration::from_secs(1);

const REPORT: c_int = libc::SIGUSR2;
const HANDED_ON: [c_int; 5] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
];

/// The program's exit code; 128 and its number for a signal that has ended it.
pub fn watch(
    command: &mut Command,
    observation: &Observation,
    path: &Path,
    file: &TableFile,
    refused: impl Fn(&io::Error) -> Failure,
) -> Result<i32, Failure> {
    let signals = Signals::block();
    let mut namespace = Namespace::new();
    namespace.look(Vec::new);
    let before = Counters::now();
    let follower = observation.follow.then(|| Follower::new(file.table()));
    let follower = follower.transpose()?;
    let child = signals.start(command).map_err(|error| refused(&error))?;
    let follower = follower.map(Follower::start).transpose()?;
    let mut running = Running {
        child,
        observation,
        path,
        file,
        before,
        begin: Instant::now(),
        watch: Watch::new(observation.close_wait),
        namespace,
        close_wait: Vec::new(),
        follow_ms: follower.as_ref().map(milliseconds),
        follower,
    };
    running.wait_for_the_end(&signals)
}

struct Running<'a> {
    child: Child,
    observation: &'a Observation,
    /// Of the program.
    path: &'a Path,
    file: &'a TableFile,
    before: Option<Counters>,
    begin: Instant,
    watch: Watch,
    namespace: Namespace,
    close_wait: Vec<Waiting>,
    follower: Option<follow::Running>,
    follow_ms: Option<u64>,
}

fn milliseconds(follower: &follow::Running) -> u64 {
    follower.limit.as_millis() as u64
}

impl Running<'_> {
    fn wait_for_the_end(&mut self, signals: &Signals) -> Result<i32, Failure> {
        let mut reported = Instant::now();
        loop {
            let signal = signals.next(LOOK);
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| Failure::Cannot(error.to_string()))?;
            if let Some(status) = ended {
                self.namespace.look(|| descendants(std::process::id()));
                if let Some(follower) = self.follower.take() {
                    follower.end();
                }
                return self.report(false).map(|()| code(status));
            }
            match signal {
                Some(Signal { number: REPORT, .. }) => self.report_so_far(),
                Some(signal) => self.hand_on(&signal),
                None => self.look(),
            }
            let every = self.observation.every;
            if every.is_some_and(|every| reported.elapsed() >= every) {
                self.report_so_far();
                reported = Instant::now();
            }
        }
    }

    fn hand_on(&self, signal: &Signal) {
        if signal.is_sent && HANDED_ON.contains(&signal.number) {
            // SAFETY: two numbers; the child has not been waited for, so that its number is its own.
            unsafe { libc::kill(self.child.id() as c_int, signal.number) };
        }
    }

    /// What waits no longer is kept: it did wait for so long.
    fn look(&mut self) {
        let program = self.child.id();
        let processes = || {
            let mut all = descendants(program);
            all.push(program);
            all
        };
        self.namespace.look(processes);
        let processes = processes();
        for found in self.watch.look(&processes, Instant::now()) {
            let same = |one: &Waiting| one.local == found.local && one.peer == found.peer;
            match self.close_wait.iter().position(same) {
                Some(at) => self.close_wait[at] = found,
                None if self.close_wait.len() < MOST_WAITING => self.close_wait.push(found),
                None => {}
            }
        }
    }

    /// There may be room or a right later.
    fn report_so_far(&mut self) {
        if let Err(failure) = self.report(true) {
            eprintln!("graceful-close: {failure}");
        }
    }

    fn report(&self, unfinished: bool) -> Result<(), Failure> {
        let request = &self.observation.request;
        let words = [&request.program].into_iter().chain(&request.arguments);
        let run = Run {
            program: words
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            file: self.path.to_owned(),
            milliseconds: self.begin.elapsed().as_millis() as u64,
            unfinished,
            kernel: self.grown(),
            kernel_alone: self.namespace.is_alone(),
            close_wait: self.close_wait.clone(),
            follow_ms: self.follow_ms,
        };
        write_report(self.file.table(), run, &self.observation.outputs)
    }

    fn grown(&self) -> Option<Counters> {
        Some(Counters::now()?.since(self.before.as_ref()?))
    }
}

/// So many connections in CLOSE_WAIT are told.
const MOST_WAITING: usize = 1000;

fn code(status: ExitStatus) -> i32 {
    let signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(signal).unwrap_or(1)
}

/// They wait until they are asked for.
struct Signals {
    all: libc::sigset_t,
    before: libc::sigset_t,
}

struct Signal {
    number: c_int,
    /// By a process, not by the terminal, which sends it to the program, too.
    is_sent: bool,
}

impl Signals {
    fn block() -> Signals {
        // SAFETY: all zeroes is a valid set; the sets are ours, and the numbers are signals.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut all);
            for signal in HANDED_ON.iter().chain(&[REPORT, libc::SIGCHLD]) {
                libc::sigaddset(&mut all, *signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &all, &mut before);
            Signals { all, before }
        }
    }

    /// The program gets the signals blocked that the command was given blocked.
    fn start(&self, command: &mut Command) -> io::Result<Child> {
        let before = self.before;
        // SAFETY: sigprocmask() may be called between fork and exec, and nothing else is.
        unsafe {
            command.pre_exec(move || {
                libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
                Ok(())
            })
        };
        command.spawn()
    }

    fn next(&self, limit: Duration) -> Option<Signal> {
        let limit = libc::timespec {
            tv_sec: limit.as_secs() as _,
            tv_nsec: limit.subsec_nanos() as _,
        };
        // SAFETY: all zeroes is a valid siginfo_t, which is filled; the set and the time are ours.
        let (number, code) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let number = libc::sigtimedwait(&self.all, &mut info, &limit);
            (number, info.si_code)
        };
        (number > 0).then_some(Signal {
            number,
            is_sent: code <= 0,
        })
    }
}
