//! The two ends.

use std::net::SocketAddr;

/// Both ends of a connection, looked up while they can be: a reset one has
/// forgotten its peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
}
