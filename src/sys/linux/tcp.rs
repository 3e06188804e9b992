//! What Linux tells of a TCP connection.

use super::counters::{Counters, SIZE};
use crate::connection::{Answer, Fault, FaultKind, Kind, TcpState, Unanswered};
use crate::sys::unix::{syscall, Socket};
use libc::{c_int, socklen_t};
use std::mem::{size_of_val, zeroed};
use std::time::Duration;

/// linux/in.h.
pub(super) const IPPROTO_MPTCP: c_int = 262;
/// linux/socket.h, linux/mptcp.h.
const SOL_MPTCP: c_int = 284;
const MPTCP_INFO: c_int = 1;
const MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED: u8 = 2;
/// The byte of them that has it.
const FLAGS_AT: usize = if cfg!(target_endian = "big") { 11 } else { 8 };
/// Half a millisecond in all.
const MPTCP_LOOKS: u32 = 6;
const MPTCP_PAUSE: Duration = Duration::from_micros(80);
/// linux/tcp.h.
const TCP_ZEROCOPY_RECEIVE: c_int = 35;
/// linux/tcp.h: recvmsg tells how much is left to read.
const TCP_INQ: c_int = 36;

/// TCP_INFO fails for all that is not TCP: one call tells bad descriptors, the kind and the state.
/// That of an MPTCP connection is not the state of the whole, and whether the peer's FIN has come
/// is asked here, because nothing tells it once the connection is gone (`fin_of_mptcp`).
pub(super) fn classify(socket: Socket) -> Result<Kind, Fault> {
    let state = match state_of_first(socket) {
        Ok(Some(state)) => state,
        Err(fault) if fault.kind == FaultKind::NotASocket => return Err(fault),
        Ok(None) | Err(_) => return classify_without_info(socket),
    };
    let has_begun = !matches!(state, TcpState::Listen | TcpState::SynSent);
    match protocol(socket) {
        Ok(libc::IPPROTO_TCP) | Err(_) => Ok(Kind::Tcp(state)),
        Ok(IPPROTO_MPTCP) if !has_begun || has_one_path(socket) == Ok(true) => Ok(Kind::Tcp(state)),
        Ok(IPPROTO_MPTCP) => Ok(Kind::Tcp(match end_of_living(socket) {
            Some(Ok(true)) => TcpState::CloseWait,
            Some(_) => TcpState::Established,
            None => TcpState::Closed,
        })),
        Ok(_) if state == TcpState::Closed || state.has_peer_fin() => socket.kind_by_type(),
        Ok(_) => Ok(Kind::Tcp(state)),
    }
}

/// Not TCP; or a TCP socket whose state the system does not tell (a seccomp filter, no memory).
fn classify_without_info(socket: Socket) -> Result<Kind, Fault> {
    let is = |name| socket.option(libc::SOL_SOCKET, name);
    match is(libc::SO_PROTOCOL) {
        Ok(libc::IPPROTO_TCP | IPPROTO_MPTCP) => {}
        _ => return socket.kind_by_type(),
    }
    Ok(Kind::Tcp(match is(libc::SO_ACCEPTCONN) {
        Ok(1) => TcpState::Listen,
        _ if socket.has_peer() => TcpState::Established,
        _ => TcpState::Closed,
    }))
}

/// The state of the connection as a whole.
pub(super) fn state(socket: Socket) -> Answer<TcpState> {
    let Some(state) = state_of_first(socket)? else {
        return Ok(None);
    };
    match protocol(socket)? == IPPROTO_MPTCP && !has_one_path(socket)? {
        true => Ok(Some(state_of_mptcp(socket))),
        false => Ok(Some(state)),
    }
}

/// An MPTCP connection whose peer has none: its first subflow is all there is, with a state and a
/// FIN as those of TCP. The connection as a whole is called closed as soon as both sides have been
/// shut, with everything still under way (net/mptcp/protocol.c, __mptcp_check_send_data_fin). It
/// has TCP_INFO, as all that come here, and not MPTCP_INFO.
fn has_one_path(socket: Socket) -> Result<bool, Fault> {
    match ask(socket, SOL_MPTCP, MPTCP_INFO, &mut [0; 12]) {
        Ok(_) => Ok(false),
        Err(fault) if is_unknown(fault) => Ok(true),
        Err(fault) => Err(fault),
    }
}

