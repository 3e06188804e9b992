//! What tells one socket from another: fstat() nowhere here, but their ends do, while they are
//! known.

use crate::connection::{Indexed, Mark};
use crate::sys::hand_over::Probe;
use crate::sys::unix::Socket;

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
