//! The values of the settings, as they come from the environment and the command line, against a
//! second reading of what the manual says of them.
#![no_main]

use graceful_close_retrofit::settings::{Setting, Value, SETTINGS};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for setting in SETTINGS {
        let number = setting.number(text).ok();
        assert_eq!(
            number,
            expected(setting, text.trim()),
            "{} {text:?}",
            setting.option
        );
        let used = setting.number_or_default(Some(text));
        let is_empty = text.trim().is_empty();
        let wanted = number.filter(|_| !is_empty);
        assert_eq!(
            used,
            wanted.unwrap_or(setting.default()),
            "{}",
            setting.option
        );
        if let Err(wrong) = setting.number(text) {
            assert!(!wrong.to_string().is_empty());
        }
    }
});

fn expected(setting: &Setting, text: &str) -> Option<u32> {
    match setting.value {
        Value::Time(_) => {
            let figures = text.bytes().take_while(u8::is_ascii_digit).count();
            let factor = match text[figures..].trim_start() {
                "" | "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                _ => return None,
            };
            small(&text[..figures])?.checked_mul(factor)
        }
        Value::Number(_) => small(text.strip_prefix('+').unwrap_or(text)),
        Value::OneOf(words) => words
            .iter()
            .position(|&word| word == text)
            .map(|at| at as u32),
        Value::Switch => Some(u32::from(!text.is_empty() && text != "0")),
        Value::Text => Some(0),
    }
}

/// Figures alone, and at least one.
fn small(figures: &str) -> Option<u32> {
    if figures.is_empty() || !figures.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = figures.bytes().try_fold(0u64, |sum, figure| {
        let sum = sum * 10 + u64::from(figure - b'0');
        (sum <= u64::from(u32::MAX)).then_some(sum)
    });
    number.map(|number| number as u32)
}
