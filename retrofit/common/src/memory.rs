//! How much memory a program must be allowed to have, so that the library to preload finds room in it.

/// The library's own data take 1.3 MB, and its code, its tables and its thread's stack 2 MB more.
const LEAST_DATA: u64 = 4 << 20;
const LEAST_ADDRESS_SPACE: u64 = 16 << 20;

/// What these limits leave has been counted for the program alone (setrlimit(2), RLIMIT_DATA and RLIMIT_AS).
pub const fn is_too_little(data: u64, address_space: u64) -> bool {
    data < LEAST_DATA || address_space < LEAST_ADDRESS_SPACE
}

/// The same, in words.
pub const LEAST: &str = "4 MB of data and 16 MB of address space (ulimit -d, ulimit -v, softlimit)";

#[cfg(test)]
mod tests {
    use super::{is_too_little, LEAST, LEAST_ADDRESS_SPACE, LEAST_DATA};

    #[test]
    fn as_much_as_the_least_is_enough() {
        assert!(!is_too_little(u64::MAX, u64::MAX));
        assert!(!is_too_little(LEAST_DATA, LEAST_ADDRESS_SPACE));
        assert!(is_too_little(LEAST_DATA - 1, u64::MAX));
        assert!(is_too_little(u64::MAX, LEAST_ADDRESS_SPACE - 1));
    }

    #[test]
    fn the_words_have_the_numbers() {
        let numbers = [LEAST_DATA, LEAST_ADDRESS_SPACE].map(|bytes| format!("{} MB", bytes >> 20));
        assert!(numbers.iter().all(|number| LEAST.contains(number)));
    }
}
