//! What `retrofit/` shares with the library, and nobody else may use: no
//! part of the interface, it may change at any time.

#[cfg(windows)]
mod of_windows {
    use crate::sys::Socket;
    use std::os::windows::io::RawSocket;

    /// As closesocket: the program's pending receives come back, and no send is cut.
    pub fn give_back_receives(socket: RawSocket) {
        Socket(socket as usize).give_back_receives();
    }

    /// The system's own closesocket, wherever the link leads: its result, and the code of its error.
    pub fn closesocket(socket: RawSocket) -> Result<(), i32> {
        let closed = Socket(socket as usize).close_once();
        closed.map_err(|refused| refused.code)
    }

    /// How many handles, in all processes, refer to the socket, if the system tells.
    pub fn handle_count(socket: RawSocket) -> Option<u32> {
        Socket(socket as usize).handle_count()
    }
}

/// The longest of the limits for ppoll() that are constants (src/sys/unix/limits.rs), and not longer than so many
/// milliseconds.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn longest_limit(ms: u64) -> &'static libc::timespec {
    crate::sys::longest_limit(usize::try_from(ms).unwrap_or(usize::MAX))
}

#[cfg(windows)]
pub use of_windows::{closesocket, give_back_receives, handle_count};

/// What `fuzz/` runs beside the C functions: the simulated schedules of the tests, made of bytes.
/// It exists in a build for a fuzzer alone.
#[cfg(fuzzing)]
pub mod schedules {
    /// One close. Panics where it is not what the contract says.
    pub fn machine(bytes: &[u8]) {
        crate::machine::tests::random::check_bytes(bytes);
    }

    /// The table of many, in the background.
    pub fn pool(bytes: &[u8]) {
        crate::reaper::pool::tests::random::check_bytes(bytes);
    }
}
