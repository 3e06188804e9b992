//! Many simulated closes in the background, their hand-overs, events and times made of bytes.
#![no_main]

use graceful_close::internals::schedules;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| schedules::pool(bytes));
