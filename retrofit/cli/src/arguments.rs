//! The command line.

use crate::failure::Failure;
use crate::settings;
use graceful_close_retrofit::settings::{Setting, Value};
use std::ffi::OsString;

#[derive(Debug)]
pub enum Command {
    Help,
    HelpRun,
    HelpObserve,
    Version,
    Run(Request),
    Observe(Request, Reports),
}

/// Where the reports of `graceful-close observe` go; the text goes to the standard error output.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reports {
    pub html: Option<OsString>,
    pub json: Option<OsString>,
    /// Also while the program runs, all so many milliseconds.
    pub every: Option<u32>,
}

/// What `graceful-close run` was asked to do. The same on every system.
#[derive(Debug, Default)]
pub struct Request {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// Settings for the program as they were given, in the order of the options.
    pub settings: Vec<(&'static Setting, OsString)>,
    /// The environment variables that they become.
    pub environment: Vec<(&'static str, OsString)>,
    /// Say whether it would work, and start nothing.
    pub check: bool,
    /// Start the program even when it cannot be made graceful.
    pub anyway: bool,
    /// The library to put into the program, if it is not to be looked for.
    pub library: Option<OsString>,
}

pub fn parse(words: Vec<OsString>) -> Result<Command, Failure> {
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return Err(Failure::Usage("nothing to do".into()));
    };
    match first.to_str() {
        Some("run") => parse_run(&mut words),
        Some("observe") => parse_observe(&mut words),
        Some("help" | "--help" | "-h") => Ok(Command::Help),
        Some("version" | "--version" | "-V") => Ok(Command::Version),
        _ => Err(Failure::Usage(format!(
            "no such command: {}",
            first.to_string_lossy()
        ))),
    }
}

fn parse_run(words: &mut dyn Iterator<Item = OsString>) -> Result<Command, Failure> {
    let mut request = Request::default();
    let program = loop {
        let Some(word) = words.next() else {
            return Err(Failure::Usage("run: no program is given".into()));
        };
        // options are ASCII: what is not must be the program's name
        let Some(option) = word.to_str().filter(|word| word.starts_with('-')) else {
            break Some(word);
        };
        match option {
            "--" => break words.next(),
            "--help" | "-h" => return Ok(Command::HelpRun),
            "--version" | "-V" => return Ok(Command::Version),
            "--check" => request.check = true,
            "--anyway" => request.anyway = true,
            _ => parse_option(option, words, &mut request)?,
        }
    };
    request.program = program
        .filter(|program| !program.is_empty())
        .ok_or_else(|| Failure::Usage("run: no program is given".into()))?;
    request.arguments = words.collect();
    Ok(Command::Run(request))
}

/// The settings that mean something where nothing is done but to look.
const OF_OBSERVE: [&str; 4] = ["only", "except", "log", "library"];

fn parse_observe(words: &mut dyn Iterator<Item = OsString>) -> Result<Command, Failure> {
    let wrong = |why: String| Failure::Usage(format!("observe: {why}"));
    let mut request = Request::default();
    let mut reports = Reports::default();
    let program = loop {
        let Some(word) = words.next() else {
            return Err(wrong("no program is given".into()));
        };
        let Some(option) = word.to_str().filter(|word| word.starts_with('-')) else {
            break Some(word);
        };
        let name = option.split('=').next().unwrap_or(option);
        let attached = option.split_once('=').map(|(_, value)| value.into());
        let mut value = || {
            let given = attached.clone().or_else(|| words.next());
            given.ok_or_else(|| wrong(format!("{name} needs a value")))
        };
        match name {
            "--" => break words.next(),
            "--help" | "-h" => return Ok(Command::HelpObserve),
            "--version" | "-V" => return Ok(Command::Version),
            "--html" => reports.html = Some(value()?),
            "--json" => reports.json = Some(value()?),
            "--every" => reports.every = Some(seconds(&value()?).ok_or_else(|| {
                wrong("--every takes a number of seconds, 1 at least".into())
            })?),
            _ if OF_OBSERVE.iter().any(|known| name.strip_prefix("--") == Some(known)) => {
                parse_option(option, words, &mut request)?;
            }
            _ => return Err(wrong(format!("no such option: {name}"))),
        }
    };
    request.program = program
        .filter(|program| !program.is_empty())
        .ok_or_else(|| wrong("no program is given".into()))?;
    request.arguments = words.collect();
    Ok(Command::Observe(request, reports))
}

/// In milliseconds. A unit may stand behind it.
fn seconds(text: &OsString) -> Option<u32> {
    let text = text.to_str()?.trim();
    let seconds: u32 = text.strip_suffix('s').unwrap_or(text).trim_end().parse().ok()?;
    seconds.checked_mul(1000).filter(|milliseconds| *milliseconds > 0)
}

/// `--name value`, `--name=value`, or `--name` alone where it takes none.
fn parse_option(
    option: &str,
    words: &mut dyn Iterator<Item = OsString>,
    request: &mut Request,
) -> Result<(), Failure> {
    let (name, attached) = match option.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (option, None),
    };
    let unknown = || Failure::Usage(format!("run: no such option: {name}"));
    let key = name.strip_prefix("--").ok_or_else(unknown)?;
    let missing = || Failure::Usage(format!("run: {name} needs a value"));
    if key == "library" {
        request.library = Some(attached.or_else(|| words.next()).ok_or_else(missing)?);
        return Ok(());
    }
    let setting = settings::find(key).ok_or_else(unknown)?;
    let given = match setting.value {
        Value::Switch if attached.is_some() => {
            return Err(Failure::Usage(format!("run: {name} takes no value")));
        }
        Value::Switch => OsString::from("1"),
        _ => attached.or_else(|| words.next()).ok_or_else(missing)?,
    };
    let value = settings::value(setting, &given)?;
    request
        .environment
        .push((settings::variable(setting), value));
    request.settings.push((setting, given));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{parse, Command, Reports, Request};
    use crate::failure::Failure;
    use crate::help;
    use crate::settings;
    use graceful_close_retrofit::settings::SETTINGS;

