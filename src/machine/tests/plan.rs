//! What one simulated close is made of, and a builder for the named cases.

use super::script::{Act, Life, Question, Refusal, Setup, System, When, MS};
use crate::connection::{Fault, Sharing};
use crate::options::{Fallback, IfShared, Options};

/// How the close is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// poll() for readability, edges for changes of state: `close.rs` on Linux.
    Edges,
    /// poll() for readability, looks at intervals for changes of state.
    Recheck,
}

/// What becomes of the drained data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    None,
    /// Takes so many nanoseconds for each portion; stops once it has so many
    /// bytes.
    Some {
        cost: u64,
        stop_at: usize,
    },
}

/// One simulated close.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) options: Options,
    pub(crate) driver: Driver,
    pub(crate) reader: Reader,
    /// `allow_bulk`.
    pub(crate) bulk: bool,
    /// `keep_selection`: the program's own event loop drives it.
    pub(crate) by_event_loop: bool,
    /// So many waits in a hundred end early, for nothing.
    pub(crate) spurious: u64,
    /// Waits end up to so many nanoseconds late.
    pub(crate) late: u64,
    /// Given up by the driver after so many steps.
    pub(crate) give_up_after: Option<u32>,
}

impl Plan {
    /// An established connection with nothing on its way, 5 s, no fault.
    pub(crate) fn new() -> Plan {
        Plan {
            setup: Setup {
                system: System::Linux,
                life: Life::Connected,
                unsent: 0,
                linger: false,
                keep_alive: false,
                sharing: Sharing::Alone,
                has_diag: true,
                call_cost: 0,
                look_cost: 0,
                shutdown_fails: None,
                receive_fails: None,
                refusal: None,
                state_is_lost: false,
                in_handshake: false,
                close_complains: false,
                script: Vec::new(),
            },
            options: Options::default(),
            driver: Driver::Edges,
            reader: Reader::None,
            bulk: false,
            by_event_loop: false,
            spurious: 0,
            late: 0,
            give_up_after: None,
        }
    }

    pub(crate) fn of(life: Life) -> Plan {
        let mut plan = Plan::new();
        plan.setup.life = life;
        plan
    }

    pub(crate) fn on(mut self, system: System) -> Plan {
        self.setup.system = system;
        self
    }

    /// Before the close begins.
    pub(crate) fn before(self, act: Act) -> Plan {
        self.at(0, act)
    }

    /// So many milliseconds after it began.
    pub(crate) fn at(mut self, ms: u64, act: Act) -> Plan {
        self.setup.script.push((When::At(ms * MS), act));
        self
    }

    /// So many milliseconds after our FIN was sent.
    pub(crate) fn after_fin(mut self, ms: u64, act: Act) -> Plan {
        self.setup.script.push((When::AfterFin(ms * MS), act));
        self
    }

    pub(crate) fn unsent(mut self, bytes: usize) -> Plan {
        self.setup.unsent = bytes;
        self
    }

    pub(crate) fn linger(mut self) -> Plan {
        self.setup.linger = true;
        self
    }

    pub(crate) fn keep_alive(mut self) -> Plan {
        self.setup.keep_alive = true;
        self
    }

    /// Looks who else holds it, and is told this.
    pub(crate) fn sharing(mut self, sharing: Sharing) -> Plan {
        self.setup.sharing = sharing;
        self.options.if_shared = IfShared::Release;
        self
    }

    pub(crate) fn call_cost(mut self, nanos: u64) -> Plan {
        self.setup.call_cost = nanos;
        self
    }

    pub(crate) fn look_cost(mut self, nanos: u64) -> Plan {
        self.setup.look_cost = nanos;
        self
    }

    pub(crate) fn shutdown_fails(mut self, fault: Fault) -> Plan {
        self.setup.shutdown_fails = Some(fault);
        self
    }

    pub(crate) fn receive_fails(mut self, fault: Fault) -> Plan {
        self.setup.receive_fails = Some(fault);
        self
    }

    /// From its `first` time on (the first is zero), so many `times`.
    pub(crate) fn refuses(mut self, question: Question, first: u32, times: u32) -> Plan {
        self.setup.refusal = Some(Refusal {
            question,
            first,
            times,
        });
        self
    }

    pub(crate) fn close_complains(mut self) -> Plan {
        self.setup.close_complains = true;
        self
    }

    pub(crate) fn timeout(mut self, ms: u32) -> Plan {
        self.options.timeout_ms = ms;
        self
    }

    pub(crate) fn idle(mut self, ms: u32) -> Plan {
        self.options.idle_timeout_ms = ms;
        self
    }

    pub(crate) fn peer_first(mut self, ms: u32) -> Plan {
        self.options.peer_first_ms = ms;
        self
    }

    pub(crate) fn limit(mut self, bytes: usize) -> Plan {
        self.options.max_drain_bytes = bytes;
        self
    }

    pub(crate) fn until_acked(mut self) -> Plan {
        self.options.until_acked = true;
        self
    }

    pub(crate) fn keep_open(mut self) -> Plan {
        self.options.keep_open = true;
        self
    }

    pub(crate) fn fallback(mut self, fallback: Fallback) -> Plan {
        self.options.fallback = fallback;
        self
    }

    pub(crate) fn reader(mut self) -> Plan {
        self.reader = Reader::Some {
            cost: 0,
            stop_at: usize::MAX,
        };
        self
    }

    pub(crate) fn reader_stops_at(mut self, bytes: usize) -> Plan {
        self.reader = Reader::Some {
            cost: 0,
            stop_at: bytes,
        };
        self
    }

    pub(crate) fn slow_reader(mut self, cost: u64) -> Plan {
        self.reader = Reader::Some {
            cost,
            stop_at: usize::MAX,
        };
        self
    }

    pub(crate) fn bulk(mut self) -> Plan {
        self.bulk = true;
        self
    }

    pub(crate) fn by_event_loop(mut self) -> Plan {
        self.by_event_loop = true;
        self
    }

    pub(crate) fn recheck(mut self) -> Plan {
        self.driver = Driver::Recheck;
        self
    }

    pub(crate) fn give_up_after(mut self, steps: u32) -> Plan {
        self.give_up_after = Some(steps);
        self
    }
}

/// A small generator (splitmix64): the same seed gives the same schedule on
/// every system.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
    /// What a fuzzer wants to be rolled first.
    given: std::vec::IntoIter<u8>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice {
            state: seed,
            given: Vec::new().into_iter(),
        }
    }

    /// Shows what these bytes say, and is an ordinary one when they are used up: a schedule
    /// that has begun comes to its end.
    pub(crate) fn of(bytes: &[u8]) -> Dice {
        Dice {
            state: 0,
            given: Vec::from(bytes).into_iter(),
        }
    }

    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if self.given.as_slice().is_empty() {
            return self.roll() % bound;
        }
        // as many bytes as the bound has: a byte that changes, changes one decision
        let bytes = (u64::BITS - (bound - 1).leading_zeros()).div_ceil(8);
        let given = self.given.by_ref().take(bytes as usize);
        given.fold(0, |number, byte| number << 8 | u64::from(byte)) % bound
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(100) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
