//! What is asked of a socket that is handed over.

use crate::connection::{Fault, Mark};
use crate::sys::hand_over::Probe;
use crate::sys::unix::Socket;

impl Probe for Socket {
    fn check(self) -> Result<Mark, Fault> {
        self.kind_by_type()?;
        Ok(self.ends_mark())
    }
}
