//! Programs that start others. Some give them an environment without LD_PRELOAD, so that the
//! library is not in what they start, and nobody says so.

use super::library::PRELOAD;
use super::program;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// When the environment of what is started is another one.
enum Cleans {
    /// It is handed on as it is.
    Never,
    Always,
    /// Unless one of these short or long options is given.
    Unless(&'static [u8], &'static [&'static str]),
    /// With one of these short or long options.
    With(&'static [u8], &'static [&'static str]),
    /// Only if one of these files, or of the files in these folders, has such a line without
    /// LD_PRELOAD.
    IfListedIn(&'static [u8], &'static [&'static str]),
    /// Unless one of these files, or of the files in these folders, names LD_PRELOAD.
    UnlessNamedIn(&'static [&'static str]),
}

struct Starter {
    names: &'static [&'static str],
    cleans: Cleans,
    /// What to do.
    advice: &'static str,
    /// The short options that take a value, where it may stand in the same word.
    valued: &'static [u8],
}

const fn starter(
    names: &'static [&'static str],
    cleans: Cleans,
    advice: &'static str,
    valued: &'static [u8],
) -> Starter {
    Starter {
        names,
        cleans,
        advice,
        valued,
    }
}

const INSIDE: &str =
    "put \"graceful-close run --\" behind it, in front of the program that it starts";
const IN_UNIT: &str =
    "put it into the unit: ExecStart=/usr/bin/graceful-close run -- PROGRAM, by systemctl edit";
const IN_CONFIGURATION: &str =
    "put \"graceful-close run --\" into the command that it is configured to run";

static STARTERS: &[Starter] = &[
    starter(
        &["sudo", "doas", "pkexec", "login", "machinectl"],
        Cleans::Always,
        INSIDE,
        b"",
    ),
    starter(
        &["su", "runuser"],
        Cleans::With(b"l", &["-", "--login"]),
        "put \"graceful-close run --\" into the command of -c, or leave out the \"-\"",
        b"cCgGsTuw",
    ),
    starter(
        &["env"],
        Cleans::With(b"i", &["-", "--ignore-environment", "LD_PRELOAD=", "-uLD_PRELOAD", "--unset=LD_PRELOAD"]),
        INSIDE,
        b"uCS",
    ),
    starter(&["setpriv"], Cleans::With(b"", &["--reset-env"]), INSIDE, b""),
    starter(
        &["service", "systemctl", "invoke-rc.d", "rc-service", "initctl"],
        Cleans::Always,
        IN_UNIT,
        b"",
    ),
    starter(
        &["systemd-run"],
        Cleans::Unless(b"", &["--scope"]),
        INSIDE,
        b"",
    ),
    starter(
        &["inetd", "openbsd-inetd"],
        Cleans::Unless(b"E", &[]),
        "start it with -E, or put graceful-close into the lines of inetd.conf",
        b"aqR",
    ),
    starter(
        &["xinetd"],
        Cleans::IfListedIn(b"passenv", &["/etc/xinetd.conf", "/etc/xinetd.d"]),
        "write \"passenv = PATH LD_PRELOAD\" into the service (and the GRACEFUL_CLOSE_... that are set), or make graceful-close its server",
        b"",
    ),
    starter(
        &["dovecot"],
        Cleans::UnlessNamedIn(&["/etc/dovecot"]),
        "write \"import_environment = $import_environment LD_PRELOAD\" into dovecot.conf (and the GRACEFUL_CLOSE_... that are set)",
        b"",
    ),
    starter(
        &["postfix", "master"],
        Cleans::UnlessNamedIn(&["/etc/postfix"]),
        "add LD_PRELOAD to import_environment in main.cf (and the GRACEFUL_CLOSE_... that are set)",
        b"",
    ),
    starter(
        &["apachectl", "apache2ctl"],
        Cleans::UnlessNamedIn(&["/etc/apache2/envvars"]),
        "write \"export LD_PRELOAD=\" with the library's path into /etc/apache2/envvars, or start apache2 -DFOREGROUND itself",
        b"",
    ),
    starter(
        &["cron", "crond", "atd", "at", "batch", "anacron"],
        Cleans::Always,
        IN_CONFIGURATION,
        b"",
    ),
    starter(
        &["docker", "podman", "nerdctl", "runc", "systemd-nspawn"],
        Cleans::Always,
        "put the library into the image, and \"graceful-close run --\" into its ENTRYPOINT",
        b"",
    ),
    starter(
        &[
            "nice", "ionice", "nohup", "timeout", "setsid", "stdbuf", "chrt", "taskset", "time", "flock",
            "prlimit", "unshare", "nsenter", "tcpserver", "tcpsvd", "chpst", "setuidgid", "envuidgid",
            "envdir", "softlimit", "setlock", "xargs", "catchsegv", "dumb-init", "tini",
            "start-stop-daemon", "numactl", "chroot",
        ],
        Cleans::Never,
        "",
        b"",
    ),
];

/// A program that is known to start others, with its arguments.
pub struct Start<'a> {
    starter: &'static Starter,
    name: &'a OsStr,
    arguments: &'a [OsString],
}

/// `None`: not known to be one.
pub fn known<'a>(program: &'a OsStr, arguments: &'a [OsString]) -> Option<Start<'a>> {
    let name = Path::new(program).file_name()?;
    let is_it = |starter: &&Starter| starter.names.iter().any(|one| OsStr::new(one) == name);
    let starter = STARTERS.iter().find(is_it)?;
    Some(Start {
        starter,
        name,
        arguments,
    })
}

impl<'a> Start<'a> {
    /// Why what it starts does not get the library, and what to do.
    pub fn obstacle(&self) -> Option<String> {
        let cleans = match self.starter.cleans {
            Cleans::Never => false,
            Cleans::Always => true,
            Cleans::Unless(short, long) => !self.has(short, long),
            Cleans::With(short, long) => self.has(short, long),
            // xinetd hands all on to a service that has no such line
            Cleans::IfListedIn(word, files) => {
                let lists = |line: &[u8]| line.starts_with(word) && !names_preload(line);
                self.configured(files)
                    .iter()
                    .any(|file| any_line(file, &lists))
            }
            Cleans::UnlessNamedIn(files) => {
                let named = |file: &PathBuf| any_line(file, &names_preload);
                !self.configured(files).iter().any(named)
            }
        };
        cleans.then(|| {
            format!(
                "{} starts programs with an environment of their own, without LD_PRELOAD, so that they do not get the library; {}",
                self.name.to_string_lossy(),
                self.starter.advice
            )
        })
    }

    /// The file that -f (xinetd) or -c (dovecot, postfix) names, or those that are read without it.
    fn configured(&self, usual: &[&str]) -> Vec<PathBuf> {
        let mut pairs = self.arguments.windows(2);
        let named = pairs.find(|pair| pair[0] == "-f" || pair[0] == "-c");
        match named {
            Some(pair) => vec![PathBuf::from(&pair[1])],
            None => usual.iter().map(PathBuf::from).collect(),
        }
    }

    /// Its own options; those of the program that it starts come later. su takes its own behind the
    /// name of a shell, too.
    fn options(&self) -> &[OsString] {
        let inner = if self.starter.names.contains(&"su") {
            None
        } else {
            self.inner_at()
        };
        let dashes = self.arguments.iter().position(|word| word == "--");
        let end = inner.or(dashes).unwrap_or(self.arguments.len());
        &self.arguments[..end]
    }

    fn has(&self, short: &[u8], long: &[&str]) -> bool {
        let words = self.options();
        // "-" is a word of its own; with the others a value may come along
        let is_long = |word: &[u8], name: &str| {
            word == name.as_bytes() || name.len() > 1 && word.starts_with(name.as_bytes())
        };
        let named = |word: &[u8]| long.iter().any(|name| is_long(word, name));
        let unsets = words.windows(2).any(|pair| {
            let option = pair[0] == "-u" || pair[0] == "--unset";
            option && pair[1] == PRELOAD && self.name == "env"
        });
        unsets
            || words.iter().any(|word| {
                let word = word.as_bytes();
                named(word) || self.letters(word).any(|letter| short.contains(&letter))
            })
    }

    /// The short options in a word.
    fn letters<'w>(&self, word: &'w [u8]) -> impl Iterator<Item = u8> + 'w {
        let valued = self.starter.valued;
        let is_long = word.starts_with(b"--") || !word.starts_with(b"-");
        let letters = if is_long { &[] } else { &word[1..] };
        let end = letters.iter().position(|letter| valued.contains(letter));
        letters[..end.unwrap_or(letters.len())].iter().copied()
    }

