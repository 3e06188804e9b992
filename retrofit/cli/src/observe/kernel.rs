//! What Linux counts itself: resets of the network namespace, and connections in CLOSE_WAIT.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Of /proc/net/netstat and /proc/net/snmp; their meaning is that of net/ipv4/proc.c:
/// unread bytes at a close, bytes that came after it, SO_LINGER {1, 0} or the like, all resets.
const COUNTED: [&str; 4] = [
    "TCPAbortOnClose",
    "TCPAbortOnData",
    "TCPAbortOnLinger",
    "OutRsts",
];

/// By how much the counters grew. They are those of all programs of the network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// As they are now; none where the system has no such files.
    pub fn now() -> Option<Counters> {
        let tables =
            ["netstat", "snmp"].map(|name| fs::read_to_string(format!("/proc/net/{name}")));
        let mut all = Counters::default();
        for table in tables {
            all.read(&table.ok()?);
        }
        Some(all)
    }

    /// A line of names, and one of their numbers.
    fn read(&mut self, table: &str) {
        let mut lines = table.lines();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            let pairs = names.split_whitespace().zip(numbers.split_whitespace());
            for (name, number) in pairs {
                let known = COUNTED.iter().find(|counted| **counted == name);
                if let (Some(known), Ok(number)) = (known, number.parse()) {
                    self.0.insert(known, number);
                }
            }
        }
    }

    pub fn since(&self, before: &Counters) -> Counters {
        let grown = |(name, now): (&&'static str, &u64)| {
            let then = before.0.get(name).copied().unwrap_or(0);
            (*name, now.saturating_sub(then))
        };
        Counters(self.0.iter().map(grown).collect())
    }

    #[cfg(test)]
    pub fn of(pairs: &[(&'static str, u64)]) -> Counters {
        Counters(pairs.iter().copied().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(name, number)| (*name, *number))
    }
}

/// A connection that the peer has closed, and the program has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub process: u32,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    /// That came before the peer's FIN, and nobody has read.
    pub unread_bytes: u64,
    /// For so long at least.
    pub milliseconds: u64,
}

/// Looks at the connections of the program again and again: the kernel does not tell since when
/// one waits.
pub struct Watch {
    least: Duration,
    first_seen: BTreeMap<u64, Instant>,
}

impl Watch {
    /// Connections that have waited for a shorter time are not told: the program may be about to
    /// close them.
    pub fn new(least: Duration) -> Watch {
        Watch {
            least,
            first_seen: BTreeMap::new(),
        }
    }

    /// Those of the processes, of this look.
    pub fn look(&mut self, processes: &[u32], now: Instant) -> Vec<Waiting> {
        let mut found = BTreeMap::new();
        for &process in processes {
            let sockets = sockets(process);
            let tables = ["tcp", "tcp6"].map(|name| {
                let path = format!("/proc/{process}/net/{name}");
                fs::read_to_string(path).unwrap_or_default()
            });
            let lines = tables.iter().flat_map(|table| table.lines());
            for line in lines.filter_map(close_wait) {
                if sockets.contains(&line.inode) {
                    found.entry(line.inode).or_insert((process, line));
                }
            }
        }
        self.first_seen.retain(|inode, _| found.contains_key(inode));
        let mut waiting = Vec::new();
        for (inode, (process, line)) in found {
            let since = *self.first_seen.entry(inode).or_insert(now);
            let time = now.saturating_duration_since(since);
            if time >= self.least {
                waiting.push(Waiting {
                    process,
                    local: line.local,
                    peer: line.peer,
                    unread_bytes: line.unread,
                    milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                });
            }
        }
        waiting
    }
}

/// The children of a process, and theirs. Those whose parent has ended belong to the next subreaper:
/// PR_SET_CHILD_SUBREAPER.
pub fn descendants(process: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = numbers
        .filter_map(|number| Some((number, parent(number)?)))
        .collect();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    found.remove(0);
    found
}

