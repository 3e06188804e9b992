//! The client's half of the classic sequence: after its request it half-closes, receives the
//! answer, and closes; all of that is one call.
//!
//!     cargo run --example graceful_client -- HOST:PORT

use graceful_close::{close_reading, Options};
use std::io::{self, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::time::Duration;

fn main() -> io::Result<()> {
    let Some(address) = std::env::args().nth(1) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: graceful_client HOST:PORT",
        ));
    };
    let mut server = TcpStream::connect(address)?;
    server.write_all(b"tell me how much this was, please\n")?;

    let options = Options::new()
        .timeout(Duration::from_secs(10))
        .idle_timeout(Duration::from_secs(3));
    let mut answer = Vec::new();
    let closed = close_reading(server, &options, |bytes| {
        answer.extend_from_slice(bytes);
        ControlFlow::Continue(())
    })?;
    print!("{}", String::from_utf8_lossy(&answer));
    println!(
        "{:?} after {:?}",
        closed.report.outcome, closed.report.elapsed
    );
    Ok(())
}
