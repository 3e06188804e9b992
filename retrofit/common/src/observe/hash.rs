//! Hashes that are the same in every process and of every build.

/// FNV-1a with 64 bits.
#[derive(Clone, Copy, Debug)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Hash {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self
    }

    #[must_use]
    pub fn number(self, number: u64) -> Hash {
        self.bytes(&number.to_le_bytes())
    }

    /// Never 0, which stands for an empty place. The low bits are as good as the high ones.
    pub fn value(self) -> u64 {
        match self.0 ^ self.0 >> 32 {
            0 => 1,
            value => value,
        }
    }
}

/// Of a peer's address without its port. Never 0.
pub fn of_address(address: &[u8]) -> u32 {
    match Hash::default().bytes(address).value() as u32 {
        0 => 1,
        value => value,
    }
}

/// A quick one, for what stays in one process: a multiplication for eight bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix(u64);

impl Mix {
    #[must_use]
    #[inline]
    pub fn word(self, word: u64) -> Mix {
        // 2 to the 64th by the golden ratio: Knuth, The Art of Computer Programming 3, 6.4
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Mix(mixed ^ mixed >> 32)
    }

    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Mix {
        let mut words = bytes.chunks_exact(8);
        let mut mix = self.word(bytes.len() as u64);
        for word in &mut words {
            let word = word.try_into().map_or(0, u64::from_le_bytes);
            mix = mix.word(word);
        }
        let rest = words.remainder();
        rest.iter()
            .fold(mix, |mix, byte| mix.word(u64::from(*byte)))
    }

    /// Never 0.
    pub fn value(self) -> u64 {
        self.0.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{of_address, Hash, Mix};

    /// FNV-1a of "a" is published (af63dc4c8601ec8c); the halves are mixed. Processes of other builds
    /// find what this one has put in.
    #[test]
    fn values_are_the_same_in_every_build() {
        assert_eq!(Hash::default().bytes(b"a").value(), 0xaf63_dc4c_2962_30c0);
        assert_eq!(of_address(&[127, 0, 0, 1]), 0x1ae5_0a94);
        assert_eq!(Mix(0).word(1).value(), 0x9e37_79b9_e17d_05ac);
        assert_eq!(Mix(0).word(1).word(2).value(), 0xe785_922b_e3c8_2d6d);
    }

    #[test]
    fn each_byte_and_the_length_count() {
        let values = [
            &b""[..],
            b"a",
            b"b",
            b"12345678",
            b"12345679",
            b"123456789",
            b"a\0",
        ];
        let hashes: Vec<u64> = values
            .iter()
            .map(|bytes| Mix::default().bytes(bytes).value())
            .collect();
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash), "{at}");
        }
        assert_eq!(Mix(0).value(), 1);
    }
}
