//! A module in memory: where its imported addresses stand ("PE Format").

use std::mem::size_of;

/// Offset of the PE header's offset in the DOS header.
const E_LFANEW: usize = 0x3c;
/// The optional header follows the signature and the file header.
const OPTIONAL_HEADER: usize = 24;
const SIZE_OF_IMAGE: usize = OPTIONAL_HEADER + 56;
/// PE32 or PE32+, by the optional header's magic number: where the data directories begin.
const DIRECTORIES: [(u16, usize); 2] = [
    (0x10b, OPTIONAL_HEADER + 96),
    (0x20b, OPTIONAL_HEADER + 112),
];
/// Numbers of directories, and what one entry of each table takes.
const IMPORT: (usize, usize) = (1, 20);
const DELAY_IMPORT: (usize, usize) = (13, 32);
/// Where an import descriptor tells of its slots, and a delay-import descriptor.
const FIRST_THUNK: usize = 16;
const DELAY_IAT: usize = 12;
/// Attribute of a delay-import descriptor: its addresses are relative to the module.
const RELATIVE: u32 = 1;

/// A module that stays loaded as long as this is used.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    base: usize,
    size: usize,
    directories: usize,
}

impl Image {
    /// # Safety
    /// `base` is where a loaded module begins, and it stays loaded.
    pub(crate) unsafe fn at(base: usize) -> Option<Image> {
        // The headers take one page at least; their own numbers tell the rest.
        let mut image = Image {
            base,
            size: 0x1000,
            directories: 0,
        };
        if image.read::<u16>(0)? != u16::from_le_bytes(*b"MZ") {
            return None;
        }
        let header = image.read::<u32>(E_LFANEW)? as usize;
        if image.read::<u32>(header)? != u32::from_le_bytes(*b"PE\0\0") {
            return None;
        }
        let magic = image.read::<u16>(header + OPTIONAL_HEADER)?;
        let (_, directories) = *DIRECTORIES.iter().find(|(of, _)| *of == magic)?;
        image.directories = header + directories;
        image.size = image.read::<u32>(header + SIZE_OF_IMAGE)? as usize;
        Some(image)
    }

    /// Where it lies.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.base..self.base + self.size
    }

    /// A number at an offset; `None` outside of the module.
    fn read<T: Copy>(&self, offset: usize) -> Option<T> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.size {
            return None;
        }
        // SAFETY: inside the module, which is loaded (`at`) and readable throughout: the
        // loader maps all sections. Headers and tables need not be aligned.
        Some(unsafe { ((self.base + offset) as *const T).read_unaligned() })
    }

    /// Where a table begins; `None` if the module has none.
    fn directory(&self, number: usize) -> Option<usize> {
        let offset = self.read::<u32>(self.directories + 8 * number)? as usize;
        (offset != 0).then_some(offset)
    }

    /// Calls `visit` with the address of each slot that holds an imported address.
    pub(crate) fn for_each_slot(&self, mut visit: impl FnMut(*mut usize)) {
        self.for_each_list(
            IMPORT,
            |image, entry| image.read(entry + FIRST_THUNK),
            &mut visit,
        );
        let delayed = |image: &Image, entry: usize| {
            let is_relative = image.read::<u32>(entry)? & RELATIVE != 0;
            image.read::<u32>(entry + DELAY_IAT).filter(|_| is_relative)
        };
        self.for_each_list(DELAY_IMPORT, delayed, &mut visit);
    }

    fn for_each_list(
        &self,
        (number, entry_size): (usize, usize),
        slots_of: impl Fn(&Image, usize) -> Option<u32>,
        visit: &mut impl FnMut(*mut usize),
    ) {
        let Some(mut entry) = self.directory(number) else {
            return;
        };
        // The tables end with an entry of zeros.
        while let Some(slots) = slots_of(self, entry).filter(|slots| *slots != 0) {
            let mut slot = slots as usize;
            while self.read::<usize>(slot).is_some_and(|value| value != 0) {
                visit((self.base + slot) as *mut usize);
                slot += size_of::<usize>();
            }
            entry += entry_size;
        }
    }
}
