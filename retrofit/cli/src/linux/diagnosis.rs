//! What the kernel tells of connections that no descriptor leads to any more: the state of one with given
//! addresses, and a message when one ends for good (man 7 sock_diag; SKNLGRP_INET_TCP_DESTROY of
//! linux/sock_diag.h, as for `ss --events`). Any user may ask.

use super::netlink::{cookie, join, receive, send, set, socket, wait};
use graceful_close_retrofit::observe::Trail;
use libc::c_int;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The two ends of a connection, as a [`Trail`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    pub own: ([u8; 16], u16),
    pub peer: ([u8; 16], u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none with these addresses.
    Gone,
    /// This side has ended it: FIN_WAIT1, FIN_WAIT2, CLOSING or LAST_ACK.
    Ending,
    /// Both sides have, and all was acknowledged: TIME_WAIT.
    Finished,
    /// Another one, or the close is still to come.
    Open,
}

/// How one ended, from this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sequence numbers that had come and were not read; the peer's FIN is one.
    pub unread: u32,
    /// Sequence numbers of ours that were not acknowledged; the FIN is one.
    pub unacked: u32,
}

pub struct Diagnosis {
    questions: OwnedFd,
    events: OwnedFd,
    /// Of the network namespace.
    pub cookie: u64,
}

impl Diagnosis {
    pub fn open() -> io::Result<Diagnosis> {
        let (questions, events) = (socket()?, socket()?);
        let cookie = cookie(&questions)?;
        join(
            &events,
            SKNLGRP_INET_TCP_DESTROY | SKNLGRP_INET6_TCP_DESTROY,
        )?;
        // as much as there may be; who may have more than that has it
        let _ = set(&events, libc::SO_RCVBUF, ROOM);
        let _ = set(&events, libc::SO_RCVBUFFORCE, ROOM);
        let diagnosis = Diagnosis {
            questions,
            events,
            cookie,
        };
        // a kernel that cannot answer says so now
        diagnosis.state(&Trail::default())?;
        Ok(diagnosis)
    }

    pub fn state(&self, trail: &Trail) -> io::Result<State> {
        send(&self.questions, &question(trail))?;
        let mut room = [0; 8192];
        let length = receive(&self.questions, &mut room, 0)?;
        let answer = Message::of(&room[..length]).ok_or(io::ErrorKind::InvalidData)?;
        match answer.kind {
            NLMSG_ERROR => match i32::from_ne_bytes(word(answer.body, 0)?) {
                error if error == -libc::ENOENT => Ok(State::Gone),
                error => Err(io::Error::from_raw_os_error(-error)),
            },
            _ => Ok(match byte(answer.body, STATE)? {
                // the listener, where no connection is found
                LISTEN => State::Gone,
                FIN_WAIT1 | FIN_WAIT2 | LAST_ACK | CLOSING => State::Ending,
                TIME_WAIT => State::Finished,
                _ => State::Open,
            }),
        }
    }

    /// For a message, or so long.
    pub fn wait(&self, limit: Duration) {
        wait(&self.events, limit);
    }

