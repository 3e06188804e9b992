//! The three forms of a report say the same.

use super::figures::KINDS;
use super::report::Report;
use super::snapshot::Snapshot;
use super::words::amount;
use super::{html, json, samples, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Of each site: the kinds of which there is something, and their numbers for people.
type All = Vec<BTreeMap<String, String>>;

fn of_report(report: &Report) -> All {
    let of_site = |site: &super::report::Site| {
        let present = KINDS.iter().filter(|kind| (kind.of)(&site.figures) > 0);
        present
            .map(|kind| {
                (
                    kind.title.into(),
                    amount(kind.unit, (kind.of)(&site.figures)),
                )
            })
            .collect()
    };
    report.sites.iter().map(of_site).collect()
}

fn of_json(text: &str) -> All {
    let value: Value = serde_json::from_str(text).unwrap();
    let of_site = |site: &Value| {
        let numbers = site["figures"].as_object().unwrap();
        assert_eq!(numbers.len(), KINDS.len());
        let present = KINDS.iter().filter(|kind| numbers[kind.key] != 0);
        present
            .map(|kind| {
                let number = numbers[kind.key].as_u64().unwrap();
                (kind.title.into(), amount(kind.unit, number))
            })
            .collect()
    };
    value["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(of_site)
        .collect()
}

/// "    seen    title number, title number B", which may go on in the next lines.
fn of_text(text: &str) -> All {
    let mut all = All::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(seen) = line.strip_prefix("    seen    ") else {
            continue;
        };
        let mut seen = seen.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("            ")) {
            seen = format!("{seen} {}", more.trim());
        }
        all.push(seen.split(", ").map(titled).collect());
    }
    all
}

