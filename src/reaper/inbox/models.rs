//! All ways in which threads can meet at the inbox, walked by a model checker:
//! `scripts/loom`. The threads around it do what `reaper.rs` does. Once the
//! others have come to their ends, nothing but the time wakes the reaper.

use super::{Inbox, Wake};
use crate::clock::Time;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread::{spawn, yield_now};

const SOON: Time = Time::from_nanos(10);
/// The end of a nap.
const NAP: Time = Time::from_nanos(20);
/// When something in the set wants to be looked at: the models never get there.
const LATER: Time = Time::from_nanos(50);
const LATEST: Time = Time::from_nanos(100);

fn model(walk: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(walk);
}

/// The kernel: a bell, and one socket that can be waited for.
struct Kernel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bell: bool,
    is_registered: bool,
    /// The peer's FIN is here.
    fin: bool,
    /// An edge that has not been told yet.
    edge: bool,
    /// Threads that may still do something.
    others: usize,
    is_waited: bool,
    /// Nobody woke the reaper before its time.
    overslept: bool,
}

impl State {
    fn see_whether_it_oversleeps(&mut self) {
        let is_quiet = !self.bell && !self.edge && self.others == 0;
        self.overslept |= self.is_waited && is_quiet;
    }
}

impl Kernel {
    /// Another thread has done what it will do.
    fn leave(&self) {
        let mut state = self.state.lock().unwrap();
        state.others -= 1;
        state.see_whether_it_oversleeps();
        self.changed.notify_all();
    }

    fn ring(&self) {
        self.state.lock().unwrap().bell = true;
        self.changed.notify_all();
    }

    /// The FIN comes, or the socket is registered: what is readable already is
    /// told then.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap();
        change(&mut state);
        state.edge = state.fin && state.is_registered;
        self.changed.notify_all();
    }

    fn has_fin(&self) -> bool {
        self.state.lock().unwrap().fin
    }

    /// Until the bell rings, there is an edge or the time has come; whether
    /// there was an edge.
    fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.is_waited = true;
        state.see_whether_it_oversleeps();
        while !state.bell && !state.edge && !state.overslept {
            state = self.changed.wait(state).unwrap();
        }
        state.is_waited = false;
        state.bell = false;
        std::mem::take(&mut state.edge)
    }

    /// The same, and not to wait.
    fn look(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.bell = false;
        std::mem::take(&mut state.edge)
    }
}

/// What the threads share.
struct Shared {
    inbox: Inbox<u32>,
    kernel: Kernel,
    stop: AtomicBool,
    /// Times that the bell was rung from the inbox, and sleeps begun.
    rings: AtomicUsize,
    sleeps: AtomicUsize,
}

impl Shared {
    /// With so many other threads.
    fn new(others: usize) -> Arc<Shared> {
        let state = State {
            others,
            ..State::default()
        };
        Arc::new(Shared {
            inbox: Inbox::new(),
            kernel: Kernel {
                state: Mutex::new(state),
                changed: Condvar::new(),
            },
            stop: AtomicBool::new(false),
            rings: AtomicUsize::new(0),
            sleeps: AtomicUsize::new(0),
        })
    }

    /// With a place reserved, as the last that a thread does.
    fn push(&self, item: u32, due: Time) {
        self.ring_if(self.inbox.push(item, due));
        self.kernel.leave();
    }

    fn overslept(&self) -> bool {
        self.kernel.state.lock().unwrap().overslept
    }

    fn ring_if(&self, wake: Wake) {
        if wake != Wake::No {
            self.rings.fetch_add(1, Ordering::Relaxed);
            self.kernel.ring();
        }
    }

    /// As `Shared::rest` in the reaper; whether there was an edge.
    fn rest(&self) -> bool {
        let expects = self.inbox.is_expecting() || self.stop.load(Ordering::Acquire);
        let until = if expects { NAP } else { LATER };
        let mut edge = false;
        if self.inbox.sleep(until) {
            self.sleeps.fetch_add(1, Ordering::Relaxed);
            match expects {
                true => yield_now(),
                false => edge = self.kernel.wait(),
            }
        }
        if expects {
            edge |= self.kernel.look();
        }
        edge
    }

    /// As `Shared::run` in the reaper, until `enough` has been taken or it is
    /// stopped.
    fn run(&self, enough: usize) -> Vec<u32> {
        let mut all = Vec::new();
        let mut arrivals = Vec::new();
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            self.inbox.take(&mut arrivals);
            all.append(&mut arrivals);
            if all.len() >= enough {
                break;
            }
            if stopping && !self.inbox.is_expecting() {
                self.inbox.take(&mut arrivals);
                all.append(&mut arrivals);
                break;
            }
            self.rest();
        }
        all.sort_unstable();
        all
    }
}

