//! Bytes that tell where they belong, so that none is lost or moved unnoticed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

/// The pattern repeats after this; it divides no power of two.
const PERIOD: usize = 251;
const BLOCK: usize = 64 << 10;

static PATTERN: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..BLOCK + PERIOD).map(|at| (at % PERIOD) as u8).collect());

/// So many bytes, at most a block, from that position on.
pub fn at(position: usize, count: usize) -> &'static [u8] {
    &PATTERN[position % PERIOD..][..count]
}

/// Before a fork: another thread must not be at it then.
pub fn prepare() {
    LazyLock::force(&PATTERN);
}

pub fn send(mut to: &TcpStream, size: usize) {
    for position in (0..size).step_by(BLOCK) {
        let count = BLOCK.min(size - position);
        to.write_all(at(position, count)).expect("sending");
    }
}

#[track_caller]
pub fn check(data: &[u8], position: usize) {
    assert!(data == at(position, data.len()), "garbled at {position}");
}

/// Reads to the end of the stream; how much came. `pause` after every block.
pub fn receive(mut from: &TcpStream, block: usize, pause: Duration) -> std::io::Result<usize> {
    let mut block = vec![0; block.min(BLOCK)];
    let mut total = 0;
    loop {
        let count = from.read(&mut block)?;
        check(&block[..count], total);
        if count == 0 {
            return Ok(total);
        }
        total += count;
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
}
