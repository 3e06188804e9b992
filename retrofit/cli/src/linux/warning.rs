//! Words for whoever started the program, on stderr.

use std::io::Write;

/// One line each, all in one go.
pub fn tell_all<'a>(warnings: impl Iterator<Item = &'a String>) {
    let lines: String = warnings
        .map(|warning| format!("graceful-close: warning: {warning}\n"))
        .collect();
    if !lines.is_empty() && !is_connection() {
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }
}

pub fn tell(warning: &str) {
    tell_all([warning.to_owned()].iter());
}

/// inetd and its like give a program the connection as stderr, too: a client must not find these
/// words in its answer.
fn is_connection() -> bool {
    let mut kind: libc::c_int = 0;
    let mut size = std::mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: room for one number, and its size.
    let result = unsafe {
        libc::getsockopt(
            libc::STDERR_FILENO,
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            std::ptr::addr_of_mut!(kind).cast(),
            &mut size,
        )
    };
    result == 0 && matches!(kind, libc::AF_INET | libc::AF_INET6)
}
