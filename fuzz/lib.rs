//! What the targets that call the C functions share: their declarations, and sockets.

pub mod c;
pub mod sockets;
