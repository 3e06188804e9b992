//! The manual: README.md and docs/. Links lead somewhere, every name of the header and every word
//! that people search by is there.

pub mod code;
mod commands;
pub mod figures;
pub mod site;

pub use commands::functions as test_functions;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

/// What people type into a search: each must be found in docs/.
const WORDS: &str = "10054, WSAECONNRESET, 10053, WSAECONNABORTED, ECONNRESET, EPIPE, ENOTCONN, EADDRINUSE, 10048, \
    CLOSE_WAIT, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, TIME_WAIT, connection reset by peer, broken pipe, SIGPIPE, \
    keep-alive, WebSocket, HTTP/2, relay, backlog, DisconnectEx, POLLHUP, io_uring, SO_LINGER, SO_REUSEADDR, RST, \
    WSAEWOULDBLOCK, WSAENOTSOCK, FD_CLOSE, epoll, TLS, close_notify, proxy, garbage collector";

fn words() -> impl Iterator<Item = &'static str> {
    WORDS.split(", ")
}

/// A Markdown file without its code.
struct Page {
    path: PathBuf,
    prose: String,
    anchors: BTreeSet<String>,
    /// The blocks of C, each with the line where it begins.
    fragments: Vec<(usize, String)>,
}

impl Page {
    fn read(path: PathBuf) -> Page {
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Page {
            path,
            prose: String::new(),
            anchors: BTreeSet::new(),
            fragments: Vec::new(),
        };
        let mut block: Option<(bool, usize, String)> = None;
        for (at, line) in text.lines().enumerate() {
            match (&mut block, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    block = Some((language.trim() == "c", at + 1, String::new()))
                }
                (Some(_), Some("")) => {
                    if let Some((true, begins, code)) = block.take() {
                        page.fragments.push((begins, code));
                    }
                }
                (Some((_, _, code)), _) => {
                    code.push_str(line);
                    code.push('\n');
                }
                (None, None) => page.prose_line(line),
            }
        }
        page
    }

    fn prose_line(&mut self, line: &str) {
        if let Some(title) = line.strip_prefix('#') {
            self.anchors
                .insert(anchor(title.trim_start_matches('#').trim()));
        }
        self.prose.push_str(line);
        self.prose.push('\n');
    }

    /// Targets of links and pictures that lie in this tree.
    fn links(&self) -> impl Iterator<Item = &str> {
        self.prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', ' ', '\n']).next())
            .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
    }
}

/// What GitHub and mdBook make of a heading.
fn anchor(title: &str) -> String {
    // of a link, its text
    let shown = title.split("](").next().unwrap_or(title).replace('[', "");
    shown
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            markdown_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("examples-c/README.md")];
    for entry in fs::read_dir(".").expect("the tree") {
        let path = PathBuf::from(entry.expect("an entry").file_name());
        if path.extension().is_some_and(|end| end == "md") {
            paths.push(path);
        }
    }
    markdown_below(Path::new("docs"), &mut paths);
    paths.into_iter().map(Page::read).collect()
}

/// a/../b is b, without asking the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn wrong_links(pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in pages {
        for link in page.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.path.clone(),
                file => plain(&page.path.parent().unwrap_or(Path::new("")).join(file)),
            };
            let known = pages.iter().find(|page| page.path == target);
            if !target.exists() {
                wrong.push(format!(
                    "{}: {link}: there is no {}",
                    page.path.display(),
                    target.display()
                ));
            } else if !anchor.is_empty() && !known.is_some_and(|page| page.anchors.contains(anchor))
            {
                wrong.push(format!(
                    "{}: {link}: there is no such heading",
                    page.path.display()
                ));
            }
        }
    }
    wrong
}

/// Functions, types, constants, macros and members.
fn names_of(header: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut comment = false;
    for line in header.lines() {
        let code = line.trim();
        if comment || code.starts_with("/*") {
            comment = !code.ends_with("*/");
            continue;
        }
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        names.extend(
            words
                .filter(|word| word.starts_with("gc_") || word.starts_with("GC_"))
                .map(String::from),
        );
        names.extend(member(line));
    }
    names
}

