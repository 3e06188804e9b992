//! Text as roff wants it.

/// `.TH NAME SECTION`: the date is that of the release.
pub fn heading(name: &str, section: u8, version: &str) -> String {
    let title = name.to_uppercase();
    format!(
        ".\\\" Generated from graceful_close.h, do not edit.\n\
         .TH {title} {section} 2026-11-22 \"graceful_close {version}\" \"graceful_close\"\n"
    )
}

/// One line of text: names of functions and constants in bold.
pub fn text(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            let next = rest[1..].chars().next();
            match c {
                '\\' => out.push_str("\\e"),
                // a sign or an option, not a hyphen
                '-' if !out.ends_with(char::is_alphanumeric)
                    || next.is_some_and(|c| !c.is_alphabetic()) =>
                {
                    out.push_str("\\-")
                }
                _ => out.push(c),
            }
            rest = &rest[1..];
            continue;
        }
        let word = &rest[..end];
        let is_name = ["gc_", "GC_", "GRACEFUL_CLOSE_"]
            .iter()
            .any(|prefix| word.starts_with(prefix) && word.len() > prefix.len());
        if is_name {
            out.push_str(&format!("\\fB{word}\\fP"));
        } else {
            out.push_str(word);
        }
        rest = &rest[end..];
    }
    guard(out)
}

/// One line of code, as it is.
pub fn code(line: &str) -> String {
    let line = line
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq");
    guard(line)
}

/// Lines of code as a block.
pub fn code_block<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::from(".nf\n");
    for line in lines {
        out.push_str(&code(line));
        out.push('\n');
    }
    out + ".fi\n"
}

/// Paragraphs; what is indented stays as it is.
pub fn paragraphs(lines: &[&str], first_macro: &str) -> String {
    let mut out = String::new();
    for (number, paragraph) in lines.split(|line| line.is_empty()).enumerate() {
        if paragraph.is_empty() {
            continue;
        }
        out.push_str(if number == 0 { first_macro } else { ".PP\n" });
        if paragraph.iter().all(|line| line.starts_with(' ')) {
            out.push_str(&code_block(paragraph.iter().copied()));
        } else {
            out.push_str(&filled(&paragraph.join(" ")));
        }
    }
    out
}

/// Text on lines of at most 78 bytes.
pub fn filled(words: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in words.split_whitespace() {
        let word = text(word);
        if length > 0 && length + 1 + word.len() > 78 {
            out.push('\n');
            length = 0;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        length += word.len();
        out.push_str(&word);
    }
    out + "\n"
}

/// A dot or an apostrophe at the start of a line would be a command.
fn guard(line: String) -> String {
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}
