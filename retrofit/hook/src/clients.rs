//! Sockets that this process has connected itself: a client's, which by default is closed
//! normally. Whoever breaks off a download wants it to stop.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sorted by number.
static CLIENTS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn clients() -> MutexGuard<'static, Vec<usize>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// It may not get a connection: that shows at its close.
pub(crate) fn note_connect(socket: usize) {
    let mut clients = clients();
    if let Err(place) = clients.binary_search(&socket) {
        clients.insert(place, socket);
    }
}

/// Whether it was one. The number is free for another socket from now on.
pub(crate) fn forget(socket: usize) -> bool {
    let mut clients = clients();
    match clients.binary_search(&socket) {
        Ok(place) => {
            clients.remove(place);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_one_until_it_is_forgotten() {
        for socket in [0x7f04, 0x7f00, 0x7f08, 0x7f00] {
            note_connect(socket);
        }
        assert!(forget(0x7f00));
        assert!(!forget(0x7f00));
        assert!(!forget(0x7f0c));
        assert!(forget(0x7f08));
        assert!(forget(0x7f04));
    }
}
