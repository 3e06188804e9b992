//! The system's errors in words, without memory from the heap.

use std::fmt::{self, Write};

/// Longer than any message of the systems is; a longer one is cut.
const ROOM: usize = 256;

/// An error of the system, to be written as "Connection reset by peer (os error 104)".
#[derive(Clone, Copy)]
pub(crate) struct ErrorText(pub(crate) i32);

impl fmt::Display for ErrorText {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_message(self.0, to)?;
        write!(to, " (os error {})", self.0)
    }
}

/// `strerror_r` is the one of POSIX here, also with glibc. The words are in the program's
/// locale, which need not be UTF-8. (With a translation to be looked up glibc takes memory, and
/// does without it if there is none.)
#[cfg(unix)]
fn write_message(code: i32, to: &mut impl Write) -> fmt::Result {
    let mut text = [0u8; ROOM];
    // SAFETY: the place is as large as said. A number that is no error is written as such, and
    // what does not fit is cut.
    unsafe { libc::strerror_r(code, text.as_mut_ptr().cast(), ROOM) };
    let length = text.iter().position(|&byte| byte == 0).unwrap_or(ROOM);
    for chunk in text[..length].utf8_chunks() {
        to.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            to.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

/// Ends without the line end that every message of Windows has.
#[cfg(windows)]
fn write_message(code: i32, to: &mut impl Write) -> fmt::Result {
    use std::ptr::{null, null_mut};
    use windows_sys::Win32::System::Diagnostics::Debug::{
        FormatMessageW, FORMAT_MESSAGE_FROM_SYSTEM, FORMAT_MESSAGE_IGNORE_INSERTS,
    };
    let mut text = [0u16; ROOM];
    // SAFETY: the place is as large as said; nothing is inserted, so there are no arguments.
    let length = unsafe {
        FormatMessageW(
            FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
            null(),
            code as u32,
            0,
            text.as_mut_ptr(),
            ROOM as u32,
            null_mut(),
        )
    };
    let mut text = &text[..(length as usize).min(ROOM)];
    while let Some((&last, rest)) = text.split_last() {
        let is_space = u8::try_from(last).is_ok_and(|last| last.is_ascii_whitespace());
        if !is_space {
            break;
        }
        text = rest;
    }
    if text.is_empty() {
        return to.write_str("unknown error");
    }
    for letter in char::decode_utf16(text.iter().copied()) {
        to.write_char(letter.unwrap_or(char::REPLACEMENT_CHARACTER))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ErrorText;

    /// The standard library says the same, and takes a string for it.
    #[test]
    fn the_words_are_the_systems() {
        let codes: &[i32] = match cfg!(windows) {
            true => &[5, 6, 87, 10038, 10054, 10060],
            false => &[1, 9, 22, 32, 104, 110],
        };
        let expected = |code| std::io::Error::from_raw_os_error(code).to_string();
        // Wine 8 has no words for Winsock's.
        let has_words = |code: &&i32| !expected(**code).contains("FormatMessageW()");
        let mut compared = 0;
        for &code in codes.iter().filter(has_words) {
            assert_eq!(ErrorText(code).to_string(), expected(code));
            compared += 1;
        }
        assert!(compared >= 3);
    }

    #[test]
    fn what_is_no_error_has_its_number() {
        for code in [0, -1, 123_456, i32::MIN, i32::MAX] {
            let text = ErrorText(code).to_string();
            assert!(text.ends_with(&format!(" (os error {code})")), "{text}");
        }
    }
}
