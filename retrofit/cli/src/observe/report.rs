//! The report of a run: one structure, of which text, JSON and HTML are made.

use super::advice::{self, Advice};
use super::figures::Figures;
use super::kernel::{Counters, Waiting};
use super::snapshot::{self, Snapshot};
use super::symbols::{self, Folders, Function, Known, Source};
use graceful_close_retrofit::observe::Place;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Of the structure, in its JSON.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub format: u32,
    pub graceful_close: &'static str,
    #[serde(flatten)]
    pub run: Run,
    pub processes: u64,
    pub totals: Figures,
    /// Those that lose the most first.
    pub sites: Vec<Site>,
    /// With `--add-log`: closes by graceful_close that were not graceful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<Logged>,
    pub modules: Vec<Module>,
    pub notes: Vec<String>,
}

/// What the command itself knows of the run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    pub program: Vec<String>,
    /// The first of these words, as a file.
    #[serde(skip)]
    pub file: PathBuf,
    pub milliseconds: u64,
    /// The program still runs.
    pub unfinished: bool,
    /// What the kernel counted meanwhile, if it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Counters>,
    /// No other program was seen to have a TCP socket where the kernel counts.
    pub kernel_alone: bool,
    /// Connections whose peer has closed, and which the program still holds.
    pub close_wait: Vec<Waiting>,
    /// With `--follow`: a connection was looked at for so long after its close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Site {
    /// From 1.
    pub number: usize,
    pub call: String,
    pub frames: Vec<Frame>,
    pub peers: u64,
    pub more_peers: bool,
    /// The number of the site that had closed what was not open here: the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_before: Option<usize>,
    pub figures: Figures,
    /// The first one first.
    pub advice: Vec<Advice>,
}

/// What the log of the library says.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    pub file: String,
    /// Those with the most lines first.
    pub sites: Vec<LoggedSite>,
    pub lines_without_caller: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct LoggedSite {
    pub frames: Vec<Frame>,
    pub lines: u64,
    pub outcomes: BTreeMap<String, u64>,
    pub unacked_bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    pub offset: u64,
    /// The innermost first; empty if none is known.
    pub functions: Vec<Function>,
}

/// A module that occurs in the frames.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    pub path: String,
    pub symbols: Source,
}

impl Report {
    pub fn new(snapshot: &Snapshot, run: Run, folders: &Folders) -> Report {
        let known = look_up(snapshot, folders);
        let mut totals = Figures::default();
        let mut seen: Vec<&snapshot::Site> = snapshot.sites.iter().collect();
        seen.sort_by_key(|seen| Reverse(rank(&seen.figures)));
        let number = |index: usize| Some(seen.iter().position(|seen| seen.index == index)? + 1);
        let mut sites: Vec<Site> = Vec::new();
        for (at, seen) in seen.iter().enumerate() {
            totals.add(&seen.figures);
            sites.push(Site {
                number: at + 1,
                closed_before: seen.closed_before.and_then(number),
                ..site(seen, snapshot, &known)
            });
        }
        let logged = |seen: &snapshot::Logged| logged_of(seen, snapshot, &known);
        let logged = snapshot.logged.as_ref().map(logged);
        let modules: Vec<Module> = known
            .into_iter()
            .map(|(path, known)| Module {
                path: path.to_owned(),
                symbols: known.source,
            })
            .collect();
        Report {
            format: FORMAT,
            graceful_close: env!("CARGO_PKG_VERSION"),
            run,
            processes: snapshot.processes,
            totals,
            notes: notes(snapshot, &modules),
            logged,
            sites,
            modules,
        }
    }

    /// Sites after which something is lost, or may be.
    pub fn losing(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| site.figures.may_lose())
    }
}

/// What was seen to be lost first, then resets for certain, then what a late byte would cost.
fn rank(figures: &Figures) -> [u64; 7] {
    [
        figures.lost,
        figures.lost_bytes,
        figures.resets(),
        figures.bytes_at_stake(),
        figures.at_risk(),
        figures.open.saturating_add(figures.linger_reset),
        figures.closes,
    ]
}

fn site(seen: &snapshot::Site, snapshot: &Snapshot, known: &BTreeMap<&str, Known>) -> Site {
    let advice = advice::of(&advice::Site {
        call: &seen.call,
        figures: &seen.figures,
    });
    Site {
        number: 0,
        call: seen.call.clone(),
        frames: frames(&seen.frames, snapshot, known),
        peers: seen.peers,
        more_peers: seen.more_peers,
        closed_before: None,
        figures: seen.figures.clone(),
        advice,
    }
}