pub(super) fn protocol(socket: Socket) -> Result<c_int, Fault> {
    socket.option(libc::SOL_SOCKET, libc::SO_PROTOCOL)
}

/// An MPTCP connection shows the state of its first subflow, which may be gone while the
/// others go on. Of the whole it is told only whether it is gone: then it has no peer. The
/// kernel's worker notes that a moment after the last acknowledgement (net/mptcp/protocol.c,
/// mptcp_worker), and a close without time to wait has no other moment to see it.
fn state_of_mptcp(socket: Socket) -> TcpState {
    for _ in 0..MPTCP_LOOKS {
        if !socket.has_peer() {
            return TcpState::Closed;
        }
        if socket.unacknowledged() != Ok(0) {
            break;
        }
        std::thread::sleep(MPTCP_PAUSE);
    }
    TcpState::Established
}

/// What of ours the peer has not acknowledged, our FIN counted as one.
pub(super) fn in_flight(socket: Socket) -> Result<usize, Fault> {
    match socket.unacknowledged()? {
        0 if protocol(socket)? == IPPROTO_MPTCP && !counts_all(socket)? => Err(Fault::UNTOLD),
        left => Ok(left),
    }
}

/// Whether 0 says that all is acknowledged. With one path nothing is counted once that is gone, by
/// a reset as well, and up to Linux 5.17 nothing at all (net/mptcp/protocol.c, mptcp_ioctl_outq).
fn counts_all(socket: Socket) -> Result<bool, Fault> {
    Ok(!has_one_path(socket)?
        || match state_of_first(socket)? {
            Some(TcpState::Closed) => fin_was_acknowledged(socket),
            Some(state) => state.proves_acknowledgement(),
            None => false,
        })
}

/// `None`: not TCP. TIPC answers with nothing at all.
pub(super) fn state_of_first(socket: Socket) -> Answer<TcpState> {
    let mut info = [0u8; 8];
    match tcp_info(socket, &mut info) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        Err(fault) if is_unknown(fault) => return Ok(None),
        Err(fault) => return Err(fault),
    }
    // net/tcp_states.h
    Ok(Some(match info[0] {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => TcpState::Closed,
    }))
}

/// The family or the kernel does not have the option.
fn is_unknown(fault: Fault) -> bool {
    matches!(
        fault.code,
        libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::EINVAL
    )
}

/// The first bytes of struct tcp_info; how many the kernel filled.
fn tcp_info(socket: Socket, info: &mut [u8]) -> Result<usize, Fault> {
    ask(socket, libc::IPPROTO_TCP, libc::TCP_INFO, info)
}

/// An option of any size; how many bytes the kernel filled.
fn ask(socket: Socket, level: c_int, name: c_int, told: &mut [u8]) -> Result<usize, Fault> {
    let mut size = told.len() as socklen_t;
    let place = told.as_mut_ptr().cast();
    syscall!(libc::getsockopt(socket.0, level, name, place, &mut size))?;
    Ok(told.len().min(size as usize))
}

fn counters(socket: Socket) -> Option<Counters> {
    let mut info = [0u8; SIZE];
    let filled = tcp_info(socket, &mut info).ok()?;
    Counters::of(info.get(..filled)?)
}

/// The counters of a connection outlive it; one that was refused has none. Those of an MPTCP
/// connection may have been cleared (net/mptcp/protocol.c, __mptcp_subflow_disconnect), and with one
/// path there is nothing else.
pub(super) fn was_alive(socket: Socket) -> Option<bool> {
    let was = counters(socket)?.was_established() || has_peer_key(socket);
    (was || protocol(socket) != Ok(IPPROTO_MPTCP)).then_some(was)
}

