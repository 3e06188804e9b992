//! What is asked of a socket that is handed over.

use super::identity::{mark_of, stat};
use super::{blocked, tcp};
use crate::connection::{Fault, FaultKind, Mark, TcpState};
use crate::sys::hand_over::Probe;
use crate::sys::unix::{fault, syscall, Socket};
use libc::c_int;

/// linux/socket.h.
const AF_SMC: c_int = 43;
/// linux/sockios.h: what has not been sent. Asked of TCP, MPTCP and SMC only.
const SIOCOUTQNSD: u64 = 0x894B;

impl Probe for Socket {
    fn check(self) -> Result<Mark, Fault> {
        match stat(self) {
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFSOCK => Ok(mark_of(&stat)),
            Ok(_) => Err(fault(libc::ENOTSOCK)),
            Err(gone) if gone.kind == FaultKind::NotASocket => Err(gone),
            Err(_) => self.kind_by_type().map(|_| Mark::UNTOLD),
        }
    }

    fn may_be_blocked_on(self) -> bool {
        blocked::may_be(self.0)
    }

    fn is_tcp_connection(self) -> bool {
        let mut unsent: c_int = 0;
        syscall!(libc::ioctl(self.0, SIOCOUTQNSD as _, &mut unsent)).is_ok()
    }

    fn is_quiet(self) -> bool {
        let mut entry = libc::pollfd {
            fd: self.0,
            events: libc::POLLIN | libc::POLLRDHUP,
            revents: 0,
        };
        syscall!(libc::poll(&mut entry, 1, 0)) == Ok(0)
    }

    /// One of MPTCP may be gone with the half-close, and tells nothing then.
    fn tells_its_end(self) -> bool {
        tcp::protocol(self) != Ok(tcp::IPPROTO_MPTCP)
    }

    /// Families on top of TCP show the state of a connection below, which goes on for a while:
    /// they count as half-closed. So does what was accepted before the handshake had ended (TCP Fast
    /// Open, RFC 7413, section 4.2): the FIN leaves behind that.
    fn is_half_closed(self) -> bool {
        use TcpState::{Established, Listen, SynSent};
        match tcp::state_of_first(self) {
            Ok(Some(Established)) => {
                tcp::protocol(self) == Ok(tcp::IPPROTO_MPTCP)
                    || self.option(libc::SOL_SOCKET, libc::SO_DOMAIN) == Ok(AF_SMC)
            }
            Ok(Some(Listen | SynSent) | None) => false,
            Ok(Some(_)) => true,
            // A refusal is no proof that it is another one.
            Err(fault) => fault.kind != FaultKind::NotASocket,
        }
    }
}
