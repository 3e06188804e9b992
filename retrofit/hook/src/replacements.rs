//! Which function is replaced by which.

use crate::replacement_table::{Entry, Role};
use crate::settings::Settings;
use crate::{by_name, children, exit, extensions, loader, winsock};
use std::ffi::CStr;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleHandleA, GetProcAddress, LoadLibraryExA, LOAD_LIBRARY_SEARCH_SYSTEM32,
};

pub(crate) const WS2_32: &[&CStr] = &[c"ws2_32.dll", c"wsock32.dll"];
/// A program has kernel32's own functions in its slots, or those that it passes on to.
pub(crate) const KERNEL: &[&CStr] = &[c"kernel32.dll", c"kernelbase.dll"];
pub(crate) const NTDLL: &[&CStr] = &[c"ntdll.dll"];

/// All of them, by the addresses that they have in this process.
pub(crate) fn all(settings: &Settings) -> Vec<Entry> {
    Replacements::new(settings).0
}

#[derive(Default)]
pub(crate) struct Replacements(pub(crate) Vec<Entry>);

impl Replacements {
    fn new(settings: &Settings) -> Replacements {
        let mut table = Replacements::default();
        table.add(
            Role::Close,
            WS2_32,
            c"closesocket",
            winsock::closesocket as *const (),
        );
        table.add(
            Role::Winsock,
            WS2_32,
            c"connect",
            winsock::connect as *const (),
        );
        table.add(
            Role::Winsock,
            WS2_32,
            c"WSAConnect",
            winsock::wsa_connect as *const (),
        );
        let by_name: [(&CStr, *const ()); 3] = [
            (c"WSAConnectByNameA", by_name::ansi as *const ()),
            (c"WSAConnectByNameW", by_name::wide as *const ()),
            (c"WSAConnectByList", by_name::list as *const ()),
        ];
        for (name, replacement) in by_name {
            table.add(Role::Winsock, WS2_32, name, replacement);
        }
        table.add(
            Role::Winsock,
            WS2_32,
            c"WSAIoctl",
            winsock::wsa_ioctl as *const (),
        );
        table.add_accept_ex();
        table.add(
            Role::Winsock,
            WS2_32,
            c"WSAStartup",
            winsock::wsa_startup as *const (),
        );
        table.add(
            Role::Winsock,
            WS2_32,
            c"WSACleanup",
            winsock::wsa_cleanup as *const (),
        );
        if settings.both_is_half {
            table.add(
                Role::Winsock,
                WS2_32,
                c"shutdown",
                winsock::shutdown as *const (),
            );
        }
        table.add(
            Role::Exit,
            KERNEL,
            c"ExitProcess",
            exit::exit_process as *const (),
        );
        table.add(
            Role::Exit,
            NTDLL,
            c"RtlExitUserProcess",
            exit::exit_process as *const (),
        );
        table.add_run_times();
        table.add_ways_in();
        table
    }

    /// By which modules and processes come that have to be looked after, too.
    pub(crate) fn add_ways_in(&mut self) {
        let loader: [(&CStr, *const ()); 5] = [
            (c"LoadLibraryA", loader::load_library_a as *const ()),
            (c"LoadLibraryW", loader::load_library_w as *const ()),
            (c"LoadLibraryExA", loader::load_library_ex_a as *const ()),
            (c"LoadLibraryExW", loader::load_library_ex_w as *const ()),
            (c"GetProcAddress", loader::get_proc_address as *const ()),
        ];
        for (name, replacement) in loader {
            self.add(Role::Loader, KERNEL, name, replacement);
        }
        let children: [(&CStr, *const ()); 2] = [
            (c"CreateProcessA", children::create_process_a as *const ()),
            (c"CreateProcessW", children::create_process_w as *const ()),
        ];
        for (name, replacement) in children {
            self.add(Role::Child, KERNEL, name, replacement);
        }
    }

    /// That of mswsock.dll, which a program may load later and ask for it then. Winsock itself
    /// loads it with the first socket.
    fn add_accept_ex(&mut self) {
        // SAFETY: a literal that ends with a zero, and the system's own folder; it stays loaded.
        unsafe {
            let name = c"mswsock.dll".as_ptr().cast();
            LoadLibraryExA(name, null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32);
        }
        if let Some(original) = address_of(c"mswsock.dll", c"AcceptEx") {
            extensions::set_exported_accept_ex(original);
            self.0.push(Entry {
                original,
                replacement: extensions::exported_accept_ex as *const () as usize,
                role: Role::Winsock,
            });
        }
    }

    /// exit and _exit of the two C run-time libraries that programs of today use.
    fn add_run_times(&mut self) {
        for (place, (dll, name)) in exit::RUN_TIME_EXITS.into_iter().enumerate() {
            if let Some(original) = address_of(dll, name) {
                let replacement = exit::of_run_time(place, original);
                self.0.push(Entry {
                    original,
                    replacement,
                    role: Role::Exit,
                });
            }
        }
    }

    pub(crate) fn add(&mut self, role: Role, dlls: &[&CStr], name: &CStr, replacement: *const ()) {
        for dll in dlls {
            let Some(original) = address_of(dll, name) else {
                continue;
            };
            if !self.0.iter().any(|entry| entry.original == original) {
                self.0.push(Entry {
                    original,
                    replacement: replacement as usize,
                    role,
                });
            }
        }
    }
}

pub(crate) fn address_of(dll: &CStr, name: &CStr) -> Option<usize> {
    // SAFETY: both end with a zero; a module that is not loaded is null, and not given back.
    unsafe {
        let module: HMODULE = GetModuleHandleA(dll.as_ptr().cast());
        if module.is_null() {
            return None;
        }
        GetProcAddress(module, name.as_ptr().cast()).map(|address| address as usize)
    }
}
