//! The reaper of the process, for all who have none of their own.

use super::control::Reaper;
use super::shared::{Handover, Refusal, WhenFull};
use crate::connection::FaultKind;
use crate::log::About;
use crate::machine::Machine;
use crate::sys::{PerProcess, Probe, Socket};

/// Goes on in the background with a close that the caller has no time for any more; without a
/// background it is closed ordinarily.
pub(crate) fn go_on_with(mut socket: Socket, machine: &mut Machine, about: Option<&About>) {
    let result =
        of_the_process_for(socket).and_then(|reaper| reaper.go_on_with(socket, machine, about));
    match result {
        Ok(()) => {}
        Err(Refusal::System(fault)) if fault.kind == FaultKind::NotASocket => machine.abandon(),
        Err(_) => machine.close_instead(&mut socket),
    }
}

/// What [`of_the_process_for`] has started.
static OF_THE_PROCESS: PerProcess<Reaper> = PerProcess::new();

/// Hands a socket over to the reaper of the process. On an error it is untouched.
pub(crate) fn hand_over_to_the_process(handover: Handover) -> Result<(), Refusal> {
    of_the_process_for(handover.socket)?.take(handover)
}

/// The reaper of the process, started at the first call, but not for what is no
/// socket: on Windows the thread starts Winsock, and that the program has not
/// could not be told any more.
pub(crate) fn of_the_process_for(first: Socket) -> Result<&'static Reaper, Refusal> {
    if let Some(reaper) = OF_THE_PROCESS.get() {
        return Ok(reaper);
    }
    first.check().map_err(Refusal::System)?;
    if let Err(late) = OF_THE_PROCESS.set(Reaper::start(0, WhenFull::EvictOldest)?) {
        // Another thread was faster.
        let _ = late.stop(0);
    }
    OF_THE_PROCESS.get().ok_or(Refusal::NO_MEMORY)
}

/// The same, if it has been started.
pub(crate) fn of_the_process_if_any() -> Option<&'static Reaper> {
    OF_THE_PROCESS.get()
}
