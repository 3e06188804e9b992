//! The server's half of the classic sequence: it answers each client, and says whether the
//! client has everything.
//!
//!     cargo run --example graceful_server -- [PORT [CONNECTIONS]]

use graceful_close::{close_with, Options, Outcome};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u16>());
    let port = words.next().and_then(Result::ok).unwrap_or(0);
    let connections = words.next().and_then(Result::ok).unwrap_or(u16::MAX);

    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    for client in listener.incoming().take(connections.into()) {
        if let Err(error) = serve(client?) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    // until the client's half-close: the request is complete then
    client.read_to_end(&mut request)?;
    writeln!(client, "your request had {} bytes", request.len())?;

    // write() has only handed the answer to the system
    let options = Options::new().timeout(Duration::from_secs(10));
    let closed = close_with(client, &options)?;
    match closed.report.outcome {
        Outcome::Graceful => println!("the client has everything"),
        outcome => println!("{outcome:?}: the client may not have everything"),
    }
    Ok(())
}