fn logged_of(
    seen: &snapshot::Logged,
    snapshot: &Snapshot,
    known: &BTreeMap<&str, Known>,
) -> Logged {
    let site = |site: &snapshot::LoggedSite| LoggedSite {
        frames: frames(&site.frames, snapshot, known),
        lines: site.outcomes.values().sum(),
        outcomes: site.outcomes.clone(),
        unacked_bytes: site.unacked_bytes,
    };
    let mut sites: Vec<LoggedSite> = seen.sites.iter().map(site).collect();
    sites.sort_by_key(|site| Reverse(site.lines));
    Logged {
        file: seen.path.clone(),
        sites,
        lines_without_caller: seen.without_caller,
    }
}

fn frames(places: &[Place], snapshot: &Snapshot, known: &BTreeMap<&str, Known>) -> Vec<Frame> {
    let frame = |place: &Place| {
        let module = snapshot.module(place);
        let functions = module
            .and_then(|path| known.get(path)?.functions.get(&place.offset))
            .cloned();
        Frame {
            module: module.map(str::to_owned),
            offset: place.offset,
            functions: functions.unwrap_or_default(),
        }
    };
    places.iter().map(frame).collect()
}

/// Each module is opened once.
fn look_up<'a>(snapshot: &'a Snapshot, folders: &Folders) -> BTreeMap<&'a str, Known> {
    let mut places: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let seen = snapshot.sites.iter().map(|site| &site.frames);
    let logged = snapshot.logged.iter().flat_map(|logged| &logged.sites);
    let logged = logged.map(|site| &site.frames);
    for place in seen.chain(logged).flatten() {
        if let Some(path) = snapshot.module(place) {
            places.entry(path).or_default().insert(place.offset);
        }
    }
    places
        .into_iter()
        .map(|(path, offsets)| (path, symbols::look_up(Path::new(path), &offsets, folders)))
        .collect()
}

/// What a reader must know to understand the figures.
fn notes(snapshot: &Snapshot, modules: &[Module]) -> Vec<String> {
    let mut notes = Vec::new();
    if snapshot.processes == 0 {
        notes.push("The library was in no process: nothing was looked at.".to_owned());
    }
    if snapshot.closes_without_site > 0 {
        notes.push(format!(
            "{} closes are not in this report: they were at more call sites than the table has room for.",
            snapshot.closes_without_site
        ));
    }
    if snapshot.modules_left_out > 0 {
        notes.push(format!(
            "{} modules have no name in this report: the table has no room for more.",
            snapshot.modules_left_out
        ));
    }
    notes.extend(snapshot.logged.as_ref().and_then(note_of_log));
    let mut interpreters: Vec<&str> = modules
        .iter()
        .filter_map(|module| interpreter(&module.path))
        .collect();
    interpreters.sort_unstable();
    interpreters.dedup();
    for language in interpreters {
        notes.push(format!(
            "The program is run by {language}: the call sites are those of the interpreter. The line of the script is not in this report."
        ));
    }
    notes
}

fn note_of_log(logged: &snapshot::Logged) -> Option<String> {
    let path = &logged.path;
    match (&logged.failure, logged.without_caller) {
        (Some(why), _) => Some(format!("{path} cannot be read: {why}")),
        (None, 0) => None,
        (None, lines) => Some(format!(
            "{lines} lines of {path} name no caller: the program has to call gc_set_log_caller(1)."
        )),
    }
}

/// The language whose scripts this module runs.
fn interpreter(path: &str) -> Option<&'static str> {
    let name = symbols::file_name(path).to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    match () {
        () if begins(&["python", "libpython", "_socket.", "_socketmodule"]) => Some("Python"),
        () if begins(&["node", "libnode"]) => Some("Node.js"),
        () if begins(&["libjvm", "jvm.", "libnio", "libnet.", "java"]) => Some("Java"),
        () if begins(&["ruby", "libruby"]) => Some("Ruby"),
        () if begins(&["perl", "libperl"]) => Some("Perl"),
        () if begins(&["php", "libphp"]) => Some("PHP"),
        () => None,
    }
}
