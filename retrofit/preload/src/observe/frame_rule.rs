//! How one frame of the stack leads to the next, on x86-64. The instructions of the tables
//! (DWARF 5, 6.4.2) are followed as far as compilers use them for ordinary functions; of a frame that
//! needs more than that nothing is told, and the compiler's run-time library is asked for it.

use super::frame_tables::{Entry, Reader, Tables};

/// Of one return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Unknown,
    /// The outermost frame.
    End,
    /// The caller's stack pointer is one of these registers and `size`. The return address is the
    /// word below; the caller's RBP is `saved` words below it, or unchanged (0).
    Frame {
        from: Base,
        size: u32,
        saved: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Sp,
    Bp,
}

const WORD: i64 = 8;
const SP: u64 = 7;
const BP: u64 = 6;
const RETURN_ADDRESS: u64 = 16;

impl Rule {
    /// Never 0.
    pub fn word(self) -> u64 {
        match self {
            Rule::Unknown => 1,
            Rule::End => 2,
            Rule::Frame { from, size, saved } => {
                let kind = if from == Base::Sp { 3 } else { 4 };
                kind | u64::from(saved) << 8 | u64::from(size) << 32
            }
        }
    }

    pub fn of_word(word: u64) -> Rule {
        let frame = |from| Rule::Frame {
            from,
            size: (word >> 32) as u32,
            saved: (word >> 8) as u16,
        };
        match word & 0xff {
            2 => Rule::End,
            3 => frame(Base::Sp),
            4 => frame(Base::Bp),
            _ => Rule::Unknown,
        }
    }

    /// Of a call that returns to this address.
    pub fn of(tables: &Tables, return_address: usize) -> Rule {
        // the call may be the last instruction of its function
        let call = return_address.wrapping_sub(1);
        let entry = tables.entry(call);
        entry
            .and_then(|entry| Machine::run(&entry, call))
            .and_then(Row::rule)
            .unwrap_or(Rule::Unknown)
    }
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Unchanged,
    /// The outermost frame has no caller.
    Nowhere,
    /// From the caller's stack pointer.
    At(i64),
    Other,
}

#[derive(Clone, Copy)]
struct Row {
    from: Option<Base>,
    size: i64,
    bp: Place,
    return_address: Place,
}

impl Row {
    fn rule(self) -> Option<Rule> {
        if self.return_address == Place::Nowhere {
            return Some(Rule::End);
        }
        let saved = match self.bp {
            Place::Unchanged => 0,
            Place::At(offset) if offset < 0 && offset % WORD == 0 => {
                u16::try_from(offset / -WORD).ok()?
            }
            _ => return None,
        };
        let is_usual = self.return_address == Place::At(-WORD) && self.size > 0;
        is_usual.then_some(Rule::Frame {
            from: self.from?,
            size: u32::try_from(self.size).ok()?,
            saved,
        })
    }

    fn place(&mut self, register: u64, place: Place) {
        match register {
            BP => self.bp = place,
            RETURN_ADDRESS => self.return_address = place,
            // a stack pointer that is not what lies below the frame
            SP => self.from = None,
            _ => {}
        }
    }

    fn set_from(&mut self, register: u64) {
        self.from = match register {
            SP => Some(Base::Sp),
            BP => Some(Base::Bp),
            _ => None,
        };
    }
}

/// More are not used by compilers.
const MOST_REMEMBERED: usize = 8;

struct Machine {
    row: Row,
    initial: Row,
    remembered: [Option<Row>; MOST_REMEMBERED],
    depth: usize,
    location: usize,
    code_unit: u64,
    data_unit: i64,
}

impl Machine {
    /// The row of the table that holds for an address.
    fn run(entry: &Entry, address: usize) -> Option<Row> {
        let nothing = Row {
            from: None,
            size: 0,
            bp: Place::Unchanged,
            return_address: Place::Other,
        };
        let mut machine = Machine {
            row: nothing,
            initial: nothing,
            remembered: [None; MOST_REMEMBERED],
            depth: 0,
            location: entry.begin,
            code_unit: entry.code_unit,
            data_unit: entry.data_unit,
        };
        machine.follow(entry.common, address)?;
        machine.initial = machine.row;
        machine.follow(entry.own, address)?;
        Some(machine.row)
    }

    fn follow(&mut self, mut instructions: Reader, address: usize) -> Option<()> {
        while !instructions.is_at_end() && self.location <= address {
            let code = instructions.byte()?;
            let low = u64::from(code & 0x3f);
            match code >> 6 {
                0 => self.extended(low as u8, &mut instructions)?,
                1 => self.advance(low)?,
                2 => self.saved(low, instructions.unsigned()? as i64)?,
                _ => self.restore(low),
            }
        }
        Some(())
    }

