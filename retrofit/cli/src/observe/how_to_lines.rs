//! `--symbols`: what is known of the modules that occur, and how to get lines for them.

use super::report::{Module, Report};
use super::symbols::Source;
use super::text::wrapped;
use std::fmt::Write;

pub fn write(report: &Report) -> String {
    let mut out = String::from("\nSymbols:\n");
    for module in &report.modules {
        let words = state(module);
        wrapped(&mut out, &format!("    {}  ", module.path), &words);
    }
    let lacks_lines = |module: &&Module| !matches!(module.symbols, Source::Lines { .. });
    let lacking: Vec<&Module> = report.modules.iter().filter(lacks_lines).collect();
    if lacking.is_empty() {
        return out;
    }
    out.push_str("\nHow to get lines:\n");
    if lacking.iter().any(|module| is_windows(&module.path)) {
        windows(&mut out);
    }
    if lacking.iter().any(|module| !is_windows(&module.path)) {
        linux(&mut out, &lacking);
    }
    out
}

fn state(module: &Module) -> String {
    match &module.symbols {
        Source::Lines { file } if file.as_os_str() == module.path.as_str() => "lines".into(),
        Source::Lines { file } => format!("lines, from {}", file.display()),
        Source::Names { .. } => "names of functions alone".into(),
        Source::Nothing { .. } => "stripped: no names here".into(),
        Source::Unreadable { why } => format!("cannot be read now: {why}"),
    }
}

/// PE files have these names under Wine, too.
fn is_windows(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".exe") || path.ends_with(".dll") || path.get(1..3) == Some(":\\")
}

fn windows(out: &mut String) {
    wrapped(
        out,
        "    ",
        "A program that you build with Microsoft's compiler: /Zi, and /DEBUG for the linker. The .pdb \
         file must be beside the program, or where the linker wrote it.",
    );
    wrapped(
        out,
        "    ",
        "A program that you build with gcc (mingw): -g, and do not strip it.",
    );
}

fn linux(out: &mut String, lacking: &[&Module]) {
    wrapped(
        out,
        "    ",
        "A program that you build: compile with -g, and do not strip it. Its debug file beside it, or \
         below /usr/lib/debug, is as good.",
    );
    wrapped(
        out,
        "    ",
        "A program of a distribution: its package of symbols (Debian and Ubuntu: NAME-dbgsym; Fedora: \
         dnf debuginfo-install NAME; openSUSE: NAME-debuginfo).",
    );
    let builds = lacking.iter().filter_map(|module| match &module.symbols {
        Source::Names { build_id } | Source::Nothing { build_id } => {
            Some((&module.path, build_id.as_ref()?))
        }
        _ => None,
    });
    let lines: Vec<String> = builds
        .map(|(path, id)| format!("        debuginfod-find debuginfo {id}    {path}\n"))
        .collect();
    if !lines.is_empty() {
        wrapped(
            out,
            "    ",
            "If DEBUGINFOD_URLS is set, these commands download the debug files to a place where this \
             command finds them:",
        );
        let _ = write!(out, "{}", lines.concat());
    }
    wrapped(
        out,
        "    ",
        "The program need not be rebuilt for that: the debug file must be that of the same build.",
    );
}
