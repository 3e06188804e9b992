//! What to do about a call site: rules over its figures.

use super::figures::Figures;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The rule's name.
    pub rule: &'static str,
    /// In the source: a call of the library, or that nothing is to be done.
    pub source: String,
    /// What `graceful-close run` does here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<&'static str>,
    /// One for each rule that says the same.
    pub why: Vec<&'static str>,
}

/// What the rules look at.
pub struct Site<'a> {
    pub call: &'a str,
    pub figures: &'a Figures,
}

struct Rule {
    name: &'static str,
    applies: fn(&Site) -> bool,
    source: fn(&Site) -> String,
    run: Option<&'static str>,
    why: &'static str,
}

const RUN: Option<&str> = Some("Without a change of the source: graceful-close run -- PROGRAM");
const RUN_LEAVES: Option<&str> = Some("graceful-close run leaves these closes as they are");

/// The first that applies is the first to be done.
const RULES: &[Rule] = &[
    Rule {
        name: "double-close",
        applies: |site| site.figures.reused_number > 0,
        source: |_| "Correct the double close: set the variable to -1 (INVALID_SOCKET) after the close".into(),
        run: None,
        why: "The second close hit a descriptor that somebody else had opened meanwhile. No call of the library can help.",
    },
    Rule {
        name: "lost-as-seen",
        applies: |site| site.figures.lost > 0,
        source: |site| graceful(site.call),
        run: RUN,
        why: "It was seen after the close: the connection was reset before the peer had acknowledged all bytes of ours.",
    },
    Rule {
        name: "reset-for-certain",
        applies: |site| site.figures.unread > 0,
        source: |site| graceful(site.call),
        run: RUN,
        why: "There were unread bytes: the kernel answers such a close with a reset, and what the peer had not received is lost.",
    },
    Rule {
        name: "shut-both",
        applies: |site| site.figures.shut_both + site.figures.shutdowns > 0,
        source: |site| match site.call {
            "shutdown" => "Omit this shutdown of both directions, and call gc_close(fd, 5000) where the close is".into(),
            call => format!("{}. Omit the shutdown of both directions before it", graceful(call)),
        },
        run: Some("Without a change of the source: graceful-close run --shutdown-both half -- PROGRAM"),
        why: "After a shutdown of both directions the kernel answers the next byte of the peer with a reset.",
    },
    Rule {
        name: "late-bytes",
        applies: |site| site.figures.late > 0,
        source: |site| graceful(site.call),
        run: RUN,
        why: "The peer had not acknowledged all bytes and had not closed: if it sends one more byte, the reset takes the rest of ours away.",
    },
    Rule {
        name: "untold",
        applies: |site| site.figures.untold > 0,
        source: |site| graceful(site.call),
        run: RUN,
        why: "The peer had not closed, and this system does not tell whether it had acknowledged all: if it sends one more byte, the reset takes away what had not arrived.",
    },
    Rule {
        name: "pending-calls",
        applies: |site| site.figures.pending > 0,
        source: |site| graceful(site.call),
        run: RUN,
        why: "Overlapped calls were pending: the close cancels them. What a send had not handed over is lost, and a pending receive makes the close a reset. gc_close lets the sends finish first.",
    },
    Rule {
        name: "wanted-reset",
        applies: |site| site.figures.linger_reset > 0,
        source: |site| format!("Is the reset wanted? Then gc_abort(fd) says so. If it is not, remove SO_LINGER {{1, 0}}, and: {}", graceful(site.call)),
        run: RUN_LEAVES,
        why: "SO_LINGER {1, 0} throws away what was not sent, and resets the connection.",
    },
    Rule {
        name: "blocking-linger",
        applies: |site| site.figures.linger_wait > 0,
        source: |site| format!("{}. It turns SO_LINGER off", graceful(site.call)),
        run: RUN,
        why: "SO_LINGER {1, n} blocks the thread until the peer has acknowledged all, and does not prevent a reset by unread or late bytes.",
    },
    Rule {
        name: "held-elsewhere",
        applies: |site| site.figures.shared > 0,
        source: |_| "Leave as it is".into(),
        run: RUN_LEAVES,
        why: "Another process or descriptor still held the connection. A graceful close here would end it for the other holder, too.",
    },
    Rule {
        name: "peer-open",
        applies: |site| site.figures.open > 0,
        source: |site| format!("Leave as it is if the peer sends nothing more here (an idle connection). Where it may send: {}", graceful(site.call)),
        run: RUN,
        why: "The peer's TCP had acknowledged all. A late byte is still answered by a reset, which may take away what the peer's program has not read yet.",
    },
    Rule {
        name: "closed-twice",
        applies: |site| site.figures.bad_number > 0,
        source: |_| "Find out which close came first, and leave out the other one".into(),
        run: None,
        why: "The number was not open. With threads, the next such close may hit a descriptor that was just opened.",
    },
    Rule {
        name: "handed-on",
        applies: |site| site.figures.handed_on > 0,
        source: |_| "If the program that is started is not to have the connection: accept4 with SOCK_CLOEXEC, or fcntl(fd, F_SETFD, FD_CLOEXEC)".into(),
        run: RUN_LEAVES,
        why: "The program that was started holds the connection, too: the peer sees no end of it before that program ends.",
    },
    Rule {
        name: "nothing-to-lose",
        applies: |site| site.figures.finished + site.figures.already_reset > 0,
        source: |_| "Leave as it is".into(),
        run: None,
        why: "Both sides had finished before the close, or the connection was already gone.",
    },
    Rule {
        name: "no-connection",
        applies: |site| site.figures.listeners + site.figures.datagrams > 0,
        source: |_| "Leave as it is".into(),
        run: None,
        why: "Listening sockets and datagram sockets have no stream that could be cut.",
    },
];

