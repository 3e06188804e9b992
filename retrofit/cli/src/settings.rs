//! The options that become environment variables, which is how the library inside the program is
//! told; and what the environment has of them already.

use crate::failure::Failure;
use graceful_close_retrofit::settings::{Setting, Value, Wrong, SETTINGS};
use std::env;
use std::ffi::{CStr, OsStr, OsString};

pub fn find(option: &str) -> Option<&'static Setting> {
    let named = |setting: &&&Setting| setting.option == option;
    SETTINGS.iter().find(named).copied()
}

pub fn variable(setting: &Setting) -> &'static str {
    setting.variable.to_str().unwrap_or_default()
}

/// What the variable is set to: a time in milliseconds, whatever its unit was.
pub fn value(setting: &Setting, given: &OsStr) -> Result<OsString, Failure> {
    match number(setting, given) {
        Ok(ms) if matches!(setting.value, Value::Time(_)) => Ok(ms.to_string().into()),
        Ok(_) => Ok(given.to_owned()),
        Err(wrong) => Err(Failure::Usage(format!(
            "--{} {}: {wrong}\nNothing was started",
            setting.option,
            given.to_string_lossy()
        ))),
    }
}

fn number(setting: &Setting, given: &OsStr) -> Result<u32, Wrong> {
    // what is no text is no number and no word, either
    setting.number(given.to_str().unwrap_or("\u{fffd}"))
}

/// A default, as the help writes it.
fn default(setting: &Setting) -> String {
    match setting.value {
        Value::Time(ms) => format!("{ms} ms"),
        Value::OneOf(words) => words[0].into(),
        _ => setting.default().to_string(),
    }
}

/// A setting as the library will read it, in words.
fn shown(setting: &Setting, given: &OsStr) -> Option<String> {
    match setting.value {
        Value::Time(_) => Some(format!("{} ms", number(setting, given).ok()?)),
        _ => Some(given.to_string_lossy().into_owned()),
    }
}

/// The text of one of them that counts, by the options or by the environment.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub fn text(wanted: &Setting, options: &[(&'static Setting, OsString)]) -> Option<OsString> {
    let same = |(one, _): &&(&'static Setting, OsString)| one.option == wanted.option;
    let of_option = options.iter().rev().find(same);
    match of_option {
        Some((_, given)) => Some(given.clone()),
        None => {
            wanted.look(|name| env::var_os(name.to_str().ok()?).filter(|text| !text.is_empty()))
        }
    }
}

/// What counts for the program, one line for each setting that has a value; and what is wrong with
/// those that have another one than was meant.
#[derive(Debug, Default)]
pub struct InForce {
    pub lines: Vec<String>,
    pub warnings: Vec<String>,
}

/// By the options, and by what the environment has besides.
pub fn in_force(options: &[(&'static Setting, OsString)]) -> InForce {
    let inherited = |name: &'static CStr| {
        let name = name.to_str().ok()?;
        let text = env::var_os(name).filter(|text| !text.is_empty())?;
        Some((name, text))
    };
    let mut found = InForce::default();
    for setting in SETTINGS {
        let of_option = options
            .iter()
            .rev()
            .find(|(one, _)| one.option == setting.option);
        if let Some((_, given)) = of_option {
            let is = shown(setting, given).unwrap_or_default();
            let given = given.to_string_lossy();
            found
                .lines
                .push(format!("--{} {given}: {is}", setting.option));
        } else if let Some((name, text)) = setting.look(inherited) {
            let written = format!("{name}={}", text.to_string_lossy());
            match number(setting, &text) {
                Ok(_) => {
                    let is = shown(setting, &text).unwrap_or_default();
                    found.lines.push(format!("{written}: {is}"));
                }
                Err(wrong) => found.warnings.push(format!(
                    "{written}: {wrong}. The default counts: {}",
                    default(setting)
                )),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{find, in_force, value};
    use std::env;
    use std::ffi::OsStr;

    #[test]
    fn the_variable_gets_milliseconds() {
        let timeout = find("timeout").unwrap();
        assert_eq!(value(timeout, OsStr::new("10s")), Ok("10000".into()));
        assert_eq!(value(timeout, OsStr::new("2m")), Ok("120000".into()));
        let log = find("log").unwrap();
        assert_eq!(value(log, OsStr::new("10s")), Ok("10s".into()));
    }

    #[test]
    fn what_the_environment_has_is_read_as_the_library_reads_it() {
        env::set_var("GRACEFUL_CLOSE_IDLE", "3s");
        env::set_var("GRACEFUL_CLOSE_EXIT_WAIT_MS", "soon");
        let found = in_force(&[(find("timeout").unwrap(), "1m".into())]);
        assert!(found.lines.contains(&"--timeout 1m: 60000 ms".into()));
        assert!(found
            .lines
            .contains(&"GRACEFUL_CLOSE_IDLE=3s: 3000 ms".into()));
        let warning = found.warnings.join("\n");
        assert!(
            warning.contains("EXIT_WAIT_MS=soon: not a time"),
            "{warning}"
        );
        assert!(warning.contains("counts: 2000 ms"), "{warning}");
    }
}