/// MPTCP: the peer's key came while it connected, and is known for good. Other sockets do not have
/// the question.
fn has_peer_key(socket: Socket) -> bool {
    // struct mptcp_info (linux/mptcp.h) as far as the flags.
    let mut info = [0u8; 12];
    let asked = ask(socket, SOL_MPTCP, MPTCP_INFO, &mut info);
    asked.is_ok() && info[FLAGS_AT] & MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED != 0
}

/// A FIN counts among the acknowledged bytes, and not among those sent.
pub(super) fn fin_was_acknowledged(socket: Socket) -> bool {
    counters(socket).is_some_and(Counters::prove_a_fin)
}

/// Mapping nothing fails with EIO if a FIN has come and nothing is left in front of it: the
/// mark that it leaves on the socket (SOCK_DONE) is looked at, and nothing taken
/// (net/ipv4/tcp.c, tcp_zerocopy_receive; Linux 5.11).
pub(super) fn fin_arrived(socket: Socket) -> Answer<bool> {
    // struct tcp_zerocopy_receive (linux/tcp.h) as far as it asks for nothing.
    let mut nothing = [0u8; 16];
    let asked = ask(
        socket,
        libc::IPPROTO_TCP,
        TCP_ZEROCOPY_RECEIVE,
        &mut nothing,
    );
    match asked {
        // One of MPTCP whose peer has none passes the question on to its subflow, which may have
        // been cleared.
        Ok(_) => match protocol(socket)? {
            IPPROTO_MPTCP => fin_of_mptcp(socket),
            _ => Ok(Some(false)),
        },
        Err(fault) if fault.code == libc::EIO => Ok(Some(true)),
        Err(fault) if is_unknown(fault) => match protocol(socket)? {
            libc::IPPROTO_TCP => fin_by_inq(socket),
            IPPROTO_MPTCP => fin_of_mptcp(socket),
            _ => Ok(None),
        },
        Err(fault) => Err(fault),
    }
}

/// Of an MPTCP connection that lives, whether its receiving side has come to its end: by the peer's
/// DATA_FIN, or by the program's own SHUT_RD, which looks the same. A reset ends the connection
/// first and the receiving side after that (net/mptcp/protocol.c, mptcp_check_fastclose), so it is
/// asked in the other order. Up to Linux 6.4 it also comes to its end when the last subflow is gone,
/// and that may be the first one (mptcp_check_for_eof). `None`: it does not live.
fn end_of_living(socket: Socket) -> Option<Result<bool, Fault>> {
    let mut entry = libc::pollfd {
        fd: socket.0,
        events: libc::POLLRDHUP,
        revents: 0,
    };
    let asked = syscall!(libc::poll(&mut entry, 1, 0));
    let has_end = asked.is_ok() && entry.revents & libc::POLLRDHUP != 0;
    socket.has_peer().then(|| match state_of_first(socket) {
        Ok(Some(TcpState::Closed)) | Err(_) if has_end => Err(Fault::UNTOLD),
        _ => Ok(has_end),
    })
}

/// One that is gone has had both FINs if its first subflow is being closed, or was: that is
/// begun when they have come (mptcp_shutdown_subflows). A reset ends all subflows without a FIN
/// before it ends the connection. What the worker has cleared since (__mptcp_subflow_disconnect)
/// tells neither; nor does our own FIN on an only path.
fn fin_of_mptcp(socket: Socket) -> Answer<bool> {
    let has_one_path = has_one_path(socket)?;
    if let (false, Some(has_end)) = (has_one_path, end_of_living(socket)) {
        return has_end.map(Some);
    }
    match state_of_first(socket)? {
        None => Ok(None),
        Some(TcpState::Closed) if has_one_path || !fin_was_acknowledged(socket) => {
            Err(Fault::UNTOLD)
        }
        Some(state) => Ok(Some(!has_one_path || state.has_peer_fin())),
    }
}

