//! A report with every kind of site, for the tests.

use super::figures::Figures;
use super::kernel::{Counters, Waiting};
use super::report::{Report, Run};
use super::snapshot::{Logged, LoggedSite, Site, Snapshot};
use super::symbols::{Folders, Function};
use graceful_close_retrofit::observe::Place;

pub const NO_FOLDERS: Folders = Folders {
    debug: Vec::new(),
    debuginfod: None,
};

fn site(call: &str, offsets: &[u64], peers: u64, figures: Figures) -> Site {
    let place = |&offset| Place {
        module: Some(usize::from(offset > 0x9000)),
        offset,
    };
    Site {
        call: call.into(),
        frames: offsets.iter().map(place).collect(),
        peers,
        more_peers: peers == 32,
        // of the second one
        closed_before: (figures.bad_number > 0).then_some(1),
        figures,
        index: 0,
    }
}

fn logged_site(offset: u64, timed_out: u64) -> LoggedSite {
    LoggedSite {
        frames: vec![Place {
            module: Some(0),
            offset,
        }],
        outcomes: [("reset".into(), 1), ("timed out".into(), timed_out)].into(),
        unacked_bytes: 812,
    }
}

pub fn snapshot() -> Snapshot {
    let figures = Figures::default;
    let mut sites = vec![
        site(
            "close",
            &[0x1510, 0x1234],
            1,
            Figures {
                closes: 9,
                finished: 8,
                already_reset: 1,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1100, 0x1200],
            2,
            Figures {
                closes: 50,
                unread: 40,
                unread_bytes: 163_840,
                unread_unacked_bytes: 8_192,
                late: 6,
                late_bytes: 900,
                followed: 50,
                reset_after: 43,
                lost: 41,
                lost_bytes: 8_792,
                arrived: 4,
                still_open: 2,
                follow_untold: 1,
                open: 4,
                time_wait: 3,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1300, 0x1301, 0x1302],
            32,
            Figures {
                closes: 70,
                late: 60,
                late_bytes: 5_000_000,
                finished: 10,
                ..figures()
            },
        ),
        site(
            "shutdown",
            &[0x1400],
            1,
            Figures {
                closes: 5,
                shut_both: 5,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1600],
            1,
            Figures {
                closes: 3,
                linger_reset: 3,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1700],
            1,
            Figures {
                closes: 2,
                linger_wait: 2,
                linger_wait_ns: 5_002_345_678,
                open: 2,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1800],
            1,
            Figures {
                closes: 12,
                shared: 12,
                ..figures()
            },
        ),
        site(
            "close",
            &[0xa123],
            1,
            Figures {
                bad_number: 1,
                reused_number: 2,
                ..figures()
            },
        ),
        site(
            "close",
            &[0x1900],
            1,
            Figures {
                listeners: 1,
                datagrams: 4,
                ..figures()
            },
        ),
        site(
            "exit",
            &[],
            1,
            Figures {
                closes: 2,
                untold: 1,
                pending: 1,
                pending_calls: 3,
                unread: 1,
                unread_bytes: 7,
                ..figures()
            },
        ),
    ];
    sites.push(site(
        "shutdown",
        &[0x1700],
        1,
        Figures {
            shutdowns: 4,
            shutdowns_unread: 3,
            ..figures()
        },
    ));
    sites.push(site(
        "exec",
        &[0x1800],
        0,
        Figures {
            handed_on: 2,
            ..figures()
        },
    ));
    for (index, site) in sites.iter_mut().enumerate() {
        site.index = index;
    }
    Snapshot {
        modules: vec!["/nowhere/legacyd".into(), "/nowhere/libfoo.so".into()],
        sites,
        processes: 2,
        closes_without_site: 17,
        modules_left_out: 0,
        logged: Some(Logged {
            path: "/var/log/legacyd.log".into(),
            sites: vec![logged_site(0x1302, 2), logged_site(0x1301, 3)],
            without_caller: 4,
            failure: None,
        }),
    }
}

pub fn run() -> Run {
    Run {
        program: vec!["legacyd".into(), "--name".into(), "<b>&\"x\"".into()],
        milliseconds: 42_007,
        file: "legacyd".into(),
        unfinished: false,
        kernel_alone: false,
        follow_ms: Some(10_000),
        kernel: Some(Counters::of(&[("TCPAbortOnClose", 41), ("OutRsts", 44)])),
        close_wait: vec![Waiting {
            process: 77,
            local: "127.0.0.1:8080".parse().unwrap(),
            peer: "127.0.0.1:50000".parse().unwrap(),
            unread_bytes: 12,
            milliseconds: 31_000,
        }],
    }
}

fn function(name: &str, line: u32, inlined: bool) -> Function {
    Function {
        name: name.into(),
        file: Some("/src/legacyd/server.c".into()),
        line: Some(line),
        inlined,
    }
}

/// With names, as if there were symbols.
pub fn report() -> Report {
    let mut report = Report::new(&snapshot(), run(), &NO_FOLDERS);
    let seen = report.sites.iter_mut().map(|site| &mut site.frames);
    let logged = report
        .logged
        .iter_mut()
        .flat_map(|logged| &mut logged.sites);
    let logged = logged.map(|site| &mut site.frames);
    for frame in seen.chain(logged).flatten() {
        frame.functions = match frame.offset {
            0x1100 => vec![
                function("finish", 88, true),
                function("connection_done", 131, false),
            ],
            0x1200 => vec![function(
                "net::Server<int>::handle_request(int&)",
                120,
                false,
            )],
            0x1300 => vec![function("send_and_close", 240, false)],
            0x1301 => vec![function("main", 9, false)],
            _ => Vec::new(),
        };
    }
    report
}
