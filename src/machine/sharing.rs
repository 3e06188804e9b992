//! What follows from who else holds the connection.

use super::state::{Machine, Others, Phase};
use crate::clock::Time;
use crate::connection::{Connection, FaultKind, Sharing};
use crate::options::IfShared;
use crate::outcome::Outcome;

impl Machine {
    /// The next step asks who else holds the connection, unless it is told before.
    pub(crate) fn asks_for_sharing(&self) -> bool {
        let is_unasked = self.phase == Phase::Start && self.seen.others == Others::Unasked;
        is_unasked && self.plan.if_shared == IfShared::Release
    }

    /// Spares the machine that question: one search answers it for many.
    pub(crate) fn sharing_is(&mut self, sharing: Sharing) {
        self.seen.others = match sharing {
            Sharing::Alone => Others::None,
            Sharing::Shared => Others::Some,
            // That is for the classification to find out.
            Sharing::Unknown(fault) if fault.kind == FaultKind::NotASocket => return,
            Sharing::Unknown(fault) => {
                self.note(fault);
                Others::Unknown
            }
        }
    }

    /// When its time is up.
    pub(crate) fn deadline(&self) -> Time {
        self.seen.deadline
    }

    /// A half-close acts on every holder of the connection, a plain close only on our
    /// own reference. So what may have another holder gets the plain close. `false`:
    /// that is done, and the phase is another now.
    pub(super) fn may_end_it<C: Connection>(&mut self, conn: &mut C) -> bool {
        if self.asks_for_sharing() {
            match conn.sharing(self.seen.deadline) {
                Sharing::Unknown(fault) if fault.kind == FaultKind::NotASocket => {
                    self.refuse(fault);
                    return false;
                }
                sharing => self.sharing_is(sharing),
            }
        }
        match self.seen.others {
            Others::Unasked | Others::None => return true,
            // SO_LINGER stays as it is: it is the other holder's too, and only the last
            // close of a connection heeds it.
            Others::Some => {}
            // If we are the last holder after all, SO_LINGER would block this close, or
            // make a reset of it.
            Others::Unknown => conn.linger_off(),
        }
        self.finish(conn, Outcome::Released);
        false
    }
}
