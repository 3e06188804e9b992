//! Which function is replaced by which while the program is observed.

use super::winsock;
use crate::replacement_table::{Entry, Role};
use crate::replacements::{Replacements, KERNEL, NTDLL, WS2_32};
use std::ffi::CStr;

pub(crate) fn all() -> Vec<Entry> {
    let mut list = Replacements::default();
    list.add(
        Role::Close,
        WS2_32,
        c"closesocket",
        winsock::closesocket as *const (),
    );
    let others: [(&CStr, *const ()); 10] = [
        (c"shutdown", winsock::shutdown as *const ()),
        (c"socket", winsock::socket as *const ()),
        (c"WSASocketA", winsock::wsa_socket_a as *const ()),
        (c"WSASocketW", winsock::wsa_socket_w as *const ()),
        (c"accept", winsock::accept as *const ()),
        (c"WSAAccept", winsock::wsa_accept as *const ()),
        (c"WSARecv", winsock::wsa_recv as *const ()),
        (c"WSASend", winsock::wsa_send as *const ()),
        (c"WSAStartup", winsock::wsa_startup as *const ()),
        (c"WSACleanup", winsock::wsa_cleanup as *const ()),
    ];
    for (name, replacement) in others {
        list.add(Role::Winsock, WS2_32, name, replacement);
    }
    // exit() of the run-time libraries comes here as well, behind the handlers of atexit(), which may
    // close
    list.add(
        Role::Exit,
        KERNEL,
        c"ExitProcess",
        winsock::exit_process as *const (),
    );
    list.add(
        Role::Exit,
        NTDLL,
        c"RtlExitUserProcess",
        winsock::exit_process as *const (),
    );
    list.add_ways_in();
    list.0
}
