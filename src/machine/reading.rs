//! Reading what the peer still sends, in bounded passes.

use super::state::{Bulk, Deliver, Delivery, Machine};
use crate::clock::Clock;
use crate::connection::{Connection, Fault, Received};

/// One step reads at most so much, so that a flooding peer holds nobody.
pub(in crate::machine) const PASS_BYTES: usize = 1 << 20;

/// From here on the peer is sending in bulk.
const BULK_BYTES: usize = 1 << 20;

/// Portions in which a caller's reader gets the data; lives on the stack, and
/// old programs run threads with 16 KiB of it.
const PORTION: usize = 4096;

/// What a reading pass came to.
pub(super) enum Pass {
    /// Nothing more there.
    Dry,
    /// Read enough for one pass, or the time is up.
    Full,
    End,
    Deaf,
    Limit,
    Stopped,
    Failed(Fault),
}

impl Machine {
    /// Reads until nothing is there or the pass is full: read on after data, a
    /// stalled sender crawls on window probes otherwise. Also when the time is up:
    /// the FIN may be behind what is there.
    pub(super) fn read_pass<C: Connection, K: Clock>(
        &mut self,
        conn: &mut C,
        clock: &K,
        deliver: &mut Deliver<'_>,
    ) -> Pass {
        let mut budget = PASS_BYTES;
        loop {
            let most = match self.plan.max_drain {
                0 => budget,
                // One byte over the limit shows that there was more.
                limit => budget.min(limit.saturating_sub(self.seen.drained).saturating_add(1)),
            };
            let (received, delivery) = match deliver {
                None => (conn.discard(most), Delivery::GoOn),
                Some(deliver) => receive_into(conn, most, deliver),
            };
            let bytes = match received {
                Received::Bytes(bytes) => bytes,
                Received::Empty => return Pass::Dry,
                Received::End => return Pass::End,
                Received::Deaf => return Pass::Deaf,
                Received::Failed(fault) => return Pass::Failed(fault),
            };
            self.seen.drained = self.seen.drained.saturating_add(bytes);
            self.seen.dry_looks = 0;
            self.moved(clock);
            if delivery == Delivery::NotOurs {
                return Pass::Failed(Fault::GONE);
            }
            self.ask_for_bulk(conn, deliver.is_some());
            if delivery == Delivery::Stop {
                return Pass::Stopped;
            }
            if self.plan.max_drain != 0 && self.seen.drained > self.plan.max_drain {
                return Pass::Limit;
            }
            budget = budget.saturating_sub(bytes);
            // A reader may be slow: not one portion more when the time is up.
            let is_late = deliver.is_some() && !self.has_time(clock);
            if budget == 0 || is_late {
                return Pass::Full;
            }
        }
    }

    /// With much coming in, one wake-up per MiB costs a tenth of one per
    /// segment. A reader wants its data soon, so not then.
    fn ask_for_bulk<C: Connection>(&mut self, conn: &mut C, has_reader: bool) {
        if self.seen.bulk == Bulk::Allowed && self.seen.drained >= BULK_BYTES && !has_reader {
            self.seen.bulk = match conn.low_water(true) {
                true => Bulk::Raised,
                false => Bulk::Never,
            };
        }
    }
}

/// One portion to the caller's reader. Not inlined: the buffer shall not cost
/// those who throw the data away.
#[inline(never)]
fn receive_into<C: Connection>(
    conn: &mut C,
    most: usize,
    deliver: &mut &mut dyn FnMut(&[u8]) -> Delivery,
) -> (Received, Delivery) {
    let mut portion = [0u8; PORTION];
    let size = most.min(PORTION);
    let received = conn.receive(&mut portion[..size]);
    let delivery = match received {
        Received::Bytes(bytes) => deliver(&portion[..bytes.min(size)]),
        _ => Delivery::GoOn,
    };
    (received, delivery)
}
