//! POSIX things for the tests: other kinds of descriptors, processes, signals.

use super::scenes::{scene, Scene};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::Read;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

pub fn unix_idle() -> Option<Scene> {
    let (ours, peer) = UnixStream::pair().unwrap();
    scene(ours, peer)
}

pub fn unix_finished() -> Option<Scene> {
    let (ours, peer) = UnixStream::pair().unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    scene(ours, peer)
}

pub fn unix_finished_5_unread() -> Option<Scene> {
    use std::io::Write;
    let (ours, mut peer) = UnixStream::pair().unwrap();
    peer.write_all(b"12345").unwrap();
    drop(peer);
    scene(ours, ())
}

/// Closing with data unread is a reset there, too.
#[cfg(target_os = "linux")]
pub fn unix_reset() -> Option<Scene> {
    use std::io::Write;
    let (mut ours, peer) = UnixStream::pair().unwrap();
    ours.write_all(b"nobody reads this").unwrap();
    drop(peer);
    scene(ours, ())
}

pub fn unix_fresh() -> Option<Scene> {
    scene(Socket::new(Domain::UNIX, Type::STREAM, None).unwrap(), ())
}

pub fn unix_listening() -> Option<Scene> {
    let number = std::process::id();
    let address = std::env::temp_dir().join(format!("gc-{number}-{:?}", thread_id()));
    let _ = std::fs::remove_file(&address);
    let listener = UnixListener::bind(&address).unwrap();
    std::fs::remove_file(&address).unwrap();
    scene(listener, ())
}

fn thread_id() -> std::thread::ThreadId {
    std::thread::current().id()
}

pub fn unix_datagram() -> Option<Scene> {
    scene(UnixDatagram::unbound().unwrap(), ())
}

pub fn unix_datagram_pair() -> Option<Scene> {
    let (ours, peer) = UnixDatagram::pair().unwrap();
    scene(ours, peer)
}

#[cfg(target_os = "linux")]
pub fn unix_seqpacket() -> Option<Scene> {
    let (ours, peer) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    scene(ours, peer)
}

#[cfg(target_os = "linux")]
pub fn netlink() -> Option<Scene> {
    let kind = Domain::from(libc::AF_NETLINK);
    scene(Socket::new(kind, Type::RAW, None).ok()?, ())
}

#[cfg(target_os = "linux")]
fn multipath_pair() -> Option<(std::net::TcpStream, std::net::TcpStream)> {
    let protocol = Some(socket2::Protocol::from(libc::IPPROTO_MPTCP));
    let make = || Socket::new(Domain::IPV4, Type::STREAM, protocol).ok();
    let listener = make()?;
    listener
        .bind(&std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0).into())
        .ok()?;
    listener.listen(1).ok()?;
    let peer = make()?;
    peer.connect(&listener.local_addr().ok()?).ok()?;
    Some((listener.accept().ok()?.0.into(), peer.into()))
}

#[cfg(target_os = "linux")]
pub fn multipath_idle() -> Option<Scene> {
    let (ours, peer) = multipath_pair()?;
    scene(ours, peer)
}

#[cfg(target_os = "linux")]
pub fn multipath_finished() -> Option<Scene> {
    let (ours, peer) = multipath_pair()?;
    super::finish(&peer);
    super::await_news(&ours);
    scene(ours, peer)
}

pub fn pipe() -> Option<Scene> {
    let (read, write) = make_pipe();
    scene(read, write)
}

pub fn file() -> Option<Scene> {
    scene(File::open("/dev/null").unwrap(), ())
}

#[cfg(target_os = "linux")]
pub fn epoll() -> Option<Scene> {
    // SAFETY: takes a number.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    scene(super::descriptors::own(fd), ())
}

#[cfg(target_os = "linux")]
pub fn eventfd() -> Option<Scene> {
    // SAFETY: takes numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    scene(super::descriptors::own(fd), ())
}

pub fn make_pipe() -> (OwnedFd, OwnedFd) {
    let mut both = [0; 2];
    // SAFETY: a place for two numbers.
    assert_eq!(unsafe { libc::pipe(both.as_mut_ptr()) }, 0, "pipe");
    let [read, write] = both.map(super::descriptors::own);
    (read, write)
}

/// A plain close, of a number that is open and nobody's.
pub fn close(fd: RawFd) {
    drop(super::descriptors::own(fd));
}

/// Forks; the child runs `body`, which must not touch locks that another thread
/// may hold, and ends with what it returns. The parent gets the child.
pub fn fork(body: impl FnOnce() -> u8) -> Child {
    // SAFETY: the child keeps to system calls and the library, and leaves by
    // _exit, so that nothing of the test harness runs twice.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            // Nobody joins it when the test fails.
            // SAFETY: takes a number; its signal ends this process.
            unsafe { libc::alarm(30) };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: takes a number.
            unsafe { libc::_exit(i32::from(result.unwrap_or(111))) }
        }
        pid => Child(pid),
    }
}

#[must_use]
pub struct Child(libc::pid_t);

impl Child {
    /// Waits for its end: the exit code.
    pub fn join(self) -> i32 {
        let mut status = 0;
        // SAFETY: a child of ours, and a place for the status.
        let pid = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(pid, self.0, "waitpid");
        assert!(libc::WIFEXITED(status), "the child died of {status:#x}");
        libc::WEXITSTATUS(status)
    }
}

/// SIGUSR1 interrupts system calls and does nothing else.
pub fn make_signal_interrupt() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: a valid action, whose handler does nothing; no SA_RESTART.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
            0
        );
    }
}

/// Runs `body` while its thread gets a signal every `pause`; how many it got.
pub fn under_signals<T>(pause: Duration, body: impl FnOnce() -> T) -> (T, usize) {
    use std::sync::atomic::{AtomicBool, Ordering};
    make_signal_interrupt();
    let over = AtomicBool::new(false);
    // SAFETY: takes nothing.
    let target = unsafe { libc::pthread_self() } as usize;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(pause);
                // SAFETY: the thread waits for this one to end.
                unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                sent += 1;
            }
            sent
        });
        let result = body();
        over.store(true, Ordering::Relaxed);
        (result, sender.join().unwrap())
    })
}

/// Runs one test of this program again, alone in a process of its own, where
/// [`is_alone`] says so.
pub fn run_alone(test: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

const ALONE: &str = "GC_TEST_ALONE";

/// Opens all that this process may have open; for tests that run alone.
pub fn use_up_descriptors() -> Vec<File> {
    let mut all = Vec::new();
    // SAFETY: valid limits.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = 64;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    all
}

/// Reads to the end; for both kinds of streams.
pub fn read_all(mut from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
}
