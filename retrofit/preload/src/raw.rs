//! System calls without the C library.
//!
//! The functions of the C library that this crate interposes would lead back into it; and these
//! leave `errno` alone, which a signal handler's close() must, and a cancelled thread cannot be
//! caught in them.

use core::arch::asm;

/// What the kernel returns: an error is its negated number.
pub type Result = isize;

/// # Safety
/// As the system call: pointers must be what it expects.
#[cfg(target_arch = "x86_64")]
#[inline]
pub unsafe fn call(number: i64, a: [usize; 6]) -> Result {
    let result: isize;
    // SAFETY: the kernel's calling convention; it clobbers rcx and r11 besides the result.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// # Safety
/// As the system call: pointers must be what it expects.
#[cfg(target_arch = "aarch64")]
#[inline]
pub unsafe fn call(number: i64, a: [usize; 6]) -> Result {
    let result: isize;
    // SAFETY: the kernel's calling convention; it clobbers nothing but the result.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a[0] as isize => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
            options(nostack)
        );
    }
    result
}
