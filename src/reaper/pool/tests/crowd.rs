//! More than the table can number.

use crate::clock::Time;
use crate::connection::{
    Answer, Backlog, Connection, Fault, Indexed, Kind, Mark, Received, Sharing, TcpState, Watcher,
};
use crate::machine::tests::sim::SimClock;
use crate::machine::{Brief, End};
use crate::outcome::Outcome;
use crate::reaper::pool::{Keep, Packed, Pool, SLOT_BITS};
use crate::sys::Counted;

/// A stream whose peer says nothing.
#[derive(Clone, Copy)]
struct Silent(usize);

impl Indexed for Silent {
    fn index(&self) -> usize {
        self.0
    }

    fn mark(&self) -> Option<Mark> {
        Some(Mark::of(1))
    }

    fn is_still(&self, mark: Mark) -> bool {
        self.mark() == Some(mark)
    }
}

impl Connection for Silent {
    fn classify(&mut self) -> Result<Kind, Fault> {
        Ok(Kind::Stream)
    }
    fn sharing(&mut self, _until: Time) -> Sharing {
        Sharing::Alone
    }
    fn is_connected(&mut self) -> bool {
        true
    }
    fn prepare(&mut self, _keeps_selection: bool) {}
    fn linger_off(&mut self) {}
    fn half_close(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn discard(&mut self, _most: usize) -> Received {
        Received::Empty
    }
    fn receive(&mut self, _buffer: &mut [u8]) -> Received {
        Received::Empty
    }
    fn tcp_state(&mut self) -> Answer<TcpState> {
        Ok(None)
    }
    fn in_flight(&mut self) -> Answer<usize> {
        Ok(None)
    }
    fn backlog(&mut self) -> Answer<Backlog> {
        Ok(None)
    }
    fn pending_error(&mut self) -> Answer<Fault> {
        Ok(None)
    }
    fn was_alive(&mut self) -> Option<bool> {
        None
    }
    fn fin_arrived(&mut self) -> Answer<bool> {
        Ok(None)
    }
    fn fin_was_acknowledged(&mut self) -> bool {
        false
    }
    fn keep_alive(&mut self, _on: bool) -> bool {
        false
    }
    fn low_water(&mut self, _raised: bool) -> bool {
        false
    }
    fn close(&mut self, _graceful: bool) -> Result<(), Fault> {
        Ok(())
    }
    fn reset(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn abort(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Nothing ever happens.
struct Nothing;

impl Watcher<Silent> for Nothing {
    const TELLS_EDGES: bool = true;
    fn watch(&self, _connection: Silent, _readable: bool) {}
    fn remove(&self, _connection: Silent) {}
}

/// A timer has no room for its number: it would wait for ever.
#[test]
#[cfg_attr(miri, ignore = "a million of them take hours there")]
fn one_too_many_is_ended_by_its_fallback() {
    let clock = SimClock::new();
    let mut pool = Pool::new(Counted::new(Nothing).ok().unwrap(), &clock, false);
    let mut ended = Vec::new();
    let most = 1 << SLOT_BITS;
    let mut keep = Keep::NEW;
    keep.set_watched(true);
    let mut admit = |index: usize, ended: &mut Vec<_>| {
        let packed = Packed::Brief {
            socket: Silent(index),
            brief: Brief::new(1000, Time::from_nanos(clock.nanos())),
            keep,
        };
        pool.admit(packed.unpack(), false, ended);
        pool.len()
    };
    for index in 0..most {
        admit(index, &mut ended);
    }
    assert_eq!(ended.len(), 0);
    assert_eq!(admit(most, &mut ended), most);
    let end = ended.pop().and_then(|entry| entry.machine.end());
    assert_eq!(end, Some(End::Outcome(Outcome::Evicted)));
}
