//! Makes the text of `include/graceful_close.h`; used by the generator
//! (`examples/generate_header.rs`) and by the test that compares.

use std::path::Path;

/// The header as it should be committed.
pub fn generate(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut raw = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("cbindgen")
        .write(&mut raw);
    let text = String::from_utf8(raw).expect("a header in UTF-8");
    let lines: Vec<String> = text.lines().map(c_constant).collect();
    on_one_line(&lines).join("\n") + "\n"
}

/// Comments of one line as one line, where it fits.
fn on_one_line(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = lines;
    while let [line, tail @ ..] = rest {
        rest = tail;
        if let (Some(indent), [words, end, tail @ ..]) = (line.strip_suffix("/**"), tail) {
            let short = format!(
                "{indent}/**{} */",
                words.trim_start().trim_start_matches('*')
            );
            if end.trim() == "*/" && short.len() <= 80 {
                out.push(short);
                rest = tail;
                continue;
            }
        }
        out.push(line.clone());
    }
    out
}

/// cbindgen writes negative numbers without parentheses and unsigned ones
/// without suffix.
fn c_constant(line: &str) -> String {
    // Nor can it give a callback's type a calling convention.
    if line.starts_with("typedef ") && line.contains("(*gc_") {
        return line.replacen("(*gc_", "(GRACEFUL_CLOSE_CALLBACK *gc_", 1);
    }
    let Some((name, value)) = line
        .strip_prefix("#define GC_")
        .and_then(|rest| rest.split_once(' '))
    else {
        return line.to_string();
    };
    let is_unsigned = ["THEN_", "SHARED_", "DEFERRED", "FULL_"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if value.starts_with('-') {
        format!("#define GC_{name} ({value})")
    } else if is_unsigned && value.bytes().all(|digit| digit.is_ascii_digit()) {
        format!("#define GC_{name} {value}U")
    } else {
        line.to_string()
    }
}
