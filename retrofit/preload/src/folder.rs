//! Folders and links, by system call and without asking for memory: for /proc.

use crate::sys;
use libc::c_int;
use std::ffi::CStr;

/// "socket:[4026531993]", as the links in /proc/PID/fd read.
pub type Target = [u8; 40];

pub fn link(folder: c_int, name: &CStr) -> Result<Target, sys::Error> {
    let mut target: Target = [0; 40];
    sys::read_link(folder, name, &mut target)?;
    Ok(target)
}

/// A folder that is being read.
pub struct Folder {
    pub fd: c_int,
    /// Entries as the kernel gives them, which wants them aligned.
    entries: [u64; ENTRIES],
    at: usize,
    end: usize,
}

const ENTRIES: usize = 256;

/// struct linux_dirent64: where the length of an entry and its name stand.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

impl Folder {
    pub fn open(at: c_int, path: &CStr) -> Result<Folder, sys::Error> {
        Ok(Folder {
            fd: sys::open_at(at, path, libc::O_RDONLY | libc::O_DIRECTORY)?,
            entries: [0; ENTRIES],
            at: 0,
            end: 0,
        })
    }

    /// The next name; good until the next call.
    pub fn next(&mut self) -> Result<Option<&CStr>, sys::Error> {
        if self.at >= self.end {
            self.at = 0;
            self.end = sys::read_folder(self.fd, &mut self.entries)?;
        }
        if self.end == 0 {
            return Ok(None);
        }
        let bytes = sys::bytes(&self.entries);
        let entry = bytes.get(self.at..self.end).unwrap_or_default();
        let (Some(&[low, high]), Some(name)) =
            (entry.get(LENGTH_AT..LENGTH_AT + 2), entry.get(NAME_AT..))
        else {
            return Ok(None);
        };
        self.at += usize::from(u16::from_ne_bytes([low, high])).max(1);
        Ok(CStr::from_bytes_until_nul(name).ok())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = sys::close(self.fd);
    }
}

pub fn number(name: &CStr) -> Option<c_int> {
    name.to_str().ok()?.parse().ok()
}

/// The number as text, without asking for memory.
pub fn decimal(number: c_int, room: &mut [u8; 12]) -> &CStr {
    let mut left = number.unsigned_abs();
    let mut at = room.len() - 1;
    room[at] = 0;
    loop {
        at -= 1;
        room[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 || at == 0 {
            break;
        }
    }
    CStr::from_bytes_until_nul(&room[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_as_text() {
        let mut room = [0u8; 12];
        assert_eq!(decimal(0, &mut room), c"0");
        assert_eq!(decimal(i32::MAX, &mut room), c"2147483647");
    }
}