/// Two bring something, and the reaper gets it; whether it was woken for it.
fn two_bring(due: [Time; 2], in_time: bool) {
    model(move || {
        let shared = Shared::new(2);
        let bringers = [0, 1].map(|item| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                shared.inbox.reserve(SOON).unwrap();
                shared.push(item, due[item as usize]);
            })
        });
        assert_eq!(shared.run(2), [0, 1]);
        for bringer in bringers {
            bringer.join().unwrap();
        }
        let rings = shared.rings.load(Ordering::Relaxed);
        match in_time {
            true => assert!(rings <= shared.sleeps.load(Ordering::Relaxed), "{rings}"),
            false => assert_eq!(rings, 0),
        }
        assert!(!in_time || !shared.overslept());
    });
}

#[test]
fn nothing_is_left_lying() {
    two_bring([SOON, SOON], true);
}

#[test]
fn nothing_is_left_lying_in_a_nap() {
    two_bring([NAP, SOON], true);
}

#[test]
fn what_has_time_waits_for_the_reaper_to_wake() {
    two_bring([LATER, LATEST], false);
}

/// Who has a place when the inbox is closed still comes in; nobody else does.
#[test]
fn stopping_takes_all_that_were_promised() {
    model(|| {
        let shared = Shared::new(1);
        let bringers = [0, 1].map(|item| {
            let shared = Arc::clone(&shared);
            spawn(move || match shared.inbox.reserve(SOON) {
                Ok(_) if item == 0 => {
                    // What has time rings for nobody.
                    assert_eq!(shared.inbox.push(item, LATEST), Wake::No);
                    true
                }
                // Refused for another reason.
                Ok(_) => {
                    shared.inbox.cancel();
                    false
                }
                Err(_) => false,
            })
        });
        let owner = spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.inbox.close();
                assert!(shared.inbox.reserve(SOON).is_err());
                shared.stop.store(true, Ordering::Release);
                shared.kernel.ring();
                shared.kernel.leave();
            }
        });
        let all = shared.run(usize::MAX);
        owner.join().unwrap();
        let brought: usize = bringers.map(|it| it.join().unwrap().into()).iter().sum();
        assert_eq!(all.len(), brought);
        assert!(!shared.overslept());
    });
}

/// What a reaper may leave out, to see that the model would notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The step on admission.
    FirstStep,
    /// The promise before the registration.
    Expecting,
}

/// The owner registers its socket before it brings it, so that the only edge
/// can be told while nobody knows the socket; and nothing rings, for it has
/// time. Whether its end can be slept over.
fn is_lost(without: Without) -> bool {
    // Over all ways together: not the model's own types.
    let lost = std::sync::Arc::new(std::sync::OnceLock::new());
    let found = std::sync::Arc::clone(&lost);
    model(move || {
        let shared = Shared::new(2);
        let peer = spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.kernel.change(|state| state.fin = true);
                shared.kernel.leave();
            }
        });
        let owner = spawn({
            let shared = Arc::clone(&shared);
            move || {
                if without != Without::Expecting {
                    shared.inbox.reserve(SOON).unwrap();
                }
                shared.kernel.change(|state| state.is_registered = true);
                if without == Without::Expecting {
                    // The promise comes too late.
                    shared.inbox.reserve(SOON).unwrap();
                }
                assert_eq!(shared.inbox.push(0, LATEST), Wake::No, "it has time");
                shared.kernel.leave();
            }
        });
        let mut arrivals = Vec::new();
        let mut inside = false;
        loop {
            shared.inbox.take(&mut arrivals);
            let came = !arrivals.is_empty();
            arrivals.clear();
            inside |= came;
            let is_stepped = came && without != Without::FirstStep;
            if is_stepped && shared.kernel.has_fin() || shared.overslept() {
                break;
            }
            if shared.rest() && inside && shared.kernel.has_fin() {
                break;
            }
        }
        peer.join().unwrap();
        owner.join().unwrap();
        if shared.overslept() {
            let _ = found.set(());
        }
    });
    lost.get().is_some()
}

#[test]
fn an_edge_told_before_the_hand_over_is_not_lost() {
    assert!(!is_lost(Without::Nothing));
}

#[test]
fn the_step_on_admission_is_needed_for_that() {
    assert!(is_lost(Without::FirstStep));
}

#[test]
fn the_promise_is_needed_for_that() {
    assert!(is_lost(Without::Expecting));
}

/// Who waits until none is pending: as `flush` and `one_less` in the reaper.
#[test]
fn the_last_one_wakes_whoever_flushes() {
    model(|| {
        let alive = Arc::new(AtomicUsize::new(2));
        let done = Arc::new((Mutex::new(()), Condvar::new()));
        let ends = [0, 1].map(|_| {
            let (alive, done) = (Arc::clone(&alive), Arc::clone(&done));
            spawn(move || {
                if alive.fetch_sub(1, Ordering::AcqRel) == 1 {
                    let _lock = done.0.lock().unwrap();
                    done.1.notify_all();
                }
            })
        });
        let mut lock = done.0.lock().unwrap();
        while alive.load(Ordering::Acquire) > 0 {
            lock = done.1.wait(lock).unwrap();
        }
        drop(lock);
        for end in ends {
            end.join().unwrap();
        }
    });
}
