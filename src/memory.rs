//! Asking before taking: a library must not end its program for want of memory.

/// More than a log or a bell takes.
pub(crate) const LITTLE: usize = 1024;

/// More than starting a reaper takes.
pub(crate) const REAPER: usize = 32 * 1024;

/// Whether so much memory can be had at this moment. `Box` and `Arc` cannot fail in
/// Rust, they abort; so small things are asked for first.
pub(crate) fn can_have(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let granted = probe.try_reserve_exact(bytes).is_ok();
    // The compiler may leave out what nobody looks at.
    std::hint::black_box(&probe);
    granted
}
