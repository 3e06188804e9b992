//! A closing that asks for nothing special, in few bytes: thousands of them wait at
//! the same time, and what a [`Machine`] knows of them beyond this is the default.

use super::state::{after, Bulk, Looks, Machine, Phase, WatchOver};
use crate::clock::Time;
use crate::options::{Fallback, IfShared, Options};

/// What is left of such a machine between two steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    started: Time,
    drained: usize,
    timeout_ms: u32,
    recheck_ms: u8,
    phase: BriefPhase,
    flags: u8,
    life_look: u8,
}

#[derive(Clone, Copy, Debug)]
enum BriefPhase {
    Start,
    Drain,
    Confirm,
}

const IS_TCP: u8 = 1;
const PEER_FIN: u8 = 2;
const IN_DOUBT: u8 = 4;
const HAS_STATE: u8 = 8;
const WAS_SHUT: u8 = 16;
const WATCHED_OVER: u8 = 32;
const LOOKS: u8 = 64;
const KEEP_ALIVE: u8 = 128;

impl Options {
    /// A time-out and nothing else.
    pub(crate) fn is_brief(&self) -> bool {
        self.fallback == Fallback::Close
            && self.if_shared == IfShared::Shutdown
            && self.idle_timeout_ms == 0
            && self.peer_first_ms == 0
            && self.max_drain_bytes == 0
            && !self.until_acked
            && !self.keep_open
    }
}

impl Machine {
    /// The same in brief, if that says it all.
    pub(crate) fn brief(&self) -> Option<Brief> {
        let phase = match self.phase {
            Phase::Start => BriefPhase::Start,
            Phase::Drain => BriefPhase::Drain,
            Phase::Confirm => BriefPhase::Confirm,
            Phase::PeerFirst | Phase::Dead | Phase::Ended(_) => return None,
        };
        let asks_for_little = self.plan.fallback == Fallback::Close
            && self.plan.if_shared == IfShared::Shutdown
            && self.plan.idle_ms == 0
            && self.plan.peer_first_ms == 0
            && self.plan.max_drain == 0
            && !self.plan.until_acked
            && !self.plan.keep_open
            && self.seen.bulk == Bulk::Never
            && !self.plan.keeps_selection;
        let knows_little = self.seen.kind.is_none() && self.seen.system_error == 0;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        (asks_for_little && knows_little).then_some(Brief {
            started: self.seen.started,
            drained: self.seen.drained,
            timeout_ms: self.plan.timeout_ms,
            recheck_ms: u8::try_from(self.seen.recheck_ms).unwrap_or(u8::MAX),
            phase,
            flags: flag(self.seen.is_tcp, IS_TCP)
                | flag(self.seen.peer_fin, PEER_FIN)
                | flag(self.seen.in_doubt, IN_DOUBT)
                | flag(self.seen.has_state, HAS_STATE)
                | flag(self.seen.was_shut, WAS_SHUT)
                | flag(self.seen.watch_over != WatchOver::None, WATCHED_OVER)
                | flag(self.seen.looks == Looks::Yes, LOOKS)
                | flag(self.seen.watch_over == WatchOver::KeepAlive, KEEP_ALIVE),
            life_look: self.seen.life_look,
        })
    }
}

impl Brief {
    /// A close that begins now.
    pub(crate) fn new(timeout_ms: u32, now: Time) -> Brief {
        Brief {
            started: now,
            drained: 0,
            timeout_ms,
            recheck_ms: 1,
            phase: BriefPhase::Start,
            flags: 0,
            life_look: 0,
        }
    }

    /// A close of a TCP connection that its owner has half-closed now, with SO_LINGER off.
    pub(crate) fn half_closed(timeout_ms: u32, now: Time) -> Brief {
        Brief {
            phase: BriefPhase::Drain,
            flags: IS_TCP,
            ..Brief::new(timeout_ms, now)
        }
    }

    /// The machine as it was.
    pub(crate) fn machine(&self) -> Machine {
        let options = Options {
            timeout_ms: self.timeout_ms,
            ..Options::default()
        };
        let mut machine = Machine::new(&options, self.started);
        machine.phase = match self.phase {
            BriefPhase::Start => Phase::Start,
            BriefPhase::Drain => Phase::Drain,
            BriefPhase::Confirm => Phase::Confirm,
        };
        // It has no callback, or there were no brief form of it.
        machine.skip_final_count();
        machine.seen.half_closed = machine.phase != Phase::Start;
        machine.seen.drained = self.drained;
        machine.seen.recheck_ms = u32::from(self.recheck_ms);
        machine.seen.is_tcp = self.flags & IS_TCP != 0;
        machine.seen.peer_fin = self.flags & PEER_FIN != 0;
        machine.seen.in_doubt = self.flags & IN_DOUBT != 0;
        machine.seen.has_state = self.flags & HAS_STATE != 0;
        machine.seen.was_shut = self.flags & WAS_SHUT != 0;
        machine.seen.life_look = self.life_look;
        if self.flags & WATCHED_OVER != 0 {
            machine.seen.watch_over = match self.flags & KEEP_ALIVE != 0 {
                true => WatchOver::KeepAlive,
                false => WatchOver::Asked,
            };
            machine.seen.looks = match self.flags & LOOKS != 0 {
                true => Looks::Yes,
                false => Looks::No,
            };
        }
        debug_assert_eq!(machine.seen.deadline, after(self.started, self.timeout_ms));
        machine
    }
}