    /// Each message that is there. The kernel drops those for which it has no room.
    pub fn ended(&self, mut each: impl FnMut(Ends, Ended)) {
        let mut room = [0; 8192];
        loop {
            match receive(&self.events, &mut room, libc::MSG_DONTWAIT) {
                Ok(length) => {
                    if let Some((ends, ended)) = of_event(&room[..length]) {
                        each(ends, ended);
                    }
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
// (the groups 1 and 3)
const SKNLGRP_INET_TCP_DESTROY: u32 = 1;
const SKNLGRP_INET6_TCP_DESTROY: u32 = 1 << 2;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;
const LAST_ACK: u8 = 9;
const LISTEN: u8 = 10;
const CLOSING: u8 = 11;
const ROOM: c_int = 8 << 20;

/// Of struct nlmsghdr.
const HEAD: usize = 16;
/// Within struct inet_diag_msg.
const FAMILY: usize = 0;
const STATE: usize = 1;
const OWN_PORT: usize = 4;
const PEER_PORT: usize = 6;
const OWN: usize = 8;
const PEER: usize = 24;
const UNREAD: usize = 56;
const UNACKED: usize = 60;

struct Message<'a> {
    kind: u16,
    body: &'a [u8],
}

impl Message<'_> {
    fn of(bytes: &[u8]) -> Option<Message<'_>> {
        let kind = bytes.get(4..6)?;
        Some(Message {
            kind: u16::from_ne_bytes([kind[0], kind[1]]),
            body: bytes.get(HEAD..)?,
        })
    }
}

fn byte(body: &[u8], at: usize) -> io::Result<u8> {
    let byte = body.get(at).copied();
    byte.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn word(body: &[u8], at: usize) -> io::Result<[u8; 4]> {
    let word = body.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// struct nlmsghdr and struct inet_diag_req_v2, with a socket whose cookie nobody asks for.
fn question(trail: &Trail) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mapped = of_ipv4(&trail.own.0).zip(of_ipv4(&trail.peer.0));
    let family = if mapped.is_some() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let (own, peer) = mapped.map_or((trail.own.0, trail.peer.0), |(own, peer)| {
        (at_the_beginning(own), at_the_beginning(peer))
    });
    let mut bytes = Vec::with_capacity(LENGTH as usize);
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(trail.own.1.to_be_bytes());
    bytes.extend(trail.peer.1.to_be_bytes());
    bytes.extend(own);
    bytes.extend(peer);
    bytes.extend(trail.interface.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

fn of_ipv4(address: &[u8; 16]) -> Option<[u8; 4]> {
    std::net::Ipv6Addr::from(*address)
        .to_ipv4_mapped()
        .map(|address| address.octets())
}

fn at_the_beginning(address: [u8; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&address);
    bytes
}

/// A message of one of the groups.
fn of_event(bytes: &[u8]) -> Option<(Ends, Ended)> {
    let message = Message::of(bytes)?;
    let body = message.body;
    if message.kind != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let is_ipv4 = c_int::from(*body.get(FAMILY)?) == libc::AF_INET;
    let end = |address: usize, port: usize| {
        let port = u16::from_be_bytes(body.get(port..port + 2)?.try_into().ok()?);
        let bytes: [u8; 16] = body.get(address..address + 16)?.try_into().ok()?;
        let address = match is_ipv4 {
            true => {
                let address = std::net::Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
                address.to_ipv6_mapped().octets()
            }
            false => bytes,
        };
        Some((address, port))
    };
    let ends = Ends {
        own: end(OWN, OWN_PORT)?,
        peer: end(PEER, PEER_PORT)?,
    };
    let ended = Ended {
        unread: u32::from_ne_bytes(word(body, UNREAD).ok()?),
        unacked: u32::from_ne_bytes(word(body, UNACKED).ok()?),
    };
    Some((ends, ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::skipped;
    use std::io::{Read, Write};
    use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
    use std::time::Instant;

    fn end(address: SocketAddr) -> ([u8; 16], u16) {
        let octets = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        (octets, address.port())
    }

    fn trail(stream: &TcpStream) -> Trail {
        Trail {
            own: end(stream.local_addr().unwrap()),
            peer: end(stream.peer_addr().unwrap()),
            ..Trail::default()
        }
    }

    fn becomes(diagnosis: &Diagnosis, trail: &Trail, state: State) {
        let start = Instant::now();
        while diagnosis.state(trail).unwrap() != state {
            assert!(start.elapsed() < Duration::from_secs(5), "never {state:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn ended(diagnosis: &Diagnosis, trail: &Trail) -> Ended {
        let start = Instant::now();
        loop {
            let mut found = None;
            diagnosis.wait(Duration::from_millis(100));
            diagnosis.ended(|ends, ended| {
                if (ends.own, ends.peer) == (trail.own, trail.peer) {
                    found = Some(ended);
                }
            });
            if let Some(found) = found {
                return found;
            }
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "no message of {trail:?}"
            );
        }
    }

    #[test]
    fn a_connection_is_seen_to_its_end() {
        let Ok(diagnosis) = Diagnosis::open() else {
            skipped(
                "what became of a connection",
                "the system does not tell (sock_diag)",
            );
            return;
        };
        // the last one has a listener of IPv6, and a client of IPv4
        let ways = [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ];
        for (listener, client) in ways {
            let Ok(listener) = TcpListener::bind(listener) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let pair = || {
                let client = TcpStream::connect((client, port)).unwrap();
                (client, listener.accept().unwrap().0)
            };
            let (mut client, server) = pair();
            let end = trail(&server);
            assert_eq!(diagnosis.state(&end).unwrap(), State::Open);
            drop(server);
            becomes(&diagnosis, &end, State::Ending);
            client.read_to_end(&mut Vec::new()).unwrap();
            drop(client);
            becomes(&diagnosis, &end, State::Finished);
            assert_eq!(ended(&diagnosis, &end).unacked, 0);
            // unread bytes: a reset
            let (mut client, server) = pair();
            let end = trail(&server);
            client.write_all(b"abc").unwrap();
            server.peek(&mut [0; 3]).unwrap();
            drop(server);
            becomes(&diagnosis, &end, State::Gone);
            let unread = Ended {
                unread: 3,
                unacked: 0,
            };
            assert_eq!(ended(&diagnosis, &end), unread);
        }
    }
}
