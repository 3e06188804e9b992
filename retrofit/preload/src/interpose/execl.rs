//! execl() and its like: their arguments are a list without a fixed end, which only the entry
//! of the function itself can find. The C library's own end in its execve() without a call that
//! could be interposed.

use super::child::{environment, Words};
use super::fail;
use super::processes::{exec_at, exec_named};
use libc::{c_char, c_int};

/// How many arguments are passed in registers, the path among them.
#[cfg(target_arch = "x86_64")]
const IN_REGISTERS: usize = 6;
#[cfg(target_arch = "aarch64")]
const IN_REGISTERS: usize = 8;

/// More are refused, as the system refuses what is too long.
const MOST: usize = 1024;
/// Longer lists are rare, and a thread may have a small stack.
const FEW: usize = 32;

/// The arguments of a call: first those that came in registers, then those on the stack.
struct Arguments {
    registers: *const usize,
    stack: *const usize,
}

impl Arguments {
    /// # Safety
    /// The list has no end before this one.
    unsafe fn at(&self, number: usize) -> *const c_char {
        // SAFETY: the caller of execl() has passed it, in the one place or in the other.
        let word = unsafe {
            if number < IN_REGISTERS {
                *self.registers.add(number)
            } else {
                *self.stack.add(number - IN_REGISTERS)
            }
        };
        word as *const c_char
    }

    /// Fills `words`, to the null that ends the list; where that stands.
    ///
    /// # Safety
    /// It must be the list of a call of execl() or its like.
    unsafe fn collect(&self, words: &mut [*const c_char]) -> Option<usize> {
        for (at, word) in words.iter_mut().enumerate() {
            // SAFETY: there was no null before.
            *word = unsafe { self.at(1 + at) };
            if word.is_null() {
                return Some(1 + at);
            }
        }
        None
    }
}

/// Calls `work` with the path, the list as an array, and what follows the list.
///
/// # Safety
/// As [`Arguments::collect`].
unsafe fn with_list(
    arguments: Arguments,
    has_environment: bool,
    work: impl FnOnce(*const c_char, Words, Words) -> c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let is_short = (1..=FEW).any(|number| arguments.at(number).is_null());
        match is_short {
            true => with_room::<FEW>(arguments, has_environment, work),
            false => with_room::<MOST>(arguments, has_environment, work),
        }
    }
}

/// # Safety
/// As [`Arguments::collect`].
#[inline(never)]
unsafe fn with_room<const ROOM: usize>(
    arguments: Arguments,
    has_environment: bool,
    work: impl FnOnce(*const c_char, Words, Words) -> c_int,
) -> c_int {
    let mut words = [std::ptr::null(); ROOM];
    // SAFETY: as the caller promises; execle() passes one more after the null.
    unsafe {
        let Some(end) = arguments.collect(&mut words) else {
            return fail(libc::E2BIG);
        };
        let environment = if has_environment {
            arguments.at(end + 1).cast()
        } else {
            std::ptr::null()
        };
        work(arguments.at(0), words.as_ptr(), environment)
    }
}

unsafe extern "C" fn list(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: called by execl() below.
    unsafe {
        with_list(Arguments { registers, stack }, false, |path, words, _| {
            exec_at(path, words, environment())
        })
    }
}

unsafe extern "C" fn list_searched(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: called by execlp() below.
    unsafe {
        with_list(Arguments { registers, stack }, false, |file, words, _| {
            exec_named(file, words, environment())
        })
    }
}

unsafe extern "C" fn list_and_environment(registers: *const usize, stack: *const usize) -> c_int {
    // SAFETY: called by execle() below.
    unsafe {
        with_list(
            Arguments { registers, stack },
            true,
            |path, words, environment| exec_at(path, words, environment),
        )
    }
}

/// A function that lays its register arguments down in an array, and calls another with the
/// places of that and of the arguments on the stack.
macro_rules! variadic {
    ($name:ident, $body:ident) => {
        /// # Safety
        /// As its namesake.
        #[unsafe(naked)]
        #[cfg_attr(not(test), no_mangle)]
        #[cfg(target_arch = "x86_64")]
        pub unsafe extern "C" fn $name() -> c_int {
            // 48 bytes for the registers and 8 to align the stack; above them the return
            // address, and then the arguments
            core::arch::naked_asm!(
                "sub rsp, 56",
                "mov [rsp], rdi",
                "mov [rsp + 8], rsi",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], rcx",
                "mov [rsp + 32], r8",
                "mov [rsp + 40], r9",
                "mov rdi, rsp",
                "lea rsi, [rsp + 64]",
                "call {body}",
                "add rsp, 56",
                "ret",
                body = sym $body
            )
        }

        /// # Safety
        /// As its namesake.
        #[unsafe(naked)]
        #[cfg_attr(not(test), no_mangle)]
        #[cfg(target_arch = "aarch64")]
        pub unsafe extern "C" fn $name() -> c_int {
            core::arch::naked_asm!(
                "stp x29, x30, [sp, #-80]!",
                "mov x29, sp",
                "stp x0, x1, [sp, #16]",
                "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]",
                "stp x6, x7, [sp, #64]",
                "add x0, sp, #16",
                "add x1, sp, #80",
                "bl {body}",
                "ldp x29, x30, [sp], #80",
                "ret",
                body = sym $body
            )
        }
    };
}

variadic!(execl, list);
variadic!(execlp, list_searched);
variadic!(execle, list_and_environment);
