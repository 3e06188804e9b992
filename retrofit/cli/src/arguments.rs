//! The command line.

use crate::failure::Failure;
use crate::observe::logged::LogFile;
use crate::observe::outputs::Outputs;
use crate::settings;
use crate::valued::{Valued, Words};
use graceful_close_retrofit::settings::{Setting, Value};
use std::ffi::OsString;
use std::time::Duration;

#[derive(Debug)]
pub enum Command {
    Help,
    HelpRun,
    HelpObserve,
    Version,
    Run(Request),
    Observe(Observation),
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

/// What `graceful-close observe` was asked to do.
#[derive(Debug)]
// not all of it on every system
#[allow(dead_code)]
pub struct Observation {
    pub request: Request,
    pub outputs: Outputs,
    /// A report so far, again and again.
    pub every: Option<Duration>,
    /// Connections that the peer has closed are told if the program has held them for so long.
    pub close_wait: Duration,
    /// What became of a connection is looked at after its close.
    pub follow: bool,
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

fn parse_run(words: &mut Words) -> Result<Command, Failure> {
    let mut request = Request::default();
    let asked = parse_program("run", words, &mut request, &mut |option, words, request| {
        match option {
            "--check" => request.check = true,
            "--anyway" => request.anyway = true,
            _ => parse_option(option, words, request)?,
        }
        Ok(())
    })?;
    Ok(match asked {
        Asked::Start => Command::Run(request),
        Asked::Help => Command::HelpRun,
        Asked::Version => Command::Version,
    })
}

fn parse_observe(words: &mut Words) -> Result<Command, Failure> {
    let mut request = Request::default();
    let mut outputs = Outputs::default();
    let mut every = None;
    let mut close_wait = Duration::from_secs(10);
    let mut follow = false;
    let asked = parse_program(
        "observe",
        words,
        &mut request,
        &mut |option, words, request| {
            let option = Valued::new("observe", option);
            match option.name {
                "--report" => outputs.report = Some(option.value(words)?.into()),
                "--json" => outputs.json = Some(option.value(words)?.into()),
                "--html" => outputs.html = Some(option.value(words)?.into()),
                "--add-log" => outputs.add_log = Some(LogFile::new(option.value(words)?.into())),
                "--every" => every = Some(option.time(words)?),
                "--close-wait" => close_wait = option.time(words)?,
                "--library" => request.library = Some(option.value(words)?),
                "--follow" if option.attached.is_none() && cfg!(target_os = "linux") => {
                    follow = true
                }
                "--symbols" if option.attached.is_none() => outputs.symbols = true,
                "--only" | "--except" => parse_option(option.whole, words, request)?,
                _ => return Err(option.unknown()),
            }
            Ok(())
        },
    )?;
    Ok(match asked {
        Asked::Start => Command::Observe(Observation {
            request,
            outputs,
            every: every.filter(|time| !time.is_zero()),
            close_wait,
            follow,
        }),
        Asked::Help => Command::HelpObserve,
        Asked::Version => Command::Version,
    })
}

enum Asked {
    Start,
    Help,
    Version,
}

/// Options, and the program with its arguments.
fn parse_program(
    command: &'static str,
    words: &mut Words,
    request: &mut Request,
    option: &mut dyn FnMut(&str, &mut Words, &mut Request) -> Result<(), Failure>,
) -> Result<Asked, Failure> {
    let missing = || Failure::Usage(format!("{command}: no program is given"));
    let program = loop {
        let word = words.next().ok_or_else(missing)?;
        // options are ASCII: what is not must be the program's name
        let Some(name) = word.to_str().filter(|word| word.starts_with('-')) else {
            break Some(word);
        };
        match name {
            "--" => break words.next(),
            "--help" | "-h" => return Ok(Asked::Help),
            "--version" | "-V" => return Ok(Asked::Version),
            _ => option(name, words, request)?,
        }
    };
    request.program = program
        .filter(|program| !program.is_empty())
        .ok_or_else(missing)?;
    request.arguments = words.collect();
    Ok(Asked::Start)
}

/// `--name value`, `--name=value`, or `--name` alone where it takes none.
fn parse_option(option: &str, words: &mut Words, request: &mut Request) -> Result<(), Failure> {
    let option = Valued::new("run", option);
    let key = option
        .name
        .strip_prefix("--")
        .ok_or_else(|| option.unknown())?;
    if key == "library" {
        request.library = Some(option.value(words)?);
        return Ok(());
    }
    let setting = settings::find(key).ok_or_else(|| option.unknown())?;
    let given = match setting.value {
        Value::Switch if option.attached.is_some() => {
            return Err(Failure::Usage(format!(
                "run: {} takes no value",
                option.name
            )));
        }
        Value::Switch => OsString::from("1"),
        _ => option.value(words)?,
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
    use super::{parse, Command, Observation, Request};
    use crate::failure::Failure;
    use crate::help;
    use crate::settings;
    use graceful_close_retrofit::settings::SETTINGS;
    use std::time::Duration;

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

    fn observation(line: &str) -> Observation {
        match words(line) {
            Ok(Command::Observe(observation)) => observation,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_observe_is_asked() {
        let asked = observation("observe ./server --json 5");
        assert_eq!(asked.request.program, "./server");
        assert_eq!(asked.request.arguments, ["--json", "5"]);
        assert!(asked.every.is_none() && asked.outputs.report.is_none());
        assert_eq!(asked.close_wait, Duration::from_secs(10));
        assert!(!asked.follow);
        if cfg!(target_os = "linux") {
            assert!(observation("observe --follow p").follow);
        } else {
            assert!(wrong("observe --follow p").contains("no such option: --follow"));
        }
        let asked = observation(
            "observe --report a --json=b --html c --symbols --every 2m --close-wait=500ms \
             --add-log d --only x,y --library l.so -- p -v",
        );
        assert_eq!(asked.outputs.report, Some("a".into()));
        assert_eq!(asked.outputs.json, Some("b".into()));
        assert_eq!(asked.outputs.html, Some("c".into()));
        assert!(asked.outputs.symbols && asked.outputs.add_log.is_some());
        assert_eq!(asked.every, Some(Duration::from_secs(120)));
        assert_eq!(asked.close_wait, Duration::from_millis(500));
        assert_eq!(asked.request.library, Some("l.so".into()));
        assert_eq!(
            asked.request.environment,
            [("GRACEFUL_CLOSE_ONLY", "x,y".into())]
        );
        assert!(matches!(words("observe --help"), Ok(Command::HelpObserve)));
        for (line, why) in [
            ("observe", "observe: no program"),
            ("observe --json", "observe: --json needs a value"),
            ("observe --html= p", "--html needs a value"),
            ("observe --every soon p", "--every soon: not a time"),
            (
                "observe --timeout 5 p",
                "observe: no such option: --timeout",
            ),
            ("observe --symbols=1 p", "no such option: --symbols"),
        ] {
            assert!(wrong(line).contains(why), "{line}: {}", wrong(line));
        }
    }

    #[test]
    fn the_help_names_every_option_of_observe() {
        for option in [
            "report",
            "json",
            "html",
            "add-log",
            "follow",
            "symbols",
            "every",
            "close-wait",
            "only",
            "except",
            "library",
        ] {
            assert!(
                help::OBSERVE.contains(&format!("\n  --{option} ")),
                "{option}"
            );
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
