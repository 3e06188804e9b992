//! The names of functions, from the table of symbols.

use super::Function;
use addr2line::demangle_auto;
use object::{Object, ObjectSection, ObjectSymbol, ReadRef, SymbolKind};
use std::borrow::Cow;

struct Named {
    start: u64,
    end: u64,
    name: String,
}

/// Sorted by where they begin.
pub struct Names(Vec<Named>);

impl Names {
    /// A stripped file has the names of what it exports, and no others. A nearest name would be
    /// the wrong one for all static functions, so a name counts for its own size only.
    pub fn of<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> Names {
        let mut names: Vec<Named> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
            .filter_map(|symbol| {
                let start = symbol.address();
                Some(Named {
                    start,
                    end: start.saturating_add(symbol.size()),
                    name: symbol.name().ok()?.to_owned(),
                })
            })
            .collect();
        names.sort_by_key(|named| named.start);
        if matches!(file.format(), object::BinaryFormat::Pe) {
            end_at_the_next(file, &mut names);
        }
        names.retain(|named| named.end > named.start && !named.name.is_empty());
        Names(names)
    }

    pub fn are_few(&self) -> bool {
        self.0.len() < 2
    }

    pub fn at(&self, address: u64) -> Option<Function> {
        let after = self.0.partition_point(|named| named.start <= address);
        // several names of one place, and functions in functions of assembler
        let mut before = self.0[..after].iter().rev().take(8);
        let named = before.find(|named| address < named.end)?;
        Some(Function {
            name: demangle_auto(Cow::Borrowed(&named.name), None).into_owned(),
            file: None,
            line: None,
            inlined: false,
        })
    }
}

/// The symbols of PE have no sizes, but all functions are there, or none.
fn end_at_the_next<'data, R: ReadRef<'data>>(file: &object::File<'data, R>, names: &mut [Named]) {
    let sections: Vec<(u64, u64)> = file
        .sections()
        .map(|section| (section.address(), section.address() + section.size()))
        .collect();
    let mut next = u64::MAX;
    let mut following = u64::MAX;
    for named in names.iter_mut().rev() {
        if named.start < next {
            following = next;
            next = named.start;
        }
        let within = |range: &&(u64, u64)| (range.0..range.1).contains(&named.start);
        let section_end = sections.iter().find(within).map_or(0, |range| range.1);
        named.end = section_end.min(following);
    }
}