    fn extended(&mut self, code: u8, from: &mut Reader) -> Option<()> {
        match code {
            // nop, and how many bytes of arguments there are
            0x00 => {}
            0x2e => drop(from.unsigned()?),
            0x02 => self.advance(u64::from(from.byte()?))?,
            0x03 => self.advance(u64::from(from.u16()?))?,
            0x04 => self.advance(u64::from(from.u32()?))?,
            0x05 => {
                let register = from.unsigned()?;
                self.saved(register, from.unsigned()? as i64)?;
            }
            0x11 => {
                let register = from.unsigned()?;
                self.saved(register, from.signed()?)?;
            }
            0x06 => {
                let register = from.unsigned()?;
                self.restore(register);
            }
            0x07 => self.row.place(from.unsigned()?, Place::Nowhere),
            0x08 => self.row.place(from.unsigned()?, Place::Unchanged),
            // in another register
            0x09 => {
                self.row.place(from.unsigned()?, Place::Other);
                from.unsigned()?;
            }
            0x0a => self.remember()?,
            0x0b => self.recall()?,
            0x0c..=0x0f | 0x12 | 0x13 => self.stack_pointer(code, from)?,
            // by an expression, or at a distance itself
            0x10 | 0x16 => {
                self.row.place(from.unsigned()?, Place::Other);
                let size = from.unsigned()?;
                from.skip(usize::try_from(size).ok()?)?;
            }
            0x14 | 0x15 => {
                self.row.place(from.unsigned()?, Place::Other);
                from.unsigned()?;
            }
            _ => return None,
        }
        Some(())
    }

    fn stack_pointer(&mut self, code: u8, from: &mut Reader) -> Option<()> {
        match code {
            0x0c => {
                self.row.set_from(from.unsigned()?);
                self.row.size = i64::try_from(from.unsigned()?).ok()?;
            }
            0x0d => self.row.set_from(from.unsigned()?),
            0x0e => self.row.size = i64::try_from(from.unsigned()?).ok()?,
            0x12 => {
                self.row.set_from(from.unsigned()?);
                self.row.size = from.signed()?.checked_mul(self.data_unit)?;
            }
            0x13 => self.row.size = from.signed()?.checked_mul(self.data_unit)?,
            _ => {
                self.row.from = None;
                let size = from.unsigned()?;
                from.skip(usize::try_from(size).ok()?)?;
            }
        }
        Some(())
    }

    fn advance(&mut self, count: u64) -> Option<()> {
        let bytes = usize::try_from(count.checked_mul(self.code_unit)?).ok()?;
        self.location = self.location.checked_add(bytes)?;
        Some(())
    }

    fn saved(&mut self, register: u64, count: i64) -> Option<()> {
        let offset = count.checked_mul(self.data_unit)?;
        self.row.place(register, Place::At(offset));
        Some(())
    }

    fn restore(&mut self, register: u64) {
        match register {
            BP => self.row.bp = self.initial.bp,
            RETURN_ADDRESS => self.row.return_address = self.initial.return_address,
            _ => {}
        }
    }

    fn remember(&mut self) -> Option<()> {
        *self.remembered.get_mut(self.depth)? = Some(self.row);
        self.depth += 1;
        Some(())
    }

    fn recall(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.row = self.remembered[self.depth]?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame_tables::{Entry, Reader};
    use super::{Base, Machine, Row, Rule};

    fn rule(own: &[u8], address: usize) -> Rule {
        // as compilers for x86-64 begin: the stack pointer and 8, the return address below
        let common = [0x0c, 7, 8, 0x90, 1];
        let entry = Entry {
            code_unit: 1,
            data_unit: -8,
            begin: 0x1000,
            common: Reader::new(&common, 0).unwrap(),
            own: Reader::new(own, 0).unwrap(),
        };
        let row = Machine::run(&entry, address);
        row.and_then(Row::rule).unwrap_or(Rule::Unknown)
    }

    fn frame(from: Base, size: u32, saved: u16) -> Rule {
        Rule::Frame { from, size, saved }
    }

    #[test]
    fn a_function_with_a_frame_pointer() {
        // push rbp; mov rbp, rsp; ... ; leave; ret
        let own = [
            0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x50, 0x0a, 0x0c, 7, 8,
        ];
        let own = [&own[..], &[0x41, 0x0b]].concat();
        assert_eq!(rule(&own, 0x1000), frame(Base::Sp, 8, 0));
        assert_eq!(rule(&own, 0x1001), frame(Base::Sp, 16, 2));
        assert_eq!(rule(&own, 0x1004), frame(Base::Bp, 16, 2));
        assert_eq!(rule(&own, 0x1014), frame(Base::Sp, 8, 2));
        assert_eq!(rule(&own, 0x1015), frame(Base::Bp, 16, 2));
    }

    #[test]
    fn what_is_not_usual_is_unknown() {
        let by_expression = [0x0f, 1, 0x30];
        let by_r10 = [0x0c, 10, 0];
        let bp_by_expression = [0x10, 6, 1, 0x30];
        let code_without_meaning = [0x3f];
        let too_short = [0x0c, 7];
        for own in [
            &by_expression[..],
            &by_r10,
            &bp_by_expression,
            &code_without_meaning,
            &too_short,
            &[0x0b],
            &[0x0a; 9],
        ] {
            assert_eq!(rule(own, 0x1000), Rule::Unknown, "{own:?}");
        }
        // the return address is undefined: nobody has called it
        assert_eq!(rule(&[0x07, 16], 0x1000), Rule::End);
    }

    #[test]
    fn a_word_keeps_a_rule() {
        for rule in [
            Rule::Unknown,
            Rule::End,
            frame(Base::Sp, 8, 0),
            frame(Base::Bp, u32::MAX, u16::MAX),
        ] {
            assert_eq!(Rule::of_word(rule.word()), rule);
        }
    }
}
