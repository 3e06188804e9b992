//! The shared library stays where it is once it has been loaded: a thread of its own may be at
//! work in it, when the program has long said dlclose(). (On Windows the DLL pins itself.)
//!
//! And `linux_calls` is said where src/sys/linux is what the library is made of: on Linux, unless
//! a test wants what macOS and the BSDs run (RUSTFLAGS="--cfg generic_unix": scripts/generic-tests).
//! `only_ppoll` is said where Linux has no poll() (src/sys/unix/ppoll.rs).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let is_generic = std::env::var_os("CARGO_CFG_GENERIC_UNIX").is_some();
    if matches!(&*system, "linux" | "android") && !is_generic {
        println!("cargo:rustc-cfg=linux_calls");
        let processor = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
        let is_forced = std::env::var_os("CARGO_CFG_ONLY_PPOLL").is_some();
        if !is_forced && matches!(&*processor, "aarch64" | "riscv64" | "loongarch64") {
            println!("cargo:rustc-cfg=only_ppoll");
        }
    }
    if matches!(
        &*system,
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly"
    ) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
