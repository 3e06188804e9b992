//! The shared library stays where it is once it has been loaded: a thread of its own may be at
//! work in it, when the program has long said dlclose(). (On Windows the DLL pins itself.)

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(
        &*system,
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly"
    ) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
