//! The environment of a program that is started: without the library if the program cannot have
//! it. Everything is on the stack, as this runs between vfork() and exec(), too.

use super::readable::{is_readable, name};
use crate::log;
use crate::process;
use crate::suitable::{self, Surroundings, Unsuitable};
use crate::sys;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

pub type Words = *const *const c_char;

/// More variables, or a longer value, are handed on as they are.
const MOST_VARIABLES: usize = 1024;
const MOST_BYTES: usize = 4096;
/// There are seldom more, and a thread may have a small stack.
const FEW_VARIABLES: usize = 128;
const FEW_BYTES: usize = 512;

const PRELOAD: &[u8] = b"LD_PRELOAD=";
const ASAN: &[u8] = b"ASAN_OPTIONS=";
const PATH: &[u8] = b"PATH=";

/// The path of this library's file, as the dynamic linker has found it; null: not known, or it is
/// linked into the program, and then in nothing that the program starts.
static OWN_FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// For the constructor.
#[cfg(not(feature = "link"))]
pub fn find_own_file() {
    // SAFETY: all zeroes is a valid Dl_info, which is filled; the name in it lives as long as the
    // library, which is never unloaded.
    unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        let own = ptr::addr_of!(OWN_FILE).cast();
        if libc::dladdr(own, &mut found) != 0 {
            OWN_FILE.store(found.dli_fname.cast_mut(), Relaxed);
        }
    }
}

#[cfg(feature = "link")]
pub fn find_own_file() {}

fn own_file() -> Option<&'static CStr> {
    let path = OWN_FILE.load(Relaxed);
    // SAFETY: as find_own_file() says.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
}

/// That of the calling program.
pub fn environment() -> Words {
    extern "C" {
        static environ: Words;
    }
    // SAFETY: what the C library's own execv() reads in the same way.
    unsafe { environ }
}

/// Which file a program is.
pub enum Program {
    /// The path counts from a folder.
    At(c_int, *const c_char),
    Open(c_int),
    /// Looked for in the folders of PATH.
    Named(*const c_char),
}

impl Program {
    /// As execveat() takes it.
    ///
    /// # Safety
    /// The path must be one, or null.
    pub unsafe fn in_folder(folder: c_int, path: *const c_char, flags: c_int) -> Program {
        let may_be_empty = flags & libc::AT_EMPTY_PATH != 0 && process::may_look();
        // SAFETY: as the caller promises.
        if may_be_empty && sys::is_readable(path) && unsafe { *path == 0 } {
            return Program::Open(folder);
        }
        Program::At(folder, path)
    }
}

/// Calls `start` with the environment that the program is to have.
///
/// # Safety
/// The program's name and the environment must be what exec() takes.
pub unsafe fn with_environment(
    program: &Program,
    environment: Words,
    start: &mut dyn FnMut(Words) -> c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    match unsafe { unsuitable(program, environment) } {
        None => start(environment),
        Some(why) => {
            log::started_without(why.words());
            // SAFETY: as the caller promises.
            unsafe { without_library(environment, start) }
        }
    }
}

/// # Safety
/// As [`with_environment`].
unsafe fn without_library(environment: Words, start: &mut dyn FnMut(Words) -> c_int) -> c_int {
    let (mut count, mut longest) = (0, 0);
    // SAFETY: as the caller promises.
    unsafe {
        each(environment, |_, variable| {
            count += 1;
            if variable.starts_with(PRELOAD) {
                longest = longest.max(variable.len());
            }
        });
        match count + 2 <= FEW_VARIABLES && longest < FEW_BYTES {
            true => without_library_in::<FEW_VARIABLES, FEW_BYTES>(environment, start),
            false => without_library_in::<MOST_VARIABLES, MOST_BYTES>(environment, start),
        }
    }
}

/// # Safety
/// As [`with_environment`].
unsafe fn unsuitable(program: &Program, environment: Words) -> Option<Unsuitable> {
    let library = own_file().filter(|_| process::may_look())?;
    let (mut preload, mut asan) = (None, &b""[..]);
    // SAFETY: as the caller promises.
    unsafe {
        if !is_readable(environment) {
            return None;
        }
        each(environment, |_, variable| {
            preload = preload.or(variable.strip_prefix(PRELOAD));
            asan = variable.strip_prefix(ASAN).unwrap_or(asan);
        })
    };
    if !preload?
        .split(separates)
        .any(|item| is_library(item, library))
    {
        return None;
    }
    let around = Surroundings { library, asan };
    match *program {
        Program::Open(fd) => suitable::unsuitable(fd, &around),
        // SAFETY: as the caller promises.
        Program::At(folder, path) => unsafe {
            suitable::unsuitable_at(folder, name(path)?, &around)
        },
        // SAFETY: as the caller promises.
        Program::Named(file) => unsafe { searched(name(file)?, &around) },
    }
}

/// As execvp() looks for it: by the PATH of this program, not of the one that is started.
///
/// # Safety
/// The environment of this program must be one.
#[inline(never)] // its array is large, and most programs have a path
unsafe fn searched(file: &CStr, around: &Surroundings) -> Option<Unsuitable> {
    let file = file.to_bytes();
    let mut folders = None;
    // SAFETY: as the caller promises.
    unsafe {
        each(environment(), |_, variable| {
            folders = folders.or(variable.strip_prefix(PATH))
        })
    };
    if file.contains(&b'/') {
        folders = Some(b"");
    }
    let mut room = [0u8; MOST_BYTES];
    let folders = folders.unwrap_or(b"/bin:/usr/bin");
    for folder in folders.split(|byte| *byte == b':') {
        let mut path = Text::new(&mut room);
        path.push(folder);
        if !folder.is_empty() {
            path.push(b"/");
        }
        path.push(file);
        let Some(path) = path.finished() else {
            continue;
        };
        if sys::access(path, libc::X_OK).is_ok() {
            return suitable::unsuitable_at(libc::AT_FDCWD, path, around);
        }
    }
    None
}

