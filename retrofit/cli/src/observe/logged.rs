//! `--add-log FILE`: closes of a program that already calls graceful_close. Its log tells those that were
//! not graceful, and with gc_set_log_caller(1) the call site of each, as the table of a run has it.

use super::snapshot::{Logged, LoggedSite, Snapshot};
use super::symbols::file_name;
use graceful_close_retrofit::observe::Place;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What the program's log function writes to, with anything before each line.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// What was in it before the run.
    begin: u64,
}

impl LogFile {
    /// Before the program runs.
    pub fn new(path: PathBuf) -> LogFile {
        let begin = fs::metadata(&path).map_or(0, |file| file.len());
        LogFile { path, begin }
    }

    /// `program` is the file of it, for a module of which the table has no path.
    pub fn add_to(&self, snapshot: &mut Snapshot, program: &Path) {
        let text = self.read();
        let mut logged = match &text {
            Ok(text) => sites(text, &mut Modules { snapshot, program }),
            Err(error) => Logged {
                failure: Some(error.to_string()),
                ..Logged::default()
            },
        };
        logged.path = self.path.display().to_string();
        snapshot.logged = Some(logged);
    }

    /// What this run has added; all of it if the program has begun it anew.
    fn read(&self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let begin = match file.metadata()?.len() {
            length if length < self.begin => 0,
            _ => self.begin,
        };
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Each line that is one of the library's.
fn sites(text: &str, modules: &mut Modules) -> Logged {
    let mut logged = Logged::default();
    let mut found: BTreeMap<&str, LoggedSite> = BTreeMap::new();
    for line in text.lines() {
        match line.rsplit_once(CALLER) {
            Some((words, chain)) => {
                let Some(frames) = modules.frames(chain) else {
                    continue;
                };
                let site = found.entry(chain.trim_end()).or_default();
                site.frames = frames;
                let (outcome, unacked) = outcome(words).unwrap_or(("refused", 0));
                *site.outcomes.entry(outcome.to_owned()).or_default() += 1;
                site.unacked_bytes = site.unacked_bytes.saturating_add(unacked);
            }
            None => logged.without_caller += u64::from(outcome(line).is_some()),
        }
    }
    logged.sites = found.into_values().collect();
    logged
}

const CALLER: &str = "; caller: ";

/// Of a line "10.0.0.1:80 -> 10.0.0.2:4711: timed out after 5000 ms, 0 bytes drained, 7 unacked".
fn outcome(line: &str) -> Option<(&str, u64)> {
    let (_, behind) = line.split_once(" -> ")?;
    let (_, words) = behind.split_once(": ")?;
    if words.starts_with("given up:") {
        return Some(("given up", 0));
    }
    let (outcome, rest) = words.split_once(" after ")?;
    let mut figures = rest.split(", ");
    figures.next()?.strip_suffix(" ms")?;
    let unacked = figures.find_map(|figure| figure.strip_suffix(" unacked")?.parse().ok());
    Some((outcome, unacked.unwrap_or(0)))
}

/// Those of the table, and those that the lines add.
struct Modules<'a> {
    snapshot: &'a mut Snapshot,
    program: &'a Path,
}

impl Modules<'_> {
    /// "server+0x1234 < libc.so.6+0x2724a"; `None` if it is something else.
    fn frames(&mut self, chain: &str) -> Option<Vec<Place>> {
        let frames = chain.trim_end().split(" < ");
        frames.map(|frame| self.place(frame)).collect()
    }

    fn place(&mut self, frame: &str) -> Option<Place> {
        if let Some(address) = frame.strip_suffix(" in no module") {
            return Some(Place {
                module: None,
                offset: hexadecimal(address)?,
            });
        }
        let (name, offset) = frame.rsplit_once('+')?;
        Some(Place {
            offset: hexadecimal(offset)?,
            module: Some(self.module(name)),
        })
    }

    /// A line has the file's name alone.
    fn module(&mut self, name: &str) -> usize {
        let modules = &mut self.snapshot.modules;
        let known = modules.iter().position(|path| file_name(path) == name);
        known.unwrap_or_else(|| {
            modules.push(path_of(name, self.program));
            modules.len() - 1
        })
    }
}

