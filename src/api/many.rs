//! The Rust face of many closes under one deadline.

use super::close::{Closed, OwnedSocket, Refused};
use crate::drive::many::Many;
use crate::machine::End;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::sys::Socket;
use std::io;

/// Closes many connections gracefully under one deadline, on this thread.
///
/// The results stand in the order of the sockets. With [`Fallback::Keep`](crate::Fallback::Keep) those
/// that did not end gracefully come back as [`Closed::kept`](crate::Closed).
///
/// # Errors
/// No memory: nothing was done, and the sockets are dropped.
///
/// ```
/// use graceful_close::{close_many, Options};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut servers = Vec::new();
/// for _ in 0..10 {
///     let client = TcpStream::connect(listener.local_addr()?)?;
///     servers.push(listener.accept()?.0);
///     drop(client);
/// }
/// let results = close_many(servers, &Options::new())?;
/// assert!(results.iter().all(|result| result.as_ref().unwrap().report.closed));
/// # Ok(()) }
/// ```
pub fn close_many<S: Into<OwnedSocket>>(
    sockets: impl IntoIterator<Item = S>,
    options: &Options,
) -> io::Result<Vec<Result<Closed, Refused>>> {
    let sockets = sockets.into_iter();
    let mut owned: Vec<OwnedSocket> = Vec::new();
    owned.try_reserve(sockets.size_hint().0)?;
    for socket in sockets {
        owned.try_reserve(1)?;
        owned.push(socket.into());
    }
    let mut results = Vec::new();
    results.try_reserve_exact(owned.len())?;
    let raw = owned.iter().map(Socket::of);
    let mut many = Many::new(raw, options)?;
    many.run(&mut None);
    let told = owned
        .into_iter()
        .zip(many.all())
        .map(|(socket, one)| match one.end() {
            Some(End::Outcome(outcome)) => Ok(Closed::of(socket, one.report(outcome))),
            Some(End::Refused(fault)) => Err(Refused::of(socket, fault.code)),
            None => Ok(Closed::of(socket, one.report(Outcome::Uncertain))),
        });
    results.extend(told);
    Ok(results)
}
