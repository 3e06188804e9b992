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