    /// The program that it starts: the first of its arguments that is one, and no option's folder.
    fn inner_at(&self) -> Option<usize> {
        let is_program =
            |word: &OsString| !word.as_bytes().starts_with(b"-") && program::find(word).is_ok();
        self.arguments.iter().position(is_program)
    }

    /// The folder that becomes the root of what it starts.
    pub fn new_root(&self) -> Option<&Path> {
        let is_folder = |word: &&OsString| Path::new(word).is_dir();
        (self.name == "chroot").then(|| self.arguments.iter().find(is_folder).map(Path::new))?
    }

    /// With its arguments.
    pub fn inner(&self) -> Option<(&'a OsStr, &'a [OsString])> {
        let at = self.inner_at()?;
        Some((&self.arguments[at], &self.arguments[at + 1..]))
    }
}

fn names_preload(line: &[u8]) -> bool {
    let name = PRELOAD.as_bytes();
    line.windows(name.len()).any(|part| part == name)
}

/// Of a file, or of the files in a folder: whether a line that is no comment is such a one.
fn any_line(place: &Path, is_it: &dyn Fn(&[u8]) -> bool) -> bool {
    if let Ok(entries) = fs::read_dir(place) {
        let mut entries = entries.flatten();
        return entries.any(|entry| any_line(&entry.path(), is_it));
    }
    let text = fs::read(place).unwrap_or_default();
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| !line.starts_with(b"#") && is_it(line))
}