/// `    size_t closed;` or `    size_t by_outcome[16];`
fn member(line: &str) -> Option<String> {
    let declaration = line.strip_prefix("    ")?.strip_suffix(';')?;
    let word = declaration
        .split([' ', '*'])
        .next_back()?
        .split('[')
        .next()?;
    let is_name = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_name && !declaration.starts_with("static")).then(|| word.to_string())
}

fn missing(pages: &[Page]) -> Vec<String> {
    let mut text = String::new();
    // the reference is the header itself
    let chapters = pages
        .iter()
        .filter(|page| page.path.starts_with("docs") && !page.path.ends_with("reference.md"));
    for page in chapters {
        text.push_str(&page.prose);
        page.fragments
            .iter()
            .for_each(|(_, code)| text.push_str(code));
    }
    let lower = text.to_lowercase();
    let said: BTreeSet<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let header = fs::read_to_string("include/graceful_close.h").expect("the header");
    let mut missing: Vec<String> = names_of(&header)
        .into_iter()
        .filter(|name| !said.contains(name.as_str()))
        .map(|name| format!("docs/: nothing is said of {name}, which the header has"))
        .collect();
    missing.extend(
        words()
            .filter(|word| !lower.contains(&word.to_lowercase()))
            .map(|word| format!("docs/: nobody who looks for '{word}' finds anything")),
    );
    missing
}

fn not_in_the_summary(pages: &[Page]) -> Vec<String> {
    let Some(summary) = pages
        .iter()
        .find(|page| page.path == Path::new("docs/SUMMARY.md"))
    else {
        return vec!["docs/SUMMARY.md is missing".to_string()];
    };
    let listed: BTreeSet<PathBuf> = summary
        .links()
        .map(|link| Path::new("docs").join(link))
        .collect();
    pages
        .iter()
        .filter(|page| {
            page.path.starts_with("docs")
                && page.path != summary.path
                && !listed.contains(&page.path)
        })
        .map(|page| format!("{} is not in docs/SUMMARY.md", page.path.display()))
        .collect()
}

pub fn verdict(wrong: &[String], right: &str) -> ExitCode {
    for line in wrong {
        println!("{line}");
    }
    if wrong.is_empty() {
        println!("{right}");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Links, names, words, and the table of contents.
pub fn check() -> ExitCode {
    let pages = pages();
    let mut wrong = wrong_links(&pages);
    wrong.extend(missing(&pages));
    wrong.extend(not_in_the_summary(&pages));
    let links: usize = pages.iter().map(|page| page.links().count()).sum();
    verdict(&wrong, &format!("{} pages, {links} links", pages.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_anchors_that_github_gives_them() {
        assert_eq!(
            anchor("Who else holds a connection on Linux"),
            "who-else-holds-a-connection-on-linux"
        );
        assert_eq!(anchor("`gc_close`, and [more](a.md)"), "gc_close-and-more");
        assert_eq!(
            anchor("\"Broken pipe\", EPIPE (10053)"),
            "broken-pipe-epipe-10053"
        );
        assert_eq!(anchor("우아한 종료"), "우아한-종료");
    }

    #[test]
    fn parts_of_a_path_that_go_up_are_taken_back() {
        assert_eq!(
            plain(Path::new("docs/../include/a.h")),
            Path::new("include/a.h")
        );
    }

    #[test]
    fn names_are_those_of_the_code_and_not_of_the_comments() {
        let names = names_of("/* gc_ghost */\nint gc_close(gc_socket sock);\n    size_t by_outcome[16];\n    static a b;\n");
        let expected = ["by_outcome", "gc_close", "gc_socket"];
        assert!(names.iter().map(String::as_str).eq(expected));
    }
}
