//! A network of its own for one test, so that the kernel's counters and tables
//! show what this test did and nothing else.

use std::ffi::{c_char, c_short};
use std::fs;
use std::io;
use std::mem::zeroed;

/// Counters that move when a connection ends otherwise than by its FINs.
const OF_RESETS: [&str; 6] = [
    "OutRsts",
    "TCPAbortOnData",
    "TCPAbortOnClose",
    "TCPAbortOnLinger",
    "TCPAbortOnTimeout",
    "TCPAbortOnMemory",
];

/// Runs the test on a thread with a network of its own; without the permission
/// for that in the common one, where [`Network::is_own`] says `false`.
pub fn in_own_network<T: Send>(test: &str, body: impl FnOnce(&Network) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let own = enter();
            if let Err(reason) = &own {
                let reason = format!("no network of its own, counters unseen: {reason}");
                super::skipped(test, &reason);
            }
            body(&Network { own: own.is_ok() })
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

pub struct Network {
    own: bool,
}

impl Network {
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// Names and values of the counters of resets; nothing in the common network.
    pub fn resets(&self) -> Vec<(&'static str, u64)> {
        if !self.own {
            return Vec::new();
        }
        let all = [read("snmp"), read("netstat")].concat();
        OF_RESETS
            .iter()
            .map(|name| (*name, counter(&all, name)))
            .collect()
    }

    /// Takes the only line down: nothing arrives any more, and nobody is told.
    pub fn cut(&self) {
        assert!(self.own);
        set_loopback(0).expect("SIOCSIFFLAGS");
    }

    pub fn restore(&self) {
        set_loopback(libc::IFF_UP | libc::IFF_RUNNING).expect("SIOCSIFFLAGS");
    }

    /// (local port, state) of every connection in the table.
    pub fn connections(&self) -> Vec<(u16, u8)> {
        read("tcp").lines().skip(1).map(connection).collect()
    }
}

/// net/tcp_states.h.
pub const TIME_WAIT: u8 = 6;

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).expect("/proc")
}

/// The files have pairs of lines: "Group: name name", "Group: value value".
fn counter(text: &str, name: &str) -> u64 {
    let lines: Vec<&str> = text.lines().collect();
    let found = lines.chunks(2).find_map(|pair| {
        let column = pair[0].split(' ').position(|word| word == name)?;
        pair[1].split(' ').nth(column)
    });
    let value = found.unwrap_or_else(|| panic!("no counter {name}"));
    value.parse().expect("a number")
}

fn connection(line: &str) -> (u16, u8) {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let port = columns[1].split(':').nth(1).unwrap();
    (
        u16::from_str_radix(port, 16).unwrap(),
        u8::from_str_radix(columns[3], 16).unwrap(),
    )
}

fn enter() -> io::Result<()> {
    // SAFETY: takes a number; moves the calling thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    set_loopback(libc::IFF_UP | libc::IFF_RUNNING)
}

fn set_loopback(flags: i32) -> io::Result<()> {
    // SAFETY: takes numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket)?;
    // SAFETY: all zeroes is a valid ifreq: an empty name, no flags.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = flags as c_short;
    // SAFETY: the request reads one ifreq.
    let result = check(unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &request) });
    // SAFETY: opened above, and closed once.
    unsafe { libc::close(socket) };
    result
}

fn check(result: i32) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