/// With nothing left to read, TCP_INQ says 1 after a FIN and 0 after a reset or the program's
/// own SHUT_RD (net/ipv4/tcp.c, tcp_inq_hint; Linux 4.19).
fn fin_by_inq(socket: Socket) -> Answer<bool> {
    let before = match socket.option(libc::IPPROTO_TCP, TCP_INQ) {
        Err(fault) if is_unknown(fault) => return Ok(None),
        result => result?,
    };
    if before == 0 {
        socket.set_option(libc::IPPROTO_TCP, TCP_INQ, 1)?;
    }
    let answer = ask_inq(socket);
    if before == 0 {
        // Its owner may get it back, and does not expect such messages.
        socket.set_option(libc::IPPROTO_TCP, TCP_INQ, 0)?;
    }
    answer
}

fn ask_inq(socket: Socket) -> Answer<bool> {
    // One byte that is only looked at tells what is left from the mark of a FIN.
    let mut byte = 0u8;
    let mut data = libc::iovec {
        iov_base: (&mut byte as *mut u8).cast(),
        iov_len: 1,
    };
    // Room for one control message with an int, aligned as cmsghdr wants it.
    let mut control = [0usize; 8];
    // SAFETY: all zeroes is a valid msghdr: no address, no data.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    if syscall!(libc::recvmsg(socket.0, &mut message, flags))? > 0 {
        return Ok(Some(false));
    }
    // SAFETY: the kernel has filled `control` and set its length.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message).as_ref() }.ok_or(Fault::UNTOLD)?;
    if header.cmsg_level != libc::IPPROTO_TCP || header.cmsg_type != TCP_INQ {
        return Err(Fault::UNTOLD);
    }
    // SAFETY: this message carries an int behind its header.
    let left = unsafe { libc::CMSG_DATA(header).cast::<c_int>().read_unaligned() };
    Ok(Some(left == 1))
}

/// As counted since the peer was heard last: every acknowledgement sets that clock back, also one
/// that says no more than that the window is shut (net/ipv4/tcp_input.c, tcp_ack). Of MPTCP it is
/// told of the first subflow alone.
pub(super) fn unanswered(socket: Socket) -> Answer<Unanswered> {
    let mut info = [0u8; 60];
    match tcp_info(socket, &mut info) {
        Ok(filled) if filled < info.len() => return Ok(None),
        Err(fault) if is_unknown(fault) => return Ok(None),
        result => result?,
    };
    if protocol(socket)? != libc::IPPROTO_TCP {
        return Ok(None);
    }
    Ok(unanswered_of(&info))
}

/// struct tcp_info (linux/tcp.h).
fn unanswered_of(info: &[u8; 60]) -> Option<Unanswered> {
    let word = |at: usize| {
        let bytes = info[at..at + 4].try_into().unwrap_or_default();
        u64::from(u32::from_ne_bytes(bytes))
    };
    let (resent, probes) = (info[2], info[3]);
    let attempts = u32::from(resent.max(probes));
    let (data, acknowledgement) = (word(52), word(56));
    (attempts > 0).then(|| Unanswered {
        silence: Duration::from_millis(data.min(acknowledgement)),
        attempts,
        pause: Duration::from_micros(word(8)),
    })
}

#[cfg(test)]
mod tests {
    use super::{unanswered_of, Duration};

    fn info(bytes: &[(usize, u32)]) -> [u8; 60] {
        let mut info = [0; 60];
        for &(at, value) in bytes {
            info[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        info
    }

    #[test]
    fn nothing_sent_again_is_no_silence() {
        assert_eq!(unanswered_of(&info(&[(52, 200_000), (56, 200_000)])), None);
    }

    #[test]
    fn the_silence_is_what_has_passed_since_data_or_an_acknowledgement() {
        let mut info = info(&[(8, 51_200_000), (52, 300_000), (56, 101_000)]);
        info[2] = 8;
        let unanswered = unanswered_of(&info).unwrap();
        assert_eq!(unanswered.attempts, 8);
        assert_eq!(unanswered.silence, Duration::from_millis(101_000));
        assert_eq!(unanswered.pause, Duration::from_millis(51_200));
        info[2] = 0;
        info[3] = 4;
        assert_eq!(unanswered_of(&info).unwrap().attempts, 4);
    }
}
