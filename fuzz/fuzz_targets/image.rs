//! Any file in place of a program that a library is to be preloaded into: answered, and soon.
#![no_main]

use graceful_close_retrofit::image;
use std::cell::Cell;

/// More than a table of 4096 entries needs; what reads on and on has no bound.
const MOST_READS: u32 = 100_000;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let reads = Cell::new(0);
    let file = |at: u64, to: &mut [u8]| {
        reads.set(reads.get() + 1);
        assert!(reads.get() < MOST_READS, "it does not come to an end");
        let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
        let from = from.unwrap_or_default();
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        count
    };
    if let Some(image) = image::read(&file) {
        assert_eq!((image.kind.0, image.kind.1), (bytes[4], bytes[5]));
        if let Some(linker) = &image.linker {
            let path = linker.path();
            let is_there = bytes.windows(path.len().max(1)).any(|part| part == path);
            assert!(
                path.is_empty() || is_there,
                "a path that is not in the file"
            );
            linker.is_musl();
        }
    }
    reads.set(0);
    if image::is_go(&file) {
        assert!(bytes.starts_with(b"\x7fELF"));
    }
});