#[cfg(test)]
mod tests {
    use super::known;
    use std::ffi::{OsStr, OsString};

    fn obstacle(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        known(&words[0], &words[1..])?.obstacle()
    }

    fn inner(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        let start = known(&words[0], &words[1..])?;
        let (program, _) = start.inner()?;
        Some(program.to_string_lossy().into_owned())
    }

    #[test]
    fn starters_that_clean() {
        for line in [
            "sudo -u nobody sh",
            "/usr/bin/sudo",
            "doas sh",
            "env -i sh",
            "env - sh",
            "env -iu X sh",
            "env -u LD_PRELOAD sh",
            "env LD_PRELOAD= sh",
            "env --unset=LD_PRELOAD sh",
            "su -",
            "su - nobody -c x",
            "su -l nobody",
            "su --login",
            "runuser -l nobody -c x",
            "service x start",
            "systemctl start x",
            "inetd /etc/inetd.conf",
            "inetd -i x",
            "cron -f",
            "docker run x",
            "su -s /bin/sh -",
            "systemd-run sh",
            "setpriv --reset-env sh",
        ] {
            assert!(obstacle(line).is_some(), "{line}");
        }
    }

    #[test]
    fn starters_that_do_not() {
        for line in [
            "env A=1 sh",
            "env -u HOME sh -i",
            "systemd-run --scope sh",
            "su nobody -c ls",
            "su nobody -s /bin/sh",
            "su -cl nobody",
            "runuser -u nobody -- sh -l",
            "inetd -E",
            "inetd -iE x",
            "nice sh",
            "tcpserver 0 80 sh",
            "setpriv --reuid 1 sh",
            "sh -i",
        ] {
            assert!(obstacle(line).is_none(), "{line}");
        }
    }

    #[test]
    fn what_they_start() {
        assert_eq!(inner("env A=1 sh -c x"), Some("sh".into()));
        assert_eq!(inner("nice -n 5 sh"), Some("sh".into()));
        assert_eq!(inner("timeout 10 /bin/sh"), Some("/bin/sh".into()));
        assert_eq!(inner("nice -n 5"), None);
        assert!(known(OsStr::new("sh"), &["/bin/ls".into()]).is_none());
    }

    #[test]
    fn what_a_configuration_hands_on() {
        let file = std::env::temp_dir().join(format!("xinetd-{}", std::process::id()));
        let line = format!("xinetd -f {}", file.display());
        for (text, cleans) in [
            ("port = 80\n", false),
            ("  passenv = PATH\n", true),
            ("# passenv = PATH\n", false),
            ("passenv = PATH LD_PRELOAD\n", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(obstacle(&line).is_some(), cleans, "{text}");
        }
        std::fs::write(&file, "import_environment = TZ\n").unwrap();
        let line = format!("dovecot -c {}", file.display());
        assert!(obstacle(&line).is_some());
        std::fs::write(&file, "import_environment = TZ LD_PRELOAD\n").unwrap();
        assert!(obstacle(&line).is_none());
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn the_advice_names_the_way() {
        assert!(obstacle("inetd").unwrap().contains("start it with -E"));
        assert!(obstacle("sudo").unwrap().contains("behind it"));
        assert!(obstacle("service").unwrap().contains("ExecStart="));
    }
}
