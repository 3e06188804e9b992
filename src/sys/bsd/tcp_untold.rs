//! DragonFly has no option that tells the state of a connection.

use crate::connection::{Fault, TcpState};
use crate::sys::unix::{fault, Socket};

pub(super) fn state(_: Socket) -> Result<TcpState, Fault> {
    Err(fault(libc::ENOPROTOOPT))
}

pub(super) fn unsent(_: Socket) -> Option<usize> {
    None
}

pub(super) fn was_alive(_: Socket) -> Option<bool> {
    None
}
