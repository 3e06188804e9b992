//! For systems where it costs one system call to ask who else holds a socket.

use super::system::Socket;
use crate::clock::Time;
use crate::connection::{Connection, Sharing};

/// Who else holds each of these sockets: of what has one to be looked for. A question
/// for each of them, where that costs one system call.
pub(crate) fn look_for_sharing<T>(
    all: &mut [T],
    socket: impl Fn(&T) -> Option<Socket>,
    until: Time,
    tell: impl Fn(&mut T, Sharing),
) {
    for one in all {
        if let Some(mut socket) = socket(one) {
            tell(one, socket.sharing(until));
        }
    }
}
