//! One simulated close, its connection, options and events made of bytes; its end is held against
//! what really happened (`src/machine/tests/judge.rs`).
#![no_main]

use graceful_close::internals::schedules;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| schedules::machine(bytes));