fn separates(byte: &u8) -> bool {
    matches!(byte, b':' | b' ')
}

/// An item of LD_PRELOAD may be a path or a name to be looked for.
fn is_library(item: &[u8], library: &CStr) -> bool {
    let last = |path: &[u8]| {
        let slash = path.iter().rposition(|byte| *byte == b'/');
        slash.map_or(0, |at| at + 1)
    };
    let own = library.to_bytes();
    !item.is_empty() && item[last(item)..] == own[last(own)..]
}

/// Calls `visit` with each variable and its place.
///
/// # Safety
/// The environment must be one, or null.
unsafe fn each<'a>(environment: Words, mut visit: impl FnMut(*const c_char, &'a [u8])) {
    let mut at = environment;
    // SAFETY: an environment ends with a null; its words end with zeroes.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            visit(*at, CStr::from_ptr(*at).to_bytes());
            at = at.add(1);
        }
    }
}

/// # Safety
/// As [`with_environment`].
#[inline(never)] // its arrays are large, and seldom wanted
unsafe fn without_library_in<const WORDS: usize, const BYTES: usize>(
    environment: Words,
    start: &mut dyn FnMut(Words) -> c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        without_library_on(
            environment,
            &mut [ptr::null(); WORDS],
            &mut [0; BYTES],
            start,
        )
    }
}

/// # Safety
/// As [`with_environment`].
unsafe fn without_library_on(
    environment: Words,
    words: &mut [*const c_char],
    room: &mut [u8],
    start: &mut dyn FnMut(Words) -> c_int,
) -> c_int {
    let Some(library) = own_file() else {
        return start(environment);
    };
    let mut preload = Text::new(room);
    let (mut used, mut has_others) = (0, false);
    // SAFETY: as the caller promises.
    unsafe {
        each(environment, |word, variable| {
            let Some(value) = variable.strip_prefix(PRELOAD) else {
                if let Some(free) = words.get_mut(used) {
                    *free = word;
                }
                used += 1;
                return;
            };
            let others = value
                .split(separates)
                .filter(|item| !item.is_empty() && !is_library(item, library));
            for item in others {
                preload.push(if has_others { b":" } else { PRELOAD });
                preload.push(item);
                has_others = true;
            }
        })
    };
    // one word for what else is preloaded, and the null
    if used + 2 > words.len() {
        return start(environment);
    }
    if has_others {
        match preload.finished() {
            Some(text) => words[used] = text.as_ptr(),
            None => return start(environment),
        }
    }
    start(words.as_ptr())
}

/// Text in a room of fixed size.
struct Text<'a> {
    room: &'a mut [u8],
    used: usize,
}

impl<'a> Text<'a> {
    fn new(room: &'a mut [u8]) -> Text<'a> {
        Text { room, used: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if let Some(free) = self.room.get_mut(self.used..end) {
            free.copy_from_slice(bytes);
        }
        self.used = end;
    }

    /// `None`: it did not fit.
    fn finished(self) -> Option<&'a CStr> {
        *self.room.get_mut(self.used)? = 0;
        CStr::from_bytes_with_nul(&self.room[..=self.used]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn with<R>(variables: &[&str], work: impl FnOnce(Words) -> R) -> R {
        let texts: Vec<CString> = variables
            .iter()
            .map(|text| CString::new(*text).unwrap())
            .collect();
        let mut words: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        words.push(ptr::null());
        work(words.as_ptr())
    }

    fn after(variables: &[&str]) -> Vec<String> {
        OWN_FILE.store(c"/opt/x/own.so".as_ptr().cast_mut(), Relaxed);
        let mut left = Vec::new();
        with(variables, |environment| {
            // SAFETY: an environment.
            unsafe {
                without_library(environment, &mut |environment| {
                    each(environment, |_, variable| {
                        left.push(String::from_utf8_lossy(variable).into_owned());
                    });
                    0
                });
            }
        });
        left
    }

    #[test]
    fn the_library_goes_and_the_rest_stays() {
        let preload = "LD_PRELOAD=/opt/x/own.so";
        assert_eq!(after(&["A=1", preload, "B=2"]), ["A=1", "B=2"]);
        assert_eq!(
            after(&["LD_PRELOAD=a.so:/opt/x/own.so b.so", "B=2"]),
            ["B=2", "LD_PRELOAD=a.so:b.so"]
        );
        assert_eq!(
            after(&["LD_PRELOAD=own.so:/lib/not-own.so"]),
            ["LD_PRELOAD=/lib/not-own.so"]
        );
        assert_eq!(after(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_too_much_is_handed_on() {
        let many: Vec<String> = (0..MOST_VARIABLES)
            .map(|number| format!("V{number}="))
            .collect();
        let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
        many.push("LD_PRELOAD=own.so");
        assert_eq!(after(&many).len(), many.len());
        let long = format!("LD_PRELOAD=own.so:{}", "x".repeat(MOST_BYTES));
        assert_eq!(after(&[&long]), [long.as_str()]);
    }
}
