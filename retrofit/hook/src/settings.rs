//! What the environment says. The command `graceful-close` puts it there, and its manual
//! explains it.

use graceful_close_retrofit::settings::{self, Setting, Value};
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Do nothing at all.
    pub(crate) off: bool,
    /// Programs that it is for (empty: all), and that it is not for.
    only: Vec<String>,
    except: Vec<String>,
    /// For one close, from the call.
    pub(crate) timeout: Duration,
    /// Without progress.
    pub(crate) idle: Duration,
    /// Most that is received of one peer; 0: no limit.
    pub(crate) max_bytes: usize,
    /// Most that are finished at a time.
    pub(crate) max_parked: usize,
    /// Also sockets that the process has connected itself.
    pub(crate) any_role: bool,
    /// shutdown(SD_BOTH) becomes shutdown(SD_SEND).
    pub(crate) both_is_half: bool,
    /// At the end of the process, for all of them.
    pub(crate) exit_wait: Duration,
    pub(crate) log: Option<PathBuf>,
    /// Only look, and count in this file.
    pub(crate) observe: Option<PathBuf>,
    /// The closing thread waits. The archive's alone.
    pub(crate) blocking: bool,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Read at the first call: when the hook becomes active.
pub(crate) fn get() -> &'static Settings {
    SETTINGS.get_or_init(|| Settings::read(|name| std::env::var_os(name)?.into_string().ok()))
}

impl Settings {
    /// A value that makes no sense counts as none.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Settings {
        let named = |name: &'static CStr| variable(name.to_str().ok()?);
        let text = |setting: &Setting| setting.look(named).filter(|value| !value.is_empty());
        let number = |setting: &Setting| setting.number_or_default(text(setting).as_deref());
        let ms = |setting: &Setting| Duration::from_millis(u64::from(number(setting)));
        let is = |setting: &Setting, word: &str| match setting.value {
            Value::OneOf(words) => words[number(setting) as usize] == word,
            _ => false,
        };
        let list = |setting: &Setting| {
            let names = text(setting).unwrap_or_default();
            names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(without_exe)
                .collect()
        };
        let exit_wait = match is(&settings::EXIT, "off") {
            true => Duration::ZERO,
            false => ms(&settings::EXIT_WAIT),
        };
        let blocking = cfg!(feature = "link") && number(&settings::BLOCKING) != 0;
        let timeout = match text(&settings::TIMEOUT) {
            None if blocking => Duration::from_millis(settings::BLOCKING_TIMEOUT_MS.into()),
            _ => ms(&settings::TIMEOUT),
        };
        Settings {
            off: number(&settings::OFF) != 0,
            only: list(&settings::ONLY),
            except: list(&settings::EXCEPT),
            timeout,
            idle: ms(&settings::IDLE),
            max_bytes: number(&settings::MAX_BYTES) as usize,
            max_parked: number(&settings::MAX_PARKED) as usize,
            any_role: is(&settings::ROLE, "any"),
            both_is_half: is(&settings::SHUTDOWN_BOTH, "half"),
            exit_wait,
            log: text(&settings::LOG).map(PathBuf::from),
            observe: text(&settings::OBSERVE).map(PathBuf::from),
            blocking,
        }
    }

    /// Whether a program of this name is meant.
    pub(crate) fn are_for(&self, program: &str) -> bool {
        let program = without_exe(program);
        let names = |list: &[String]| list.contains(&program);
        (self.only.is_empty() || names(&self.only)) && !names(&self.except)
    }
}

/// A program's name as it is compared.
fn without_exe(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.strip_suffix(".exe")
        .map_or(name.clone(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Settings {
        Settings::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn an_empty_environment_means_the_defaults() {
        let settings = with(&[]);
        assert!(!settings.off && !settings.any_role && !settings.both_is_half);
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!(settings.idle, Duration::from_secs(5));
        assert_eq!(settings.exit_wait, Duration::from_secs(2));
        assert_eq!((settings.max_bytes, settings.max_parked), (67_108_864, 256));
        assert_eq!((&settings.log, &settings.observe), (&None, &None));
        assert_eq!(settings, with(&[("GRACEFUL_CLOSE_TIMEOUT_MS", "soon")]));
        assert_eq!(
            settings,
            with(&[("GRACEFUL_CLOSE_OFF", "0"), ("GRACEFUL_CLOSE_LOG", "")])
        );
    }

    #[test]
    fn each_variable_is_heard() {
        let settings = with(&[
            ("GRACEFUL_CLOSE_OFF", "1"),
            ("GRACEFUL_CLOSE_TIMEOUT", "100ms"),
            ("GRACEFUL_CLOSE_IDLE_MS", "20"),
            ("GRACEFUL_CLOSE_MAX_BYTES", "4096"),
            ("GRACEFUL_CLOSE_MAX_PARKED", "3"),
            ("GRACEFUL_CLOSE_ROLE", "any"),
            ("GRACEFUL_CLOSE_SHUTDOWN_BOTH", "half"),
            ("GRACEFUL_CLOSE_EXIT_WAIT_MS", "7"),
            ("GRACEFUL_CLOSE_LOG", "C:\\x.log"),
            ("GRACEFUL_CLOSE_OBSERVE", "C:\\table"),
        ]);
        assert!(settings.off && settings.any_role && settings.both_is_half);
        assert_eq!(settings.timeout, Duration::from_millis(100));
        assert_eq!(settings.idle, Duration::from_millis(20));
        assert_eq!(settings.exit_wait, Duration::from_millis(7));
        assert_eq!((settings.max_bytes, settings.max_parked), (4096, 3));
        assert_eq!(settings.log, Some(PathBuf::from("C:\\x.log")));
        assert_eq!(settings.observe, Some(PathBuf::from("C:\\table")));
        let off = with(&[
            ("GRACEFUL_CLOSE_EXIT", "off"),
            ("GRACEFUL_CLOSE_EXIT_WAIT_MS", "7"),
        ]);
        assert_eq!(off.exit_wait, Duration::ZERO);
    }

    #[test]
    fn programs_are_named_with_or_without_exe() {
        let only = with(&[("GRACEFUL_CLOSE_ONLY", "Server.exe, worker")]);
        assert!(only.are_for("server.EXE") && only.are_for("worker.exe"));
        assert!(!only.are_for("other.exe"));
        let except = with(&[("GRACEFUL_CLOSE_EXCEPT", "other")]);
        assert!(except.are_for("server.exe") && !except.are_for("Other.exe"));
    }
}