/// Never empty.
pub fn of(site: &Site) -> Vec<Advice> {
    let mut found: Vec<Advice> = Vec::new();
    for rule in RULES.iter().filter(|rule| (rule.applies)(site)) {
        let source = (rule.source)(site);
        // each thing to do is told once, with all its reasons
        match found.iter_mut().find(|advice| advice.source == source) {
            Some(same) => same.why.push(rule.why),
            None => found.push(Advice {
                rule: rule.name,
                source,
                run: rule.run,
                why: vec![rule.why],
            }),
        }
    }
    // to leave the call as it is says nothing beside a change
    let changes = |advice: &Advice| !advice.source.starts_with(LEAVE);
    if found.iter().any(changes) {
        found.retain(changes);
    }
    if found.is_empty() {
        found.push(Advice {
            rule: "nothing-seen",
            source: LEAVE.into(),
            run: None,
            why: vec![match site.figures.closes {
                0 => "Nothing was seen here that a graceful close would change.",
                _ => "The peer had closed first, and nothing was unread: no reset follows.",
            }],
        });
    }
    found
}

const LEAVE: &str = "Leave as it is";

/// The call of the library in the place of this one.
fn graceful(call: &str) -> String {
    match call {
        "closesocket" => "gc_close(s, 5000) for closesocket(s); in an event loop gc_close_async(s, 5000)".into(),
        "fclose" | "freopen" | "pclose" => format!(
            "fflush(stream); gc_finish(fileno(stream), 5000); and then {call} as before"
        ),
        "dup2" | "dup3" => format!("gc_finish(fd, 5000) for the descriptor that {call} closes, before {call}"),
        "close_range" | "closefrom" => format!("gc_close(fd, 5000) for each connection, before {call}"),
        "exit" | "exec" => format!(
            "gc_close(fd, 5000) before the {call}; or gc_close_async(fd, 5000) and gc_flush() at the end"
        ),
        call => format!("gc_close(fd, 5000) for {call}(fd); in an event loop gc_close_async(fd, 5000)"),
    }
}

#[cfg(test)]
mod tests {
    use super::{of, Site, RULES};
    use crate::observe::figures::Figures;

