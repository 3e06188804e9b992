//! `graceful-close(1)`, from what `graceful-close run --help` prints.

use super::roff;

/// The page; `source` is the file with the help texts as constants.
pub fn page(source: &str, version: &str) -> String {
    let help = constant(source, "RUN");
    let mut out = roff::heading("graceful-close", 1, version);
    let first = help.lines().next().expect("a first line");
    let summary = first.split_once(": ").map_or(first, |(_, words)| words);
    out += &format!(".SH NAME\ngraceful\\-close \\- {}\n", roff::text(summary));
    out += ".SH SYNOPSIS\n";
    let usage = constant(source, "GENERAL");
    out += &roff::code_block(
        usage
            .lines()
            .filter(|line| line.starts_with("  graceful-close "))
            .map(str::trim),
    );
    out += ".SH DESCRIPTION\n";
    out += &body(&help, ".SH");
    let help = constant(source, "OBSERVE");
    let first = help.lines().next().expect("a first line");
    let summary = first.split_once(": ").map_or(first, |(_, words)| words);
    out += ".SH GRACEFUL-CLOSE OBSERVE\n";
    out += &format!(".B graceful-close observe\n{}.\n.PP\n", roff::text(summary));
    out += &body(&help, ".SS");
    out += ".SH SEE ALSO\n.BR graceful_close (3),\n.BR ld.so (8)\n";
    out
}

/// All but the first lines of a help text; `head` is the macro of its titles.
fn body(help: &str, head: &str) -> String {
    let mut out = String::new();
    let mut separator = String::new();
    let parts = help.split("\n\n").skip(1);
    for part in parts.filter(|part| !part.starts_with("Usage:")) {
        let lines: Vec<&str> = part.lines().collect();
        let (title, rest) = (lines[0], &lines[1..]);
        if title.starts_with("Options") {
            // where the title says no more, it would stand there twice
            out += &format!("{head} OPTIONS\n");
            if title != "Options:" {
                out += &format!("{}\n", roff::text(title));
            }
            out += &options(rest);
            separator = format!("{head} NOTES\n");
        } else if title.starts_with("Exit status") {
            out += &format!("{head} EXIT STATUS\n");
            for line in rest {
                let (code, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
                out += &format!(".TP\n.B {code}\n{}\n", roff::text(meaning.trim()));
            }
        } else {
            out += &separator;
            out += &roff::paragraphs(&lines, "");
            separator = ".PP\n".into();
        }
    }
    out
}

/// The text of `pub const NAME: &str = "\…";` as the compiler reads it.
fn constant(source: &str, name: &str) -> String {
    let begin = format!("pub const {name}: &str = \"\\\n");
    let (_, rest) = source.split_once(&begin).expect("the constant");
    let (text, _) = rest.split_once("\";").expect("its end");
    text.trim_end().replace("\\\"", "\"").replace("\\\\", "\\")
}

/// Options, each with its variable, its default and what it means. The columns of the help text
/// are two blanks or more apart.
fn options(lines: &[&str]) -> String {
    let mut out = String::new();
    // the option's own line waits for the variable, which may stand on the next
    let mut words = String::new();
    for line in lines {
        let is_new = line.starts_with("  --");
        let columns: Vec<&str> = line
            .trim()
            .split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .collect();
        let mut columns = &columns[..];
        if is_new {
            out += &sentence(&mut words);
            out += &format!(".TP\n\\fB{}\\fP\n", roff::code(columns[0]));
            columns = &columns[1..];
        }
        if columns
            .first()
            .is_some_and(|name| name.starts_with("GRACEFUL_CLOSE_"))
        {
            let default = columns.get(1).filter(|value| !value.contains(' '));
            out += &format!(".RB ( {}", columns[0]);
            out += &default.map_or(")\n".to_string(), |value| {
                format!(" \", default {value})\"\n")
            });
            columns = &columns[1 + usize::from(default.is_some())..];
        } else if !is_new && (columns.len() == 2 || is_value(columns[0])) {
            // a value of the option, and what it means
            out += &sentence(&mut words);
            out += ".br\n";
            words = columns.join(": ");
            continue;
        }
        for column in columns {
            if !words.is_empty() {
                words.push('\n');
            }
            words.push_str(column);
        }
    }
    out + &sentence(&mut words)
}

/// "any: the connections …"
fn is_value(text: &str) -> bool {
    text.split_once(": ")
        .is_some_and(|(value, _)| value.bytes().all(|c| c.is_ascii_lowercase()))
}

fn sentence(words: &mut String) -> String {
    let words = std::mem::take(words);
    if words.is_empty() {
        words
    } else {
        roff::filled(&words)
    }
}
