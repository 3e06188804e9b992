//! The tables beside the code that tell how a frame of the stack leads to the next one
//! (.eh_frame_hdr and .eh_frame: Linux Standard Base 5.0, Core, 10.6), in the one form in which linkers write
//! them for x86-64. Of any other form nothing is told.

/// A segment of an object, in memory.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub bytes: &'a [u8],
    /// Of the first byte.
    pub address: usize,
    /// Of .eh_frame_hdr, which is in the segment.
    pub header: usize,
}

/// What is said of one function.
pub struct Entry<'a> {
    pub code_unit: u64,
    pub data_unit: i64,
    /// The function's first byte.
    pub begin: usize,
    /// Instructions that hold for many functions, and those of this one.
    pub common: Reader<'a>,
    pub own: Reader<'a>,
}

/// Version 1; 4-byte numbers: of .eh_frame counted from here, of the entries unsigned, in the list
/// counted from .eh_frame_hdr.
const HEADER: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
/// Addresses of functions: 4 bytes, counted from where they are written.
const FROM_HERE: u8 = 0x1b;
const RETURN_ADDRESS: u64 = 16;

impl<'a> Tables<'a> {
    /// The function that an address is in.
    pub fn entry(&self, address: usize) -> Option<Entry<'a>> {
        let at = self.description_of(address)?;
        let mut function = self.record(at)?;
        let link = function.at;
        let common = self.common(link.checked_sub(function.u32()? as usize)?)?;
        let here = self.address + function.at;
        let begin = here.wrapping_add_signed(function.i32()? as isize);
        let size = function.u32()? as usize;
        if address.wrapping_sub(begin) >= size {
            return None;
        }
        let more = function.unsigned()?;
        function.skip(more as usize)?;
        Some(Entry {
            code_unit: common.code_unit,
            data_unit: common.data_unit,
            begin,
            common: common.instructions,
            own: function,
        })
    }

    /// Where the last function that begins at the address or before it is described.
    fn description_of(&self, address: usize) -> Option<usize> {
        let header = self.header.checked_sub(self.address)?;
        let mut reader = Reader::new(self.bytes, header)?;
        if reader.take(4)? != HEADER {
            return None;
        }
        reader.skip(4)?;
        let count = reader.u32()? as usize;
        let list = reader.take(count.checked_mul(8)?)?;
        let number = |at: usize| {
            let bytes = list.get(at..at + 4)?;
            Some(i32::from_le_bytes(bytes.try_into().ok()?) as isize)
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            match self.header.wrapping_add_signed(number(middle * 8)?) <= address {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let last = low.checked_sub(1)?;
        header.checked_add_signed(number(last * 8 + 4)?)
    }

    /// A record's bytes behind its length.
    fn record(&self, at: usize) -> Option<Reader<'a>> {
        let mut reader = Reader::new(self.bytes, at)?;
        let length = reader.u32()?;
        // the last one; and one of 64 bits
        if length == 0 || length == u32::MAX {
            return None;
        }
        reader.end = reader.at.checked_add(length as usize)?;
        (reader.end <= self.bytes.len()).then_some(reader)
    }

    fn common(&self, at: usize) -> Option<Common<'a>> {
        let mut reader = self.record(at)?;
        if reader.u32()? != 0 {
            return None;
        }
        let version = reader.byte()?;
        let kinds = reader.text()?;
        let code_unit = reader.unsigned()?;
        let data_unit = reader.signed()?;
        let return_address = match version {
            1 => u64::from(reader.byte()?),
            3 => reader.unsigned()?,
            _ => return None,
        };
        let [b'z', kinds @ ..] = kinds else {
            return None;
        };
        let size = reader.unsigned()? as usize;
        let behind = reader.at.checked_add(size)?;
        if return_address != RETURN_ADDRESS || addresses_of(&mut reader, kinds)? != FROM_HERE {
            return None;
        }
        reader.at = behind;
        Some(Common {
            code_unit,
            data_unit,
            instructions: reader,
        })
    }
}

struct Common<'a> {
    code_unit: u64,
    data_unit: i64,
    instructions: Reader<'a>,
}

/// How the functions' addresses are written. `None`: a frame of a signal handler's caller ('S'),
/// where the address is that of the next instruction and not that of a call; or an unknown kind.
fn addresses_of(reader: &mut Reader, kinds: &[u8]) -> Option<u8> {
    let mut form = None;
    for kind in kinds {
        match kind {
            b'R' => form = Some(reader.byte()?),
            b'L' => drop(reader.byte()?),
            b'P' => {
                let size = match reader.byte()? & 0x0f {
                    0x02 | 0x0a => 2,
                    0x03 | 0x0b => 4,
                    0x00 | 0x04 | 0x0c => 8,
                    _ => return None,
                };
                reader.skip(size)?;
            }
            _ => return None,
        }
    }
    form
}

/// Reads within bounds, little-endian.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    all: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub fn new(all: &'a [u8], at: usize) -> Option<Reader<'a>> {
        let end = all.len();
        (at <= end).then_some(Reader { all, at, end })
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let behind = self.at.checked_add(count)?;
        let taken = self.all.get(self.at..behind)?;
        self.at = behind;
        (behind <= self.end).then_some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        self.u32().map(|number| number as i32)
    }

    /// To a zero.
    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.all.get(self.at..self.end)?;
        let length = rest.iter().position(|byte| *byte == 0)?;
        self.at += length + 1;
        Some(&rest[..length])
    }

    /// LEB128: seven bits of each byte, the lowest first.
    pub fn unsigned(&mut self) -> Option<u64> {
        Some(self.leb128()?.0)
    }

    pub fn signed(&mut self) -> Option<i64> {
        let (number, bits, is_negative) = self.leb128()?;
        let filled = match is_negative && bits < 64 {
            true => u64::MAX << bits,
            false => 0,
        };
        Some((number | filled) as i64)
    }

    /// The number, its bits, and whether the last byte has the sign.
    fn leb128(&mut self) -> Option<(u64, u32, bool)> {
        let (mut number, mut bits) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(bits)?;
            bits += 7;
            if byte & 0x80 == 0 {
                return Some((number, bits, byte & 0x40 != 0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reader;

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader::new(bytes, 0).unwrap()
    }

    #[test]
    fn numbers_of_any_length() {
        // the examples of DWARF 5, 7.6
        assert_eq!(reader(&[0x02]).unsigned(), Some(2));
        assert_eq!(reader(&[0xe5, 0x8e, 0x26]).unsigned(), Some(624_485));
        assert_eq!(reader(&[0x7e]).signed(), Some(-2));
        assert_eq!(reader(&[0xff, 0x00]).signed(), Some(127));
        assert_eq!(reader(&[0x80, 0x7f]).signed(), Some(-128));
        assert_eq!(reader(&[0x78]).signed(), Some(-8));
        assert_eq!(reader(&[0x80]).unsigned(), None);
        assert_eq!(reader(&[0xff; 11]).unsigned(), None);
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        assert_eq!(reader(&[1, 2, 3]).u32(), None);
        assert_eq!(reader(&[]).byte(), None);
        assert_eq!(reader(b"zR").text(), None);
        assert_eq!(reader(b"zR\0x").text(), Some(&b"zR"[..]));
        assert!(reader(&[1]).skip(usize::MAX).is_none());
    }
}
