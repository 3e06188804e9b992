//! A line of the log in a fixed buffer: a close must not end the program for lack of memory.

use std::ffi::CStr;
use std::fmt::{self, Write};

/// Two addresses, the figures and the longest message of a system take about 350.
const ROOM: usize = 512;

/// What a line that was cut ends with.
const CUT: &str = "...";

/// So many bytes of text, with room for the sign of a cut and the zero of C behind it.
const MOST: usize = ROOM - CUT.len() - 1;

/// One line, without a line end. A zero stands behind it.
pub(crate) struct Line {
    bytes: [u8; ROOM],
    length: usize,
}

impl Line {
    /// Cut if it is too long, between two characters.
    pub(crate) fn of(what: fmt::Arguments<'_>) -> Line {
        let mut line = Line {
            bytes: [0; ROOM],
            length: 0,
        };
        if line.write_fmt(what).is_err() {
            line.append(CUT.as_bytes());
        }
        line
    }

    /// Adds it if there is room for the whole of it; whether there was.
    pub(super) fn add_whole(&mut self, what: fmt::Arguments<'_>) -> bool {
        let before = self.length;
        if before > MOST {
            return false; // it was cut
        }
        let is_whole = self.write_fmt(what).is_ok();
        if !is_whole {
            self.bytes[before..].fill(0);
            self.length = before;
        }
        is_whole
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    pub(crate) fn c_text(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    fn append(&mut self, more: &[u8]) {
        self.bytes[self.length..][..more.len()].copy_from_slice(more);
        self.length += more.len();
    }
}

/// Fails where the line is full, which ends the formatting.
impl Write for Line {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MOST - self.length;
        if more.len() <= room {
            self.append(more.as_bytes());
            return Ok(());
        }
        let mut fits = room;
        while !more.is_char_boundary(fits) {
            fits -= 1;
        }
        self.append(&more.as_bytes()[..fits]);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, MOST, ROOM};

    #[test]
    fn what_fits_is_whole() {
        for length in [0, 1, MOST - 1, MOST] {
            let text = "x".repeat(length);
            let line = Line::of(format_args!("{text}"));
            assert_eq!(line.text(), text);
            assert_eq!(line.c_text().to_str(), Ok(&*text));
        }
    }

    /// Characters of one to four bytes, so that each place of the cut is met.
    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        for letter in ["x", "ü", "€", "😀"] {
            for ahead in 0..4 {
                let text = "a".repeat(ahead) + &letter.repeat(ROOM);
                let line = Line::of(format_args!("{text}"));
                let kept = line.text().strip_suffix("...").unwrap();
                assert!(text.starts_with(kept));
                assert!(kept.len() <= MOST && kept.len() + letter.len() > MOST);
                assert_eq!(line.c_text().to_str(), Ok(line.text()));
            }
        }
    }

    /// What comes in several pieces ends at the first that does not fit.
    #[test]
    fn nothing_follows_a_cut() {
        let long = "y".repeat(MOST);
        let line = Line::of(format_args!("z{long}{}", 1));
        assert_eq!(line.text().len(), ROOM - 1);
        assert!(line.text().ends_with("y..."));
    }
}
