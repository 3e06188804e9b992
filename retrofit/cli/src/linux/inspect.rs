//! What is to be seen of a program before it is started: what keeps the library out of it, and
//! what would not go as its user thinks.

use super::program::{self, Image};
use super::{library, log, starters, trial};
use crate::arguments::Request;
use crate::failure::Failure;
use crate::settings;
use graceful_close_retrofit::image::Kind;
use graceful_close_retrofit::memory;
use graceful_close_retrofit::settings::{Setting, EXCEPT, OFF, ONLY};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A program that starts a program that starts a program …
const MOST_STARTERS: usize = 4;

pub struct Findings {
    /// The program itself cannot have the library.
    pub obstacle: Option<String>,
    /// It can, and what it starts cannot.
    pub behind: Option<String>,
    /// It can, and is told to do nothing in it.
    pub switched_off: Option<String>,
    /// What the user should know, and what keeps nothing from working.
    pub warnings: Vec<String>,
    /// The settings that count.
    pub settings: Vec<String>,
    /// AddressSanitizer's runtime wants to be the first of all libraries.
    pub needs_asan: bool,
    images: Vec<Image>,
}

pub fn inspect(request: &Request, path: &Path, library: &Path) -> Result<Findings, Failure> {
    let kind = library::kind(library)?;
    let image = program::image(path);
    let settings = settings::in_force(&request.settings);
    let mut found = Findings {
        obstacle: image.obstacle(kind),
        behind: None,
        switched_off: switched_off(request, path),
        warnings: settings.warnings,
        settings: settings.lines,
        needs_asan: image.needs_asan(),
        images: vec![image],
    };
    found.follow(&request.program, &request.arguments, library, kind);
    found.warnings.extend(log::obstacle(request));
    found.warnings.extend(closed_to_others(library));
    found.warnings.extend(little_memory());
    Ok(found)
}

/// The limits that the program is going to have are ours.
fn little_memory() -> Option<String> {
    let limit = |which| {
        let mut limits = libc::rlimit64 {
            rlim_cur: libc::RLIM64_INFINITY,
            rlim_max: libc::RLIM64_INFINITY,
        };
        // SAFETY: the C library fills the one struct.
        unsafe { libc::getrlimit64(which, &mut limits) };
        limits.rlim_cur
    };
    let is_little = memory::is_too_little(limit(libc::RLIMIT_DATA), limit(libc::RLIMIT_AS));
    is_little.then(|| {
        format!(
            "less memory is allowed than {}: it might not start with the library, and what it starts has no library",
            memory::LEAST
        )
    })
}

/// Only root's programs become another user's.
fn closed_to_others(library: &Path) -> Option<String> {
    let closed = library::closed_to_others(library).filter(|_| program::is_root())?;
    let right = if closed == library { "a+r" } else { "a+x" };
    Some(format!(
        "other users may not read {}, because of {}: what runs as another user gets a message of the dynamic linker instead, on its stderr, which may be the connection; chmod {right} {}",
        library.display(),
        closed.display(),
        closed.display()
    ))
}

impl Findings {
    /// From a starter to what it starts, as far as that is to be seen.
    fn follow(&mut self, program: &OsStr, arguments: &[OsString], library: &Path, kind: Kind) {
        let (mut program, mut arguments) = (program, arguments);
        for _ in 0..MOST_STARTERS {
            let Some(start) = starters::known(program, arguments) else {
                return;
            };
            self.behind = start
                .obstacle()
                .or_else(|| missing_inside(start.new_root()?, library));
            let Some((name, rest)) = start.inner().filter(|_| self.behind.is_none()) else {
                return;
            };
            let Ok(path) = program::find(name) else {
                return;
            };
            let image = program::image(&path);
            self.behind = behind(&path, image.obstacle(kind));
            self.needs_asan |= image.needs_asan();
            self.images.push(image);
            (program, arguments) = (name, rest);
        }
    }

    /// Has the dynamic linkers tell whether they load the library.
    pub fn verdict(&self, library: &Path) -> Result<(), String> {
        if let Some(why) = &self.obstacle {
            return Err(format!("it is {why}"));
        }
        if let Some(why) = &self.behind {
            return Err(why.clone());
        }
        if let Some(why) = &self.switched_off {
            return Err(why.clone());
        }
        self.images
            .iter()
            .try_for_each(|image| trial::load(library, image))
    }
}

/// As the library itself will find: by the name that the program is started with.
fn switched_off(request: &Request, path: &Path) -> Option<String> {
    let text = |setting: &Setting| settings::text(setting, &request.settings);
    let number = |setting: &Setting| {
        let text = text(setting);
        setting.number_or_default(text.as_deref().and_then(OsStr::to_str))
    };
    if number(&OFF) != 0 {
        return Some("it is switched off (--off, or GRACEFUL_CLOSE_OFF)".into());
    }
    let names = [Path::new(&request.program).file_name(), path.file_name()];
    let among = |list: &OsString| {
        let mut words = list
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii);
        words.any(|word| names.iter().flatten().any(|name| name.as_bytes() == word))
    };
    if text(&ONLY).is_some_and(|list| !among(&list)) {
        return Some(
            "it is not among the programs of --only, or GRACEFUL_CLOSE_ONLY; what it starts may be"
                .into(),
        );
    }
    let is_excepted = text(&EXCEPT).is_some_and(|list| among(&list));
    is_excepted.then(|| "it is among the programs of --except, or GRACEFUL_CLOSE_EXCEPT".into())
}

fn behind(path: &Path, obstacle: Option<String>) -> Option<String> {
    Some(format!(
        "it starts {}, which is {}",
        path.display(),
        obstacle?
    ))
}

fn missing_inside(root: &Path, library: &Path) -> Option<String> {
    let below: PathBuf = library.iter().skip(1).collect();
    let inside = root.join(below);
    (!inside.exists()).then(|| {
        format!(
            "its new root has no {}, and the dynamic linker would say so on stderr; copy the library to {}",
            library.display(),
            inside.display()
        )
    })
}
