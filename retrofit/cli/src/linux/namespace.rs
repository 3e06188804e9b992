//! Whether the counters of the network namespace are those of the program alone: nobody else has a TCP
//! socket in it, as often as that is looked at.

use crate::observe::kernel::sockets;
use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

pub struct Namespace {
    is_alone: bool,
}

/// Sockets come and go while their list and those of the processes are read one after the other. One
/// that belongs to nobody each time is somebody else's.
const LOOKS: usize = 3;
const BETWEEN: Duration = Duration::from_millis(10);

impl Namespace {
    pub fn new() -> Namespace {
        Namespace { is_alone: true }
    }

    /// `processes`: those of the program, now.
    pub fn look(&mut self, processes: impl Fn() -> Vec<u32>) {
        if !self.is_alone {
            return;
        }
        let mut strangers = strangers(&processes());
        for _ in 1..LOOKS {
            if strangers.is_empty() {
                return;
            }
            sleep(BETWEEN);
            let again = self::strangers(&processes());
            strangers.retain(|socket| again.contains(socket));
        }
        self.is_alone = strangers.is_empty();
    }

    pub fn is_alone(&self) -> bool {
        self.is_alone
    }
}

fn strangers(processes: &[u32]) -> BTreeSet<u64> {
    let tables = ["tcp", "tcp6"].map(|name| {
        let path = format!("/proc/self/net/{name}");
        fs::read_to_string(path).unwrap_or_default()
    });
    let mut all: BTreeSet<u64> = tables.iter().flat_map(|table| inodes(table)).collect();
    for socket in processes.iter().flat_map(|process| sockets(*process)) {
        all.remove(&socket);
    }
    all
}

/// Of the sockets that somebody holds: the others (TIME_WAIT and the like) have 0.
fn inodes(table: &str) -> impl Iterator<Item = u64> + '_ {
    let lines = table.lines().skip(1);
    let inodes = lines.filter_map(|line| line.split_whitespace().nth(9)?.parse().ok());
    inodes.filter(|inode| *inode != 0)
}

#[cfg(test)]
mod tests {
    use super::{inodes, Namespace};
    use std::net::TcpListener;

    #[test]
    fn sockets_that_somebody_holds() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n   \
            1: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n";
        assert_eq!(inodes(table).collect::<Vec<_>>(), [4711]);
        assert_eq!(inodes("").count(), 0);
    }

    #[test]
    fn a_socket_of_this_process_is_somebody_else_s_for_another_program() {
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut namespace = Namespace::new();
        namespace.look(Vec::new);
        assert!(!namespace.is_alone());
    }
}