/// The program itself, a file beside it, or the name as it is.
fn path_of(name: &str, program: &Path) -> String {
    let program = program
        .canonicalize()
        .unwrap_or_else(|_| program.to_owned());
    let path = program.with_file_name(name);
    match path.is_file() {
        true => path.to_string_lossy().into_owned(),
        false => name.to_owned(),
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{outcome, LogFile};
    use crate::observe::snapshot::Snapshot;
    use graceful_close_retrofit::observe::Place;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_line_is_read() {
        for (line, expected) in [
            (
                "10.0.0.1:80 -> 10.0.0.2:4711: timed out after 5000 ms, 12 bytes drained, 7 unacked",
                Some(("timed out", 7)),
            ),
            (
                "x: [::1]:80 -> [::1]:5: reset after 1 ms, 0 bytes drained, unacked unknown, Reset (os error 104)",
                Some(("reset", 0)),
            ),
            ("- -> -: not connected after 0 ms, 0 bytes drained, 0 unacked", Some(("not connected", 0))),
            (
                "1.2.3.4:5 -> -: given up: the program has closed the descriptor after the hand-over (x); what",
                Some(("given up", 0)),
            ),
            ("gc_close: 7 is not an open socket: Bad file descriptor", None),
            ("GET / -> 200: found after a while, 3 bytes", None),
            ("", None),
        ] {
            assert_eq!(outcome(line), expected, "{line}");
        }
    }

    #[test]
    fn the_lines_of_this_run_are_added_by_call_site() {
        let folder = std::env::temp_dir().join(format!("observe-logged-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, program) = (folder.join("log"), folder.join("server"));
        fs::write(&program, "").unwrap();
        let close = "1.1.1.1:1 -> 2.2.2.2:2: timed out after 9 ms, 0 bytes drained";
        let before = format!("{close}, 1000 unacked; caller: server+0x1\n");
        fs::write(&path, &before).unwrap();
        let log = LogFile::new(path.clone());
        let lines = format!(
            "{before}my server: {close}, 7 unacked; caller: server+0x10 < libc.so.6+0x20\r\n\
             something else\n\
             my server: {close}, 8 unacked; caller: server+0x10 < libc.so.6+0x20\n\
             gc_close: 7 is not an open socket; caller: libx+y.so+0x30 < 0x40 in no module\n\
             {close}, 9 unacked\n\
             what is this; caller: me\n"
        );
        fs::write(&path, lines).unwrap();
        let mut snapshot = Snapshot {
            modules: vec!["/usr/lib/libc.so.6".into()],
            ..Snapshot::default()
        };
        log.add_to(&mut snapshot, &program);
        let logged = snapshot.logged.unwrap();
        assert_eq!((logged.without_caller, logged.failure), (1, None));
        assert_eq!(
            snapshot.modules[1..],
            [
                fs::canonicalize(&program).unwrap().to_str().unwrap(),
                "libx+y.so"
            ]
        );
        let place = |module, offset| Place { module, offset };
        let [refused, closed] = &logged.sites[..] else {
            panic!("{:?}", logged.sites);
        };
        assert_eq!(closed.frames, [place(Some(1), 0x10), place(Some(0), 0x20)]);
        assert_eq!(
            (closed.outcomes["timed out"], closed.unacked_bytes),
            (2, 15)
        );
        assert_eq!(refused.frames, [place(Some(2), 0x30), place(None, 0x40)]);
        assert_eq!(refused.outcomes["refused"], 1);
        // begun anew
        fs::write(&path, &before).unwrap();
        let mut snapshot = Snapshot::default();
        LogFile { path, begin: 5000 }.add_to(&mut snapshot, &program);
        assert_eq!(snapshot.logged.unwrap().sites[0].unacked_bytes, 1000);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told() {
        let mut snapshot = Snapshot::default();
        LogFile::new("/nowhere/log".into()).add_to(&mut snapshot, Path::new("x"));
        let logged = snapshot.logged.unwrap();
        assert!(logged.sites.is_empty() && logged.failure.is_some());
    }
}
