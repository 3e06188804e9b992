//! Random numbers for the standard library, whose hash tables begin with some. It imports
//! ProcessPrng of bcryptprimitives.dll for that, which Windows 7 and Wine 8 do not have: the command
//! would not start there. A function of that import's name which is in the program goes before the
//! import, and asks RtlGenRandom, which all of them have ("RtlGenRandom function", ntsecapi.h).

use std::ffi::c_void;

type ProcessPrng = unsafe extern "system" fn(*mut u8, usize) -> i32;

/// Where the linker looks for the address of an imported function.
#[export_name = "__imp_ProcessPrng"]
#[used]
pub static ADDRESS: ProcessPrng = process_prng;

#[link(name = "advapi32")]
extern "system" {
    #[link_name = "SystemFunction036"]
    fn rtl_gen_random(buffer: *mut c_void, size: u32) -> u8;
}

/// Always TRUE.
#[export_name = "ProcessPrng"]
pub unsafe extern "system" fn process_prng(buffer: *mut u8, size: usize) -> i32 {
    // SAFETY: as many bytes as the caller says; it asks for 16.
    unsafe { rtl_gen_random(buffer.cast(), u32::try_from(size).unwrap_or(u32::MAX)) };
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn hash_tables_begin_with_different_numbers() {
        use std::hash::{BuildHasher, RandomState};
        let number = || std::thread::spawn(|| RandomState::new().hash_one(1)).join();
        assert_ne!(number().unwrap(), number().unwrap());
    }
}
