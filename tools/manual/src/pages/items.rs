//! What `include/graceful_close.h` declares, with the comments.

pub struct Item {
    pub name: String,
    pub kind: Kind,
    /// The comment, without its stars.
    pub doc: Vec<String>,
    /// As a program may write it: no macro of ours before it.
    pub declaration: Vec<String>,
    pub members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Function,
    Macro,
    Constant,
    Struct,
    Callback,
    Opaque,
}

/// Of a struct.
pub struct Member {
    pub name: String,
    pub declaration: String,
    pub doc: Vec<String>,
}

/// The comment at the top.
pub fn introduction(header: &str) -> Vec<String> {
    header
        .lines()
        .skip(1)
        .take_while(|line| line.trim() != "*/")
        .map(without_star)
        .collect()
}

/// Everything that has a comment of its own.
pub fn items(header: &str) -> Vec<Item> {
    let lines: Vec<&str> = header.lines().collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if !lines[at].starts_with("/**") {
            at += 1;
            continue;
        }
        let (doc, next) = comment(&lines, at);
        let end = next
            + lines[next..]
                .iter()
                .position(|line| line.is_empty() || line.starts_with("/**"))
                .unwrap_or(lines.len() - next);
        items.extend(item(doc, &lines[next..end]));
        at = end;
    }
    items
}

/// The comment that begins at a line, and where it is over.
fn comment(lines: &[&str], from: usize) -> (Vec<String>, usize) {
    let length = lines[from..]
        .iter()
        .position(|line| line.trim_end().ends_with("*/"))
        .expect("the end of a comment");
    let doc = lines[from..=from + length]
        .iter()
        .map(|line| {
            let line = line.trim_start().trim_start_matches("/**");
            without_star(line.trim_end().trim_end_matches("*/").trim_end())
        })
        .collect::<Vec<_>>();
    let first = doc.iter().position(|line| !line.is_empty()).unwrap_or(0);
    let last = doc.iter().rposition(|line| !line.is_empty()).unwrap_or(0);
    (doc[first..=last].to_vec(), from + length + 1)
}

fn without_star(line: &str) -> String {
    let line = line.trim_start().trim_start_matches('*');
    line.strip_prefix(' ')
        .unwrap_or(line)
        .trim_end()
        .to_string()
}

fn item(doc: Vec<String>, lines: &[&str]) -> Option<Item> {
    let lines = elsewhere_than_on_windows(lines);
    let first = lines.first()?;
    let mut members = Vec::new();
    let (kind, name, declaration) = if let Some(rest) = first.strip_prefix("#define ") {
        let (name, _) = rest.split_once([' ', '(']).unwrap_or((rest, ""));
        let kind = if rest[name.len()..].starts_with('(') {
            Kind::Macro
        } else {
            Kind::Constant
        };
        (kind, name.to_string(), lines.clone())
    } else if first.starts_with("typedef struct") && first.ends_with('{') {
        let name = first.split(' ').nth(2)?.to_string();
        members = self::members(&lines);
        let mut declaration = vec![format!("typedef struct {name} {{")];
        declaration.extend(members.iter().map(|m| format!("    {}", m.declaration)));
        declaration.push(format!("}} {name};"));
        (Kind::Struct, name, declaration)
    } else if first.starts_with("typedef struct") {
        let name = first.split(' ').nth(2)?.to_string();
        (Kind::Opaque, name, lines.clone())
    } else if first.starts_with("typedef ") && first.contains("(GRACEFUL_CLOSE_CALLBACK *") {
        let plain = joined(&lines).replace("GRACEFUL_CLOSE_CALLBACK ", "");
        let name = plain.split("(*").nth(1)?.split(')').next()?.to_string();
        (Kind::Callback, name, wrapped(&plain))
    } else {
        let plain = joined(&lines).replace("GRACEFUL_CLOSE_API ", "");
        let before = plain.split('(').next()?;
        let name = before.rsplit([' ', '*']).next()?.to_string();
        if !plain.contains('(') || !name.starts_with("gc_") {
            return None;
        }
        (Kind::Function, name, wrapped(&plain))
    };
    Some(Item {
        name,
        kind,
        doc,
        declaration,
        members,
    })
}

/// Of `#ifdef _WIN32 A #else B #endif` and the like B: the manual is for the others.
fn elsewhere_than_on_windows(lines: &[&str]) -> Vec<String> {
    let mut of_interest = true;
    let mut out = Vec::new();
    for line in lines {
        if line.starts_with("#if") {
            of_interest = false;
        } else if line.starts_with("#else") || line.starts_with("#endif") {
            of_interest = true;
        } else if of_interest {
            out.push(line.to_string());
        }
    }
    out
}

fn joined(lines: &[String]) -> String {
    let text: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .collect();
    // the typedefs have the structs' own names
    text.join(" ").replace("struct ", "")
}

/// A prototype on lines of at most 78 columns, broken behind commas.
fn wrapped(prototype: &str) -> Vec<String> {
    let indent = " ".repeat(
        prototype
            .find(")(")
            .map_or_else(|| prototype.find('(').unwrap_or(0) + 1, |at| at + 2),
    );
    let mut lines = vec![String::new()];
    for part in prototype.split_inclusive(", ") {
        let line = lines.last_mut().expect("a line");
        if line.len() + part.trim_end().len() > 70 {
            *line = line.trim_end().to_string();
            lines.push(format!("{indent}{part}"));
        } else {
            line.push_str(part);
        }
    }
    lines
}

fn members(lines: &[String]) -> Vec<Member> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut members = Vec::new();
    let mut at = 1;
    while at < lines.len() {
        if !lines[at].trim_start().starts_with("/**") {
            at += 1;
            continue;
        }
        let (doc, next) = comment(&lines, at);
        let declaration = lines[next].trim().to_string();
        let before = declaration.trim_end_matches(';').split('[').next();
        let name = before.and_then(|text| text.rsplit([' ', '*']).next());
        members.push(Member {
            name: name.expect("a member").to_string(),
            declaration,
            doc,
        });
        at = next + 1;
    }
    members
}
