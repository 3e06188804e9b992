//! The page in a real browser: it is sorted by a click, and whole without its script.

use super::{html, samples};
use crate::testing::skipped;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clicks, and leaves what it found in the title.
const CLICKS: &str = r##"<script>
function order(at) {
    return Array.prototype.map.call(document.getElementById("sites").tBodies[0].rows, function (row) {
        return Number(row.cells[at].getAttribute("data-value"));
    });
}
function sorted(numbers, sign) {
    return numbers.every(function (number, at) { return at === 0 || sign * (number - numbers[at - 1]) >= 0; });
}
var heads = document.querySelectorAll("#sites th button"), wrong = [];
if (heads.length !== 9) wrong.push(heads.length + " buttons");
if (!sorted(order(0), 1)) wrong.push("at first: " + order(0));
for (var at = 2; at < heads.length; at++) {
    heads[at].click();
    if (!sorted(order(at), -1)) wrong.push("column " + at + ": " + order(at));
    heads[at].click();
    if (!sorted(order(at), 1)) wrong.push("column " + at + " upwards: " + order(at));
}
heads[1].click();
if (order(0)[0] !== ALPHABETICAL) wrong.push("by name: " + order(0));
heads[0].click();
if (!sorted(order(0), 1)) wrong.push("by number again: " + order(0));
if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("wider than the window: " + document.documentElement.scrollWidth);
document.title = wrong.length ? wrong.join("; ") : "all is well";
</script>"##;

/// The document after its scripts. A browser that does not start here says nothing.
fn dom(page: &Path, width: u32) -> Option<String> {
    for browser in [
        "chromium",
        "chromium-headless-shell",
        "google-chrome",
        "chromium-browser",
    ] {
        let mut command = Command::new(browser);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg(format!("--window-size={width},900"))
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .stdout(fs::File::create(page.with_extension("dom")).ok()?)
            .stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            continue;
        };
        let start = Instant::now();
        while child.try_wait().ok()?.is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = fs::read_to_string(page.with_extension("dom")).ok()?;
        if text.contains("<title>") {
            return Some(text);
        }
    }
    None
}

#[test]
fn the_page_is_sorted_by_a_click() {
    if cfg!(windows) {
        return;
    }
    let report = samples::report();
    let chains = report
        .sites
        .iter()
        .map(|site| (super::words::call_chain(site, 3), site.number));
    let (_, first) = chains.min_by_key(|(chain, _)| chain.clone()).unwrap();
    let clicks = CLICKS.replace("ALPHABETICAL", &first.to_string());
    let page = html::write(&report).replace("</body>", &format!("{clicks}</body>"));
    let folder = std::env::temp_dir().join(format!("observe-html-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for width in [1280, 390] {
        let file = folder.join("report.html");
        fs::write(&file, &page).unwrap();
        let Some(dom) = dom(&file, width) else {
            skipped(
                "the page in a browser",
                "no chromium that works is installed",
            );
            break;
        };
        let (_, rest) = dom.split_once("<title>").unwrap();
        let title = rest.split('<').next().unwrap();
        assert_eq!(title, "all is well", "{width} pixels");
    }
    fs::remove_dir_all(folder).unwrap();
}
