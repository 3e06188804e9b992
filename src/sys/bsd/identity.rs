//! What tells one socket from another: fstat() nowhere here, but their ends do, while they are
//! known.

use crate::connection::{Indexed, Mark};
use crate::sys::hand_over::Probe;
use crate::sys::unix::Socket;

impl Socket {
    /// A socket that has not been bound has an address without a port here; what is refused is
    /// a connection that is over (macOS).
    pub(in crate::sys) const NOT_BOUND: Option<i32> = None;
}

impl Indexed for Socket {
    fn index(&self) -> usize {
        self.0 as usize
    }

    fn mark(&self) -> Option<Mark> {
        self.check().ok()
    }

    fn is_still(&self, mark: Mark) -> bool {
        self.check().is_ok_and(|now| now.may_be(mark))
    }
}