fn titled(words: &str) -> (String, String) {
    let is_title = |kind: &&super::figures::Kind| {
        let rest = words
            .strip_prefix(kind.title)
            .and_then(|rest| rest.strip_prefix(' '));
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    let kind = KINDS
        .iter()
        .find(is_title)
        .unwrap_or_else(|| panic!("{words}"));
    (kind.title.into(), words[kind.title.len() + 1..].into())
}

fn of_html(text: &str) -> All {
    let mut rows = text.split("<tr id=\"site-");
    rows.next();
    rows.map(|row| {
        let marked = row.split("<b data-key=\"").skip(1);
        marked
            .map(|part| {
                let (key, rest) = part.split_once('"').unwrap();
                let (_, rest) = rest.split_once('>').unwrap();
                let (number, _) = rest.split_once('<').unwrap();
                let kind = KINDS.iter().find(|kind| kind.key == key).unwrap();
                (kind.title.into(), number.into())
            })
            .collect()
    })
    .collect()
}

#[test]
fn all_forms_have_the_same_figures() {
    let report = samples::report();
    let expected = of_report(&report);
    // each kind occurs in the sample
    let kinds: std::collections::BTreeSet<&String> =
        expected.iter().flat_map(BTreeMap::keys).collect();
    assert_eq!(kinds.len(), KINDS.len());
    assert_eq!(of_json(&json::write(&report)), expected);
    assert_eq!(of_text(&text::write(&report)), expected);
    assert_eq!(of_html(&html::write(&report)), expected);
}

#[test]
fn all_forms_have_what_the_log_of_the_library_tells() {
    let report = samples::report();
    let value: Value = serde_json::from_str(&json::write(&report)).unwrap();
    let sites = &value["logged"]["sites"];
    assert_eq!(sites[0]["outcomes"]["timed out"], 3);
    assert_eq!(
        (&sites[0]["lines"], &sites[1]["lines"]),
        (&4.into(), &3.into())
    );
    let words = text::write(&report);
    assert!(words.contains("as /var/log/legacyd.log tells"), "{words}");
    let first = "graceful_close < main (server.c:9)\n        reset 1, timed out 3, not acknowledged 812 B\n";
    assert!(words.contains(first), "{words}");
    assert!(words.contains("4 lines of"), "{words}");
    let page = html::write(&report);
    assert!(page.contains("/var/log/legacyd.log"));
    let first = "<code>graceful_close &lt; main (server.c:9)</code> <b>reset 1, timed out 3, not";
    assert!(page.contains(first));
    let mut report = report;
    report.logged = None;
    assert!(!json::write(&report).contains("logged"));
    assert!(!html::write(&report).contains("graceful_close that"));
    assert!(!text::write(&report).contains("graceful_close that"));
}

#[test]
fn all_forms_have_the_same_totals_and_notes() {
    let report = samples::report();
    let page = html::write(&report);
    let words = text::write(&report).replace('\n', " ");
    let value: Value = serde_json::from_str(&json::write(&report)).unwrap();
    assert_eq!(value["totals"]["closes"], 153);
    assert!(words.contains("153 closes"), "{words}");
    assert!(page.contains("<b>153</b> closes"));
    assert_eq!(value["totals"]["unread"], 41);
    assert!(words.contains("41 resets for certain"));
    assert!(page.contains("<b>41</b> resets for certain"));
    assert!(words.contains("5009092 B of ours at stake"));
    assert!(page.contains("<b>5009092 B</b> of ours at stake"));
    let unwrapped: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    for note in &report.notes {
        assert!(
            page.contains(note.as_str()) && unwrapped.contains(note.as_str()),
            "{note}"
        );
    }
    assert!(report.notes[0].starts_with("17 closes are not in this report"));
    for form in [&page, &words] {
        assert!(form.contains("127.0.0.1:8080 from 127.0.0.1:50000"));
        assert!(form.contains("31.000 s or longer, 12 B unread"));
    }
    assert_eq!(value["kernel"]["TCPAbortOnClose"], 41);
    assert!(unwrapped.contains("TCPAbortOnClose 41"));
    assert!(page.contains("<code>TCPAbortOnClose</code> <b>41</b>"));
    assert_eq!(value["close_wait"][0]["unread_bytes"], 12);
}

#[test]
fn all_forms_say_what_was_followed_and_what_it_costs() {
    let mut report = samples::report();
    let seen = "Followed after the close (--follow): 50 connections; 43 reset afterwards, 41 of these with 8792 B of ours not acknowledged";
    let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for form in [text::write(&report), html::write(&report)].map(flat) {
        assert!(form.contains(seen), "{form}");
        assert!(form.contains("each close that it follows takes some microseconds more"));
        assert!(form.contains("for at most 10.000 s"));
    }
    let value: Value = serde_json::from_str(&json::write(&report)).unwrap();
    assert_eq!(
        (&value["follow_ms"], &value["totals"]["lost_bytes"]),
        (&10_000.into(), &8_792.into())
    );
    let column = ">Reset after</th>";
    assert!(html::write(&report).contains(column));
    report.run.follow_ms = None;
    assert!(!html::write(&report).contains(column));
    assert!(!text::write(&report).contains("--follow)"));
    assert!(!json::write(&report).contains("follow_ms"));
}

#[test]
fn those_that_lose_come_first() {
    let report = samples::report();
    let order: Vec<&str> = report
        .sites
        .iter()
        .map(|site| site.advice[0].rule)
        .collect();
    let expected = [
        "lost-as-seen",
        "reset-for-certain",
        "late-bytes",
        "shut-both",
        "wanted-reset",
        "blocking-linger",
        "held-elsewhere",
        "nothing-to-lose",
    ];
    assert_eq!(order[..8], expected);
    let numbers: Vec<usize> = report.sites.iter().map(|site| site.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
}

#[test]
fn the_text_names_callers_as_far_as_they_are_known() {
    let words = text::write(&samples::report());
    let expected = "\n 1  close < finish (server.c:88) < connection_done (server.c:131) <\n    \
                    net::Server<int>::handle_request(int&) (server.c:120)\n    peers   2\n";
    assert!(words.contains(expected), "{words}");
    assert!(words.contains(
        "close < send_and_close (server.c:240) < main (server.c:9)\n    peers   32 or more\n"
    ));
    assert!(words.contains("close < libfoo.so+0xa123\n"));
    assert!(words.contains("close < legacyd+0x1600\n"));
    assert!(
        words.lines().all(|line| line.chars().count() <= 96),
        "{words}"
    );
}

#[test]
fn a_report_of_nothing_says_so() {
    let report = |processes| {
        let snapshot = Snapshot {
            processes,
            ..Snapshot::default()
        };
        Report::new(&snapshot, samples::run(), &samples::NO_FOLDERS)
    };
    let words = text::write(&report(0));
    assert!(!words.contains("No close was seen"), "{words}");
    assert!(words.contains("The library was in no process"), "{words}");
    let report = report(1);
    let words = text::write(&report);
    assert!(
        words.contains("No close was seen that loses data."),
        "{words}"
    );
    assert_eq!(of_html(&html::write(&report)), All::new());
    assert_eq!(of_json(&json::write(&report)), All::new());
}

#[test]
fn html_takes_no_markup_from_the_program() {
    let page = html::write(&samples::report());
    assert!(!page.contains("<b>&\"x\""));
    assert!(page.contains("&lt;b&gt;&amp;&quot;x&quot;"));
    assert!(page.contains("net::Server&lt;int&gt;::handle_request(int&amp;)"));
    // one file: nothing is fetched
    for fetched in ["src=", "href=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

#[test]
fn an_interpreter_is_named() {
    for (module, language) in [
        ("/usr/bin/python3.11", Some("Python")),
        ("/usr/lib/x86_64-linux-gnu/libnode.so.108", Some("Node.js")),
        ("C:\\Java\\bin\\net.dll", None),
        ("/usr/lib/jvm/java-17/lib/libnet.so", Some("Java")),
        ("/usr/sbin/tinyproxy", None),
    ] {
        let mut snapshot = samples::snapshot();
        snapshot.modules[0] = module.into();
        let report = Report::new(&snapshot, samples::run(), &samples::NO_FOLDERS);
        let note = report
            .notes
            .iter()
            .find(|note| note.contains("The line of the script"));
        assert_eq!(note.is_some(), language.is_some(), "{module}");
        if let (Some(note), Some(language)) = (note, language) {
            assert!(note.contains(language), "{note}");
        }
    }
}

#[test]
fn symbols_are_explained_for_the_modules_that_occur() {
    use super::report::Module;
    use super::symbols::Source;
    let mut report = samples::report();
    let module = |path: &str, symbols| Module {
        path: path.into(),
        symbols,
    };
    let id = || Some("12ab34".to_owned());
    let lines = |file: &str| Source::Lines { file: file.into() };
    report.modules = vec![module("/usr/sbin/a", lines("/usr/sbin/a"))];
    let words = super::how_to_lines::write(&report);
    assert!(
        words.contains("/usr/sbin/a  lines") && !words.contains("How to"),
        "{words}"
    );
    report
        .modules
        .push(module("/usr/lib/b.so", lines("/usr/lib/debug/b")));
    report
        .modules
        .push(module("/usr/lib/c.so", Source::Names { build_id: id() }));
    let words = super::how_to_lines::write(&report);
    assert!(
        words.contains("b.so  lines, from /usr/lib/debug/b"),
        "{words}"
    );
    assert!(
        words.contains("debuginfod-find debuginfo 12ab34    /usr/lib/c.so"),
        "{words}"
    );
    assert!(
        words.contains("dbgsym") && !words.contains(".pdb"),
        "{words}"
    );
    report.modules = vec![module("C:\\d.exe", Source::Nothing { build_id: None })];
    let words = super::how_to_lines::write(&report);
    assert!(
        words.contains(".pdb") && !words.contains("dbgsym"),
        "{words}"
    );
}

/// For those who look at them: GRACEFUL_CLOSE_SAMPLES=FOLDER
#[test]
fn samples_are_written_where_asked_for() {
    let Some(folder) = std::env::var_os("GRACEFUL_CLOSE_SAMPLES") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let report = samples::report();
    std::fs::write(folder.join("report.txt"), text::write(&report)).unwrap();
    std::fs::write(folder.join("report.json"), json::write(&report)).unwrap();
    std::fs::write(folder.join("report.html"), html::write(&report)).unwrap();
}

/// The number is that of the report's order, not of the table's.
#[test]
fn who_had_closed_before_is_named_in_each_form() {
    let report = Report::new(&samples::snapshot(), samples::run(), &samples::NO_FOLDERS);
    let twice = report.sites.iter().find(|site| site.figures.bad_number > 0);
    let number = twice.unwrap().closed_before.unwrap();
    assert_eq!(report.sites[number - 1].figures.closes, 50);
    let words = format!("the number had been closed at site {number}");
    assert!(text::write(&report).contains(&words));
    assert!(html::write(&report).contains(&words));
    let value: Value = serde_json::from_str(&json::write(&report)).unwrap();
    let sites = value["sites"].as_array().unwrap();
    assert!(sites.iter().any(|site| site["closed_before"] == number));
}