/// The second word behind the name, which may have blanks and brackets.
fn parent(process: u32) -> Option<u32> {
    let text = fs::read(format!("/proc/{process}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The inodes of the sockets that a process holds.
pub fn sockets(process: u32) -> Vec<u64> {
    let folder = PathBuf::from(format!("/proc/{process}/fd"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct Line {
    local: SocketAddr,
    peer: SocketAddr,
    unread: u64,
    inode: u64,
}

/// A line of /proc/net/tcp whose state is 08: Documentation/networking/proc_net_tcp.rst.
fn close_wait(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.get(3) != Some(&"08") {
        return None;
    }
    let (_, unread) = words.get(4)?.split_once(':')?;
    Some(Line {
        local: address(words.get(1)?)?,
        peer: address(words.get(2)?)?,
        // the peer's FIN counts as one
        unread: u64::from_str_radix(unread, 16).ok()?.saturating_sub(1),
        inode: words.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits as they lie in memory, printed as numbers.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::{close_wait, Counters};

    #[test]
    fn counters_grow() {
        let table = |aborts: u64| {
            format!(
                "TcpExt: SyncookiesSent TCPAbortOnData TCPAbortOnClose\nTcpExt: 1 2 {aborts}\n\
                 IpExt: InNoRoutes\nIpExt: 9\n"
            )
        };
        let mut before = Counters::default();
        before.read(&table(5));
        before.read("Tcp: OutRsts\nTcp: 7\n");
        let mut after = Counters::default();
        after.read(&table(12));
        after.read("Tcp: OutRsts\nTcp: 14\n");
        let grown: Vec<_> = after.since(&before).iter().collect();
        let expected = [
            ("OutRsts", 7),
            ("TCPAbortOnClose", 7),
            ("TCPAbortOnData", 0),
        ];
        assert_eq!(grown, expected);
    }

    #[test]
    fn lines_in_close_wait() {
        let head = "   0: 0100007F:1F90 0200007F:C350 08 00000000:0000000A 00:00000000 00000000     0        0 4711 1 0";
        let line = close_wait(head).unwrap();
        if cfg!(target_endian = "little") {
            assert_eq!(line.local.to_string(), "127.0.0.1:8080");
            assert_eq!(line.peer.to_string(), "127.0.0.2:50000");
        }
        assert_eq!((line.unread, line.inode), (9, 4711));
        assert_eq!(close_wait(&head.replace(" 08 ", " 01 ")), None);
        assert_eq!(close_wait("  sl  local_address rem_address   st"), None);
        let mapped = "0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C350 08 0:0 0:0 0 0 0 5 1";
        if cfg!(target_endian = "little") {
            assert_eq!(
                close_wait(mapped).unwrap().local.to_string(),
                "127.0.0.1:8080"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_and_theirs_are_found() {
        use std::process::{Command, Stdio};
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();
        let found = super::descendants(std::process::id());
        assert!(found.contains(&child.id()) && found.contains(&grandchild));
        assert!(!found.contains(&std::process::id()));
        assert_eq!(super::descendants(child.id()), [grandchild]);
        Command::new("kill").arg(line.trim()).status().unwrap();
        child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_of_this_process_is_seen() {
        use super::Watch;
        use std::io::Write;
        use std::time::{Duration, Instant};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (held, _) = listener.accept().unwrap();
        client.write_all(b"hello").unwrap();
        let local = held.local_addr().unwrap();
        let peer = client.local_addr().unwrap();
        let ours = |watch: &mut Watch, now| {
            let all = watch.look(&[std::process::id()], now);
            all.into_iter()
                .find(|waiting| waiting.local == local && waiting.peer == peer)
        };
        let mut watch = Watch::new(Duration::from_secs(5));
        let start = Instant::now();
        assert_eq!(ours(&mut watch, start), None);
        drop(client);
        while ours(&mut Watch::new(Duration::ZERO), start).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(ours(&mut watch, start), None);
        assert_eq!(ours(&mut watch, start + Duration::from_secs(4)), None);
        let waiting = ours(&mut watch, start + Duration::from_secs(6)).unwrap();
        assert_eq!((waiting.unread_bytes, waiting.milliseconds), (5, 6000));
        drop(held);
        assert_eq!(ours(&mut watch, start + Duration::from_secs(9)), None);
    }
}
