//! For programs compiled with `-Dclosesocket=gc_closesocket`.
//!
//! That renames winsock2.h's own prototype, which is `dllimport`: the calls go through a pointer
//! called `__imp_gc_closesocket`. The import library of the DLL has it; linked statically it must
//! come from here. Written as assembly, because rustc exports every symbol of that kind it knows
//! of from the DLL, and this one is of no use there.

#[cfg(target_pointer_width = "64")]
std::arch::global_asm!(
    ".section .rdata$graceful_close,\"dr\"",
    ".p2align 3",
    ".globl __imp_gc_closesocket",
    "__imp_gc_closesocket:",
    ".quad gc_closesocket",
    ".text",
);

// stdcall: the size of the arguments is part of the name.
#[cfg(all(target_arch = "x86", target_pointer_width = "32"))]
std::arch::global_asm!(
    ".section .rdata$graceful_close,\"dr\"",
    ".p2align 2",
    ".globl \"__imp__gc_closesocket@4\"",
    "\"__imp__gc_closesocket@4\":",
    ".long \"_gc_closesocket@4\"",
    ".text",
);
