//! One line out of many words, as the C run-time library takes it apart again ("Parsing C
//! Command-Line Arguments").

use crate::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::OsStrExt;

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const BLANK: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;

/// With a zero at its end.
pub fn command_line(program: &OsStr, arguments: &[OsString]) -> Result<Vec<u16>, Failure> {
    let mut line = vec![QUOTE];
    // The first word knows no escapes; a file's name cannot hold a quote.
    line.extend(program.encode_wide());
    line.push(QUOTE);
    for argument in arguments {
        line.push(BLANK);
        append(&mut line, argument);
    }
    if line.contains(&0) {
        return Err(Failure::Usage("run: an argument holds a zero".into()));
    }
    line.push(0);
    Ok(line)
}

/// Backslashes are themselves, but for those right before a quote: these count double.
fn append(line: &mut Vec<u16>, argument: &OsStr) {
    let units: Vec<u16> = argument.encode_wide().collect();
    let is_plain = |unit: &u16| ![BLANK, TAB, QUOTE].contains(unit);
    if !units.is_empty() && units.iter().all(is_plain) {
        line.extend(units);
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in units {
        if unit == QUOTE {
            line.extend(std::iter::repeat(BACKSLASH).take(backslashes + 1));
        }
        backslashes = if unit == BACKSLASH {
            backslashes + 1
        } else {
            0
        };
        line.push(unit);
    }
    line.extend(std::iter::repeat(BACKSLASH).take(backslashes));
    line.push(QUOTE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let line = command_line(OsStr::new("a b.exe"), &arguments).unwrap();
        String::from_utf16(&line[..line.len() - 1]).unwrap()
    }

    #[test]
    fn what_needs_no_quotes_gets_none() {
        assert_eq!(
            line(&["x", "C:\\dir\\", "-p=1"]),
            r#""a b.exe" x C:\dir\ -p=1"#
        );
    }

    #[test]
    fn blanks_and_nothing_are_quoted() {
        assert_eq!(
            line(&["", "x y", "t\tt"]),
            "\"a b.exe\" \"\" \"x y\" \"t\tt\""
        );
    }

    #[test]
    fn quotes_and_the_backslashes_before_them_are_escaped() {
        assert_eq!(line(&[r#"a"b"#]), r#""a b.exe" "a\"b""#);
        assert_eq!(line(&[r#"a\"b"#]), r#""a b.exe" "a\\\"b""#);
        assert_eq!(line(&[r"C:\x y\"]), r#""a b.exe" "C:\x y\\""#);
    }
}
