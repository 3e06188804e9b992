//! The log: one line for each process and for each close that mattered. Written with one
//! system call each, to a file that all processes append to.

use crate::log_file;
use crate::process;
use crate::real;
use crate::sys;
use graceful_close::Report;
use graceful_close_retrofit::settings::Wrong;
use libc::c_int;
use std::fmt::{self, Write};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static TAKEN_OVER: AtomicU64 = AtomicU64::new(0);

/// One close more that is finished by us.
pub fn took_over() {
    TAKEN_OVER.fetch_add(1, Relaxed);
}

#[cfg_attr(not(feature = "link"), allow(dead_code))]
pub fn taken_over() -> u64 {
    TAKEN_OVER.load(Relaxed)
}

/// An address and a port.
pub type Peer = ([u8; 16], u16);

/// Whether anybody asks how each connection ended.
pub fn is_on() -> bool {
    log_file::is_open()
}

/// The other end, for a line to come.
pub fn peer(fd: c_int) -> Option<Peer> {
    is_on().then(|| sys::peer(fd)).flatten()
}

pub fn started() {
    write(None, format_args!("active"));
}

/// A program gets an environment without the library.
pub fn started_without(why: &str) {
    write(
        None,
        format_args!("starts a program without the library: {why}"),
    );
}

/// A setting of which the default counts.
pub fn not_understood(option: &str, text: &str, wrong: Wrong) {
    write(
        None,
        format_args!("{option} {text}: {wrong}; the default counts"),
    );
}

/// Finished by the program's own thread.
pub fn closed_at_once(fd: c_int) {
    write(peer(fd), format_args!("closed at once"));
}

/// Everything, from now on.
pub fn gave_up(why: &str) {
    write(None, format_args!("does nothing any more: {why}"));
}

/// Could have been finished, and was not.
pub fn refused(fd: c_int, why: &str) {
    write(peer(fd), format_args!("left alone: {why}"));
}

/// At the end of the process, or of its program.
pub fn not_waited_for(count: u32) {
    if count > 0 {
        write(None, format_args!("not waited for any longer: {count}"));
    }
}

/// The usual end of what a service has started, which the log is not filled with.
pub fn left_to_others(fd: c_int) {
    if process::is_ending() {
        return;
    }
    write(peer(fd), format_args!("left to other holders"));
}

pub fn ended(peer: Option<Peer>, outcome: &str, report: Option<Report>) {
    if !log_file::is_open() {
        return;
    }
    match report {
        Some(report) => write(
            peer,
            format_args!(
                "{outcome}, {} ms, {} bytes thrown away, {} not acknowledged",
                report.elapsed.as_millis(),
                report.drained_bytes,
                report.unacked_bytes.unwrap_or(0)
            ),
        ),
        None => write(peer, format_args!("{outcome}")),
    }
}

fn write(peer: Option<Peer>, what: fmt::Arguments) {
    if !log_file::is_open() {
        return;
    }
    let mut line = Text::new();
    let name = real::invocation_name().unwrap_or_default();
    let name = std::str::from_utf8(name).unwrap_or("?");
    let _ = write!(line, "graceful_close: {name}[{}]: ", process::own_pid());
    if let Some((address, port)) = peer {
        let address = Ipv6Addr::from(address);
        let _ = match address.to_ipv4_mapped() {
            Some(address) => write!(line, "{address}:{port}: "),
            None => write!(line, "[{address}]:{port}: "),
        };
    }
    let _ = line.write_fmt(what);
    line.end_line();
    log_file::write(line.bytes());
}

/// Text on the stack; what does not fit is cut.
pub struct Text {
    room: [u8; 256],
    used: usize,
}

impl Text {
    pub fn new() -> Text {
        Text {
            room: [0; 256],
            used: 0,
        }
    }

    fn end_line(&mut self) {
        let last = self.used.min(self.room.len() - 1);
        self.room[last] = b'\n';
        self.used = last + 1;
    }

    pub fn bytes(&self) -> &[u8] {
        self.room.get(..self.used).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room.get_mut(self.used..).unwrap_or_default();
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.used += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use std::fmt::Write;

    #[test]
    fn long_lines_are_cut() {
        let mut line = Text::new();
        for _ in 0..100 {
            line.write_str("0123456789").unwrap();
        }
        line.end_line();
        assert_eq!(line.bytes().len(), 256);
        assert_eq!(line.bytes().last(), Some(&b'\n'));
    }
}
