//! What one simulated close is made of, and a builder for the named cases.

use super::script::{Act, Life, Setup, System, When, MS};
use crate::connection::Fault;
use crate::options::{Fallback, IfShared, Options};

/// How the close is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// poll() for readability, edges for changes of state: `close.rs` on Linux.
    Edges,
    /// poll() for readability, looks at intervals for changes of state.
    Recheck,
}

/// What becomes of the drained data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
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
pub(super) struct Plan {
    pub(super) setup: Setup,
    pub(super) options: Options,
    pub(super) driver: Driver,
    pub(super) reader: Reader,
    /// `allow_bulk`.
    pub(super) bulk: bool,
    /// So many waits in a hundred end early, for nothing.
    pub(super) spurious: u64,
    /// Waits end up to so many nanoseconds late.
    pub(super) late: u64,
    /// Given up by the driver after so many steps.
    pub(super) give_up_after: Option<u32>,
}

impl Plan {
    /// An established connection with nothing on its way, 5 s, no fault.
    pub(super) fn new() -> Plan {
        Plan {
            setup: Setup {
                system: System::Linux,
                life: Life::Connected,
                unsent: 0,
                linger: false,
                shared: false,
                call_cost: 0,
                shutdown_fails: None,
                receive_fails: None,
                close_complains: false,
                script: Vec::new(),
            },
            options: Options::default(),
            driver: Driver::Edges,
            reader: Reader::None,
            bulk: false,
            spurious: 0,
            late: 0,
            give_up_after: None,
        }
    }

    pub(super) fn of(life: Life) -> Plan {
        let mut plan = Plan::new();
        plan.setup.life = life;
        plan
    }

    pub(super) fn on(mut self, system: System) -> Plan {
        self.setup.system = system;
        self
    }

    /// Before the close begins.
    pub(super) fn before(self, act: Act) -> Plan {
        self.at(0, act)
    }

    /// So many milliseconds after it began.
    pub(super) fn at(mut self, ms: u64, act: Act) -> Plan {
        self.setup.script.push((When::At(ms * MS), act));
        self
    }

    /// So many milliseconds after our FIN was sent.
    pub(super) fn after_fin(mut self, ms: u64, act: Act) -> Plan {
        self.setup.script.push((When::AfterFin(ms * MS), act));
        self
    }

    pub(super) fn unsent(mut self, bytes: usize) -> Plan {
        self.setup.unsent = bytes;
        self
    }

    pub(super) fn linger(mut self) -> Plan {
        self.setup.linger = true;
        self
    }

    pub(super) fn shared(mut self) -> Plan {
        self.setup.shared = true;
        self.options.if_shared = IfShared::Release;
        self
    }

    pub(super) fn call_cost(mut self, nanos: u64) -> Plan {
        self.setup.call_cost = nanos;
        self
    }

    pub(super) fn shutdown_fails(mut self, fault: Fault) -> Plan {
        self.setup.shutdown_fails = Some(fault);
        self
    }

    pub(super) fn receive_fails(mut self, fault: Fault) -> Plan {
        self.setup.receive_fails = Some(fault);
        self
    }

    pub(super) fn close_complains(mut self) -> Plan {
        self.setup.close_complains = true;
        self
    }

    pub(super) fn timeout(mut self, ms: u32) -> Plan {
        self.options.timeout_ms = ms;
        self
    }

    pub(super) fn idle(mut self, ms: u32) -> Plan {
        self.options.idle_timeout_ms = ms;
        self
    }

    pub(super) fn peer_first(mut self, ms: u32) -> Plan {
        self.options.peer_first_ms = ms;
        self
    }

    pub(super) fn limit(mut self, bytes: usize) -> Plan {
        self.options.max_drain_bytes = bytes;
        self
    }

    pub(super) fn fallback(mut self, fallback: Fallback) -> Plan {
        self.options.fallback = fallback;
        self
    }

    pub(super) fn reader(mut self) -> Plan {
        self.reader = Reader::Some {
            cost: 0,
            stop_at: usize::MAX,
        };
        self
    }

    pub(super) fn reader_stops_at(mut self, bytes: usize) -> Plan {
        self.reader = Reader::Some {
            cost: 0,
            stop_at: bytes,
        };
        self
    }

    pub(super) fn slow_reader(mut self, cost: u64) -> Plan {
        self.reader = Reader::Some {
            cost,
            stop_at: usize::MAX,
        };
        self
    }

    pub(super) fn bulk(mut self) -> Plan {
        self.bulk = true;
        self
    }

    pub(super) fn recheck(mut self) -> Plan {
        self.driver = Driver::Recheck;
        self
    }

    pub(super) fn give_up_after(mut self, steps: u32) -> Plan {
        self.give_up_after = Some(steps);
        self
    }
}

/// A small generator (splitmix64): the same seed gives the same schedule on
/// every system.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(100) < chance
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