    fn words(line: &str) -> Result<Command, Failure> {
        parse(line.split_whitespace().map(Into::into).collect())
    }

    fn request(line: &str) -> Request {
        match words(line) {
            Ok(Command::Run(request)) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        match words(line) {
            Err(Failure::Usage(why)) => why,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_program_and_what_follows_are_its_own() {
        let run = request("run -- server --timeout 5 -- x");
        assert_eq!(run.program, "server");
        assert_eq!(run.arguments, ["--timeout", "5", "--", "x"]);
        assert!(run.environment.is_empty());
    }

    #[test]
    fn the_dashes_may_be_left_out() {
        let run = request("run --off server -v");
        assert_eq!(run.program, "server");
        assert_eq!(run.arguments, ["-v"]);
        assert_eq!(run.environment, [("GRACEFUL_CLOSE_OFF", "1".into())]);
    }

    #[test]
    fn a_program_may_be_named_like_an_option() {
        assert_eq!(request("run -- --check").program, "--check");
    }

    #[test]
    fn values_stand_apart_or_attached() {
        let run = request("run --timeout=100 --idle 20 --role any --log=a=b -- p");
        let expected = [
            ("GRACEFUL_CLOSE_TIMEOUT_MS", "100".into()),
            ("GRACEFUL_CLOSE_IDLE_MS", "20".into()),
            ("GRACEFUL_CLOSE_ROLE", "any".into()),
            ("GRACEFUL_CLOSE_LOG", "a=b".into()),
        ];
        assert_eq!(run.environment, expected);
    }

    #[test]
    fn times_have_units() {
        let run = request("run --timeout 10s --idle=500ms --exit-wait 2m -- p");
        let expected = [
            ("GRACEFUL_CLOSE_TIMEOUT_MS", "10000".into()),
            ("GRACEFUL_CLOSE_IDLE_MS", "500".into()),
            ("GRACEFUL_CLOSE_EXIT_WAIT_MS", "120000".into()),
        ];
        assert_eq!(run.environment, expected);
    }

    #[test]
    fn flags() {
        let run = request("run --check --anyway --library /x/y.so -- p");
        assert!(run.check && run.anyway);
        assert_eq!(run.library, Some("/x/y.so".into()));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(wrong("").contains("nothing to do"));
        assert!(wrong("start x").contains("no such command: start"));
        assert!(wrong("run").contains("no program"));
        assert!(wrong("run --").contains("no program"));
        assert!(wrong("run --timeout").contains("needs a value"));
        assert!(wrong("run --timeout soon -- p").contains("--timeout soon: not a time"));
        assert!(wrong("run --timeout 10sec -- p").contains("500ms, 10s, 2m"));
        assert!(wrong("run --idle 1.5s -- p").contains("Nothing was started"));
        assert!(wrong("run --timeout -1 -- p").contains("-1"));
        assert!(wrong("run --role client -- p").contains("server, any"));
        assert!(wrong("run --off=no -- p").contains("takes no value"));
        assert!(wrong("run -x -- p").contains("-x"));
        assert!(wrong("run --frobnicate -- p").contains("--frobnicate"));
    }

    #[test]
    fn observe_has_options_of_its_own() {
        let observe = words("observe --html=a.html --json b --every 5 --only x -- server --html c");
        let Ok(Command::Observe(request, reports)) = observe else {
            panic!("{observe:?}");
        };
        assert_eq!((request.program, request.arguments), ("server".into(), vec!["--html".into(), "c".into()]));
        assert_eq!(request.environment, [("GRACEFUL_CLOSE_ONLY", "x".into())]);
        let expected = Reports {
            html: Some("a.html".into()),
            json: Some("b".into()),
            every: Some(5000),
        };
        assert_eq!(reports, expected);
        assert!(matches!(words("observe --help"), Ok(Command::HelpObserve)));
        for line in ["observe", "observe --", "observe --html", "observe --every 0 -- p", "observe --every x -- p", "observe --timeout 5 -- p"] {
            assert!(wrong(line).starts_with("observe: "), "{line}");
        }
    }

    #[test]
    fn help_and_version() {
        assert!(matches!(words("--help"), Ok(Command::Help)));
        assert!(matches!(words("run --help"), Ok(Command::HelpRun)));
        assert!(matches!(words("--version"), Ok(Command::Version)));
        // asked of the program, not of us
        assert_eq!(request("run -- p --help").arguments, ["--help"]);
    }

    #[test]
    fn the_help_names_every_setting() {
        for setting in SETTINGS {
            let option = format!("--{}", setting.option);
            assert!(help::RUN.contains(&option), "{option}");
            assert!(help::RUN.contains(settings::variable(setting)), "{option}");
        }
    }
}
