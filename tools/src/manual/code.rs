//! The blocks of C in README.md and docs/: a compiler reads each.

use super::{pages, verdict};
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

/// Warnings that a reader who copies the lines would be right to complain of.
const ERRORS: [&str; 4] = [
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=format",
];

/// A line that begins a function: at the margin, and the brace below it.
fn has_function(code: &str) -> bool {
    let lines: Vec<&str> = code.lines().collect();
    lines
        .windows(2)
        .any(|two| two[1] == "{" && two[0].ends_with(')') && !two[0].starts_with(' '))
}

fn as_file(code: &str) -> String {
    if has_function(code) {
        return format!("#include \"context.h\"\n{code}");
    }
    let (directives, rest): (Vec<&str>, Vec<&str>) =
        code.lines().partition(|line| line.starts_with('#'));
    format!(
        "{}\n#include \"context.h\"\nvoid fragment(void);\nvoid fragment(void)\n{{\n{}\n}}\n",
        directives.join("\n"),
        rest.join("\n")
    )
}

/// What the compiler says against it. None: there is no such compiler.
fn complaint(code: &str) -> Option<Result<(), String>> {
    let compiler = match code.contains("winsock2.h") {
        true => "x86_64-w64-mingw32-gcc".to_string(),
        false => std::env::var("CC").unwrap_or_else(|_| "cc".to_string()),
    };
    let mut running = Command::new(compiler)
        .args([
            "-fsyntax-only",
            "-std=gnu99",
            "-Wall",
            "-Wno-unused",
            "-x",
            "c",
        ])
        .args(ERRORS)
        .args(["-Iinclude", "-Iexamples-c", "-Itests/harness/docs", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    running
        .stdin
        .take()
        .expect("a pipe")
        .write_all(as_file(code).as_bytes())
        .ok();
    let ended = running.wait_with_output().ok()?;
    match ended.status.success() {
        true => Some(Ok(())),
        false => Some(Err(String::from_utf8_lossy(&ended.stderr).into_owned())),
    }
}

/// Whether each block of C compiles.
pub fn check() -> ExitCode {
    let (mut wrong, mut compiled, mut skipped) = (Vec::new(), 0, 0);
    for page in pages() {
        for (line, fragment) in &page.fragments {
            match complaint(fragment) {
                None => skipped += 1,
                Some(Ok(())) => compiled += 1,
                Some(Err(said)) => wrong.push(format!(
                    "{}:{line}: does not compile:\n{said}",
                    page.path.display()
                )),
            }
        }
    }
    if skipped > 0 {
        println!("SKIPPED: {skipped} fragments of C: their compiler is not installed");
    }
    verdict(&wrong, &format!("{compiled} fragments of C compile"))
}

/// Prints the one block of C that has these words, for a program that runs it. Translations have it, too.
pub fn block(words: &str) -> ExitCode {
    let mut found: Vec<String> = Vec::new();
    for page in pages()
        .iter()
        .filter(|page| !page.path.starts_with("docs/ko"))
    {
        let fragments = page.fragments.iter().map(|(_, fragment)| fragment);
        found.extend(
            fragments
                .filter(|fragment| fragment.contains(words))
                .cloned(),
        );
    }
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => {
            print!("{one}");
            ExitCode::SUCCESS
        }
        several => {
            eprintln!(
                "README.md and docs/ have {} blocks of C with '{words}'",
                several.len()
            );
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_a_function_is_a_file_and_any_other_a_body() {
        assert!(has_function("static int a(void)\n{\n    return 1;\n}\n"));
        assert!(!has_function("if (a) {\n    b();\n}\n"));
        assert!(
            as_file("#include <x.h>\na();\n").starts_with("#include <x.h>\n#include \"context.h\"")
        );
    }
}
