//! Where Rust ends: no panic crosses, nothing is printed, the thread's last
//! error and its cancellation are as the program expects them.

use super::error::{Refusal, Words};
use super::types::gc_socket;
use crate::log;
use crate::sys::{CancelGuard, LastError, ThreadFlag};
use std::ffi::c_int;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Once, OnceLock};

/// One call of the C interface: its function's name, the socket that it is about, and what it
/// does. A refusal is told to the log, and its error is left for the program, whatever the log
/// does to that. No lock of ours is held then.
pub(super) fn call(
    name: &str,
    socket: Option<gc_socket>,
    body: impl FnOnce() -> Result<c_int, Refusal>,
) -> c_int {
    let mut body = Some(body);
    guarded(name, socket, &mut || match body.take() {
        Some(body) => body(),
        None => Err(Refusal::Internal),
    })
}

/// Once for all functions, so that each of them stays small.
#[inline(never)]
fn guarded(
    name: &str,
    socket: Option<gc_socket>,
    body: &mut dyn FnMut() -> Result<c_int, Refusal>,
) -> c_int {
    enter(|| match catch(body).and_then(|answer| answer) {
        Ok(answer) => (answer, None),
        Err(refusal) => {
            tell(name, socket, refusal);
            (refusal.number(), refusal.last_error())
        }
    })
}

/// Tells the log that a call was refused, or a part of it.
#[cold]
#[inline(never)]
pub(super) fn tell(name: &str, socket: Option<gc_socket>, refusal: Refusal) {
    let words = Words { refusal, socket };
    log::refused(refusal.number(), format_args!("{name}: {words}"));
}

/// Runs one call of the C interface with cancellation held off. `body` says
/// which error to leave for the program; `None` keeps the one it had.
pub(super) fn enter<T>(body: impl FnOnce() -> (T, Option<i32>)) -> T {
    let before = LastError::get();
    let cancellation = CancelGuard::hold();
    let (answer, error) = body();
    LastError::set(error.unwrap_or(before));
    // Honours a request that came meanwhile only where the thread asked for
    // asynchronous cancellation; the close is complete either way.
    drop(cancellation);
    answer
}

/// Stops a panic without a word on the program's stderr.
pub(super) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Refusal> {
    silence_ours();
    let outer = ThreadFlag::InCall.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    ThreadFlag::InCall.replace(outer);
    result.map_err(|_| Refusal::Internal)
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static>;

/// The standard library prints a message before it unwinds; a panic inside our
/// border goes by silently instead. Others (of a Rust program that links this
/// crate and calls its C functions) go to the hook that was there before.
fn silence_ours() {
    static ONCE: Once = Once::new();
    static BEFORE: OnceLock<Hook> = OnceLock::new();
    if ONCE.is_completed() || std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let _ = BEFORE.set(panic::take_hook());
        panic::set_hook(Box::new(|info| {
            if !ThreadFlag::InCall.is_set() {
                if let Some(before) = BEFORE.get() {
                    before(info);
                }
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::{catch, enter, Refusal};
    use crate::sys::LastError;

    const CHILD: &str = "GC_TEST_PANIC_CHILD";

    /// Runs a test once more, in a process of its own: what that says on its stderr.
    fn in_a_child(test: &str) -> String {
        let this = std::env::current_exe().unwrap();
        let output = std::process::Command::new(this)
            .args(["--exact", "--nocapture"])
            .arg(format!("capi::call::tests::{test}"))
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        // It did run: a name that no test has is no failure to the test harness.
        let result = String::from_utf8_lossy(&output.stdout);
        assert!(result.contains("1 passed"), "{result}");
        said
    }

    #[test]
    fn a_panic_stops_at_the_border_without_a_word() {
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(
                catch(|| -> i32 { panic!("a bug, for the test") }),
                Err(Refusal::Internal)
            );
            assert_eq!(catch(|| 7), Ok(7));
            return;
        }
        let said = in_a_child("a_panic_stops_at_the_border_without_a_word");
        assert!(!said.contains("a bug"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }

    /// While a thread unwinds nobody may change what is done at a panic.
    #[test]
    fn the_first_call_of_all_may_be_made_while_a_panic_unwinds() {
        struct Closes;
        impl Drop for Closes {
            fn drop(&mut self) {
                assert_eq!(catch(|| 7), Ok(7));
            }
        }
        if std::env::var_os(CHILD).is_some() {
            let unwinds = || {
                let _closes = Closes;
                panic!("the program's own");
            };
            assert!(std::panic::catch_unwind(unwinds).is_err());
            return;
        }
        let said = in_a_child("the_first_call_of_all_may_be_made_while_a_panic_unwinds");
        assert!(said.contains("the program's own"), "{said}");
    }

    #[test]
    fn a_panic_outside_the_border_still_speaks() {
        assert_eq!(catch(|| 1), Ok(1));
        assert!(std::panic::catch_unwind(|| panic!("meant to be seen")).is_err());
    }

    #[test]
    fn the_last_error_is_kept_or_set() {
        LastError::set(33);
        assert_eq!(enter(|| (1, None)), 1);
        assert_eq!(LastError::get(), 33);
        assert_eq!(enter(|| (2, Some(44))), 2);
        assert_eq!(LastError::get(), 44);
    }
}
