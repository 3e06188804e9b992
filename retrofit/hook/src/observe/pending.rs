//! Overlapped calls of the program that have not come back: those by WSARecv and WSASend. ReadFile,
//! WriteFile, TransmitFile and RIO are not seen.
//!
//! A call is remembered by its OVERLAPPED, and at a close it is looked there whether it is still
//! pending (HasOverlappedIoCompleted). Bounded; no lock, no allocation.

use std::mem::size_of;
use std::ptr::{addr_of, addr_of_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use windows_sys::Win32::Foundation::STATUS_PENDING;
use windows_sys::Win32::Networking::WinSock as ws;
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Threading::GetCurrentProcess;
use windows_sys::Win32::System::IO::OVERLAPPED;

/// The address of an OVERLAPPED, without the three bits that its alignment leaves, above the
/// number of a socket, without two: in one word, so that both are read as of one moment.
const SOCKET_BITS: u32 = 18;
const MOST_SOCKET: u64 = (1 << SOCKET_BITS) - 1;
const MOST_ADDRESS: u64 = u64::MAX >> (SOCKET_BITS + 1);
const IS_SEND: u64 = 1;

const PLACES: usize = 4096;

static CALLS: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];
/// Most programs have no such call at all: then nothing is gone through.
static ANY: AtomicBool = AtomicBool::new(false);

/// What is pending on a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) receives: u32,
    pub(super) sends: u32,
}

/// A call that was told to be pending. Of two with the same place the later one counts.
pub(super) fn note(socket: ws::SOCKET, overlapped: *const OVERLAPPED, is_send: bool) {
    if let Some(word) = word(socket, overlapped as u64, is_send) {
        let place = (overlapped as usize >> 4) % PLACES;
        CALLS[place].store(word, Ordering::Relaxed);
        ANY.store(true, Ordering::Relaxed);
    }
}

fn word(socket: ws::SOCKET, address: u64, is_send: bool) -> Option<u64> {
    let (socket, address) = (socket as u64 / 4, address >> 3);
    let fits = socket <= MOST_SOCKET && address <= MOST_ADDRESS && address != 0;
    fits.then_some((address << SOCKET_BITS | socket) << 1 | u64::from(is_send))
}

/// What is still pending on a socket that is to be closed. Nothing of it is remembered after that.
pub(super) fn take(socket: ws::SOCKET) -> Pending {
    let mut found = Pending::default();
    if !ANY.load(Ordering::Relaxed) {
        return found;
    }
    for place in &CALLS {
        let word = place.load(Ordering::Relaxed);
        if word == 0 || word >> 1 & MOST_SOCKET != socket as u64 / 4 {
            continue;
        }
        let _ = place.compare_exchange(word, 0, Ordering::Relaxed, Ordering::Relaxed);
        let address = (word >> (SOCKET_BITS + 1)) << 3;
        if !is_pending(address as usize) {
            continue;
        }
        match word & IS_SEND {
            0 => found.receives += 1,
            _ => found.sends += 1,
        }
    }
    found
}

/// The program may have freed it meanwhile: the system reads it, and refuses then.
fn is_pending(overlapped: usize) -> bool {
    let overlapped = overlapped as *const OVERLAPPED;
    let mut status = 0usize;
    let mut read = 0usize;
    // SAFETY: `status` is as large as said; the other address may be any. `addr_of!` reads nothing.
    let done = unsafe {
        ReadProcessMemory(
            GetCurrentProcess(),
            addr_of!((*overlapped).Internal).cast(),
            addr_of_mut!(status).cast(),
            size_of::<usize>(),
            &mut read,
        )
    };
    done != 0 && read == size_of::<usize>() && status as i32 == STATUS_PENDING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_as_long_as_its_overlapped_says_so() {
        let socket = 0x6_0004;
        let call = |status: i32| {
            let mut call = Box::new(unsafe { std::mem::zeroed::<OVERLAPPED>() });
            call.Internal = status as usize;
            call
        };
        let calls = [STATUS_PENDING, 0, STATUS_PENDING].map(call);
        for (at, call) in calls.iter().enumerate() {
            note(socket, &**call, at == 2);
        }
        assert_eq!(take(socket + 4), Pending::default());
        let found = take(socket);
        assert_eq!((found.receives, found.sends), (1, 1));
        assert_eq!(take(socket), Pending::default());
    }

    #[test]
    fn memory_that_is_gone_is_not_read() {
        let socket = 0x6_1004;
        note(socket, 0x10 as *const OVERLAPPED, false);
        assert_eq!(take(socket), Pending::default());
    }

    #[test]
    fn what_does_not_fit_is_not_taken_for_something_else() {
        assert_eq!(word(1 << 30, 0x1000, false), None);
        assert_eq!(word(4, 1 << 63, false), None);
        let largest = (MOST_SOCKET as usize) * 4;
        assert!(word(largest, 0x7fff_ffff_fff8, true).is_some());
    }
}