    fn rules(call: &str, figures: Figures) -> Vec<&'static str> {
        let site = Site {
            call,
            figures: &figures,
        };
        of(&site).iter().map(|advice| advice.rule).collect()
    }

    fn one(change: fn(&mut Figures)) -> Figures {
        let mut figures = Figures {
            closes: 1,
            ..Figures::default()
        };
        change(&mut figures);
        figures
    }

    /// The rule, what was seen, and words of its advice: in the source, and of the command.
    type Case = (
        &'static str,
        fn(&mut Figures),
        &'static str,
        Option<&'static str>,
    );

    /// One figure for each rule, in the order of the rules.
    const CASES: [Case; 18] = [
        (
            "double-close",
            |f| f.reused_number = 1,
            "set the variable to -1",
            None,
        ),
        (
            "lost-as-seen",
            |f| f.lost = 1,
            "gc_close(fd, 5000) for close(fd)",
            Some("graceful-close run -- PROGRAM"),
        ),
        (
            "reset-for-certain",
            |f| f.unread = 1,
            "gc_close(fd, 5000) for close(fd)",
            Some("graceful-close run -- PROGRAM"),
        ),
        (
            "shut-both",
            |f| f.shut_both = 1,
            "Omit the shutdown",
            Some("--shutdown-both half"),
        ),
        (
            "late-bytes",
            |f| f.late = 1,
            "gc_close(fd, 5000)",
            Some("graceful-close run -- PROGRAM"),
        ),
        (
            "untold",
            |f| f.untold = 1,
            "gc_close(fd, 5000)",
            Some("run -- PROGRAM"),
        ),
        (
            "pending-calls",
            |f| f.pending = 1,
            "gc_close(fd, 5000)",
            Some("run -- PROGRAM"),
        ),
        (
            "wanted-reset",
            |f| f.linger_reset = 1,
            "gc_abort(fd)",
            Some("leaves"),
        ),
        (
            "blocking-linger",
            |f| f.linger_wait = 1,
            "turns SO_LINGER off",
            Some("graceful-close run -- PROGRAM"),
        ),
        (
            "held-elsewhere",
            |f| f.shared = 1,
            "Leave as it is",
            Some("leaves"),
        ),
        (
            "peer-open",
            |f| f.open = 1,
            "Leave as it is if the peer sends nothing more",
            Some("graceful-close run -- PROGRAM"),
        ),
        (
            "closed-twice",
            |f| f.bad_number = 1,
            "which close came first",
            None,
        ),
        (
            "shut-both",
            |f| f.shutdowns = 1,
            "Omit the shutdown",
            Some("--shutdown-both half"),
        ),
        (
            "handed-on",
            |f| f.handed_on = 1,
            "SOCK_CLOEXEC",
            Some("leaves"),
        ),
        (
            "nothing-to-lose",
            |f| f.finished = 1,
            "Leave as it is",
            None,
        ),
        (
            "nothing-to-lose",
            |f| f.already_reset = 1,
            "Leave as it is",
            None,
        ),
        ("no-connection", |f| f.listeners = 1, "Leave as it is", None),
        ("no-connection", |f| f.datagrams = 1, "Leave as it is", None),
    ];

    #[test]
    fn each_kind_of_site_gets_its_advice() {
        for (rule, change, source, run) in CASES {
            let figures = one(change);
            let site = Site {
                call: "close",
                figures: &figures,
            };
            let advice = of(&site);
            assert_eq!(advice.len(), 1, "{rule}: {advice:?}");
            assert_eq!(advice[0].rule, rule);
            assert!(advice[0].source.contains(source), "{advice:?}");
            assert_eq!(advice[0].run.is_some(), run.is_some(), "{rule}");
            assert!(
                advice[0].run.unwrap_or("").contains(run.unwrap_or("")),
                "{rule}"
            );
            assert!(advice[0].why[0].ends_with('.'), "{rule}");
        }
        for rule in RULES {
            assert!(
                CASES.iter().any(|case| case.0 == rule.name),
                "{}",
                rule.name
            );
        }
    }

    #[test]
    fn the_worst_comes_first_and_leaving_is_no_advice_beside_it() {
        let figures = Figures {
            closes: 9,
            unread: 1,
            late: 2,
            finished: 5,
            shared: 1,
            ..Figures::default()
        };
        let site = Site {
            call: "close",
            figures: &figures,
        };
        assert_eq!(of(&site)[0].why.len(), 2);
        assert_eq!(rules("close", figures), ["reset-for-certain"]);
        assert_eq!(rules("close", Figures::default()), ["nothing-seen"]);
    }

    #[test]
    fn the_call_decides_what_replaces_it() {
        for (call, expected) in [
            ("close", "gc_close(fd, 5000) for close(fd)"),
            ("closesocket", "gc_close(s, 5000) for closesocket(s)"),
            ("fclose", "gc_finish(fileno(stream), 5000); and then fclose"),
            ("dup2", "gc_finish(fd, 5000)"),
            ("close_range", "each connection, before close_range"),
            ("exit", "gc_flush()"),
        ] {
            let figures = one(|f| f.unread = 1);
            let site = Site {
                call,
                figures: &figures,
            };
            let advice = of(&site);
            assert!(advice[0].source.contains(expected), "{advice:?}");
        }
    }
}
