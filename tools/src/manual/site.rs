//! docs/ as the source of a site, and what its search finds.

use super::{plain, verdict, words, Page};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Copies docs/ for mdBook. What lies outside of it is copied, too, as text that a browser shows.
pub fn copy(folder: &Path) -> ExitCode {
    let wrong: Vec<String> = copy_below(Path::new("docs"), folder)
        .err()
        .map(|error| error.to_string())
        .into_iter()
        .collect();
    verdict(&wrong, "docs/ is copied")
}

fn copy_below(from: &Path, folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = folder.join(path.strip_prefix("docs").expect("below docs"));
        fs::create_dir_all(target.parent().expect("a folder"))?;
        if path.is_dir() {
            copy_below(&path, folder)?;
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(&path)?;
            let page = Page::read(path.clone());
            let text = page
                .links()
                .try_fold(text, |text, link| inside(text, &path, link, folder))?;
            fs::write(target, text)?;
        } else {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

/// A link out of docs/ leads to a copy in tree/; one to a folder becomes words.
fn inside(text: String, page: &Path, link: &str, folder: &Path) -> std::io::Result<String> {
    let file = link.split('#').next().unwrap_or(link);
    let target = plain(&page.parent().unwrap_or(Path::new("")).join(file));
    if file.is_empty() || target.starts_with("docs") {
        return Ok(text);
    }
    let written = format!("]({link})");
    if target.is_dir() {
        return Ok(text.replace(&written, &format!("] (`{}`)", target.display())));
    }
    let copy = Path::new("tree").join(format!("{}.txt", target.display()));
    fs::create_dir_all(folder.join(&copy).parent().expect("a folder"))?;
    fs::copy(&target, folder.join(&copy))?;
    let up = "../".repeat(page.components().count() - 2);
    Ok(text.replace(&written, &format!("]({up}{})", copy.display())))
}

/// Whether the index of the site's search has each word. Leaves a page that asks the search itself, and
/// says so in its title.
pub fn search(folder: &Path) -> ExitCode {
    let index = fs::read_to_string(folder.join("searchindex.js"))
        .unwrap_or_default()
        .to_lowercase();
    let mut wrong: Vec<String> = words()
        .filter(|word| !index.contains(&word.to_lowercase()))
        .map(|word| format!("{}: the search does not find '{word}'", folder.display()))
        .collect();
    let quoted: Vec<String> = words().map(|word| format!("{word:?}")).collect();
    let page = SEARCH_PAGE.replace("WORDS", &quoted.join(", "));
    wrong.extend(
        fs::write(folder.join("search-test.html"), page)
            .err()
            .map(|error| error.to_string()),
    );
    verdict(&wrong, &format!("the index has {} words", words().count()))
}

/// Asks each word in the field of the site itself, in a frame of WIDTH,HEIGHT (what comes after the page's
/// name and a question mark; a window cannot be as narrow as a phone): there are results, the
/// first of them is seen, and nothing sticks out on the right.
const SEARCH_PAGE: &str = r##"<!DOCTYPE html>
<title>search</title>
<iframe style="border: 0"></iframe>
<script>
const frame = document.querySelector("iframe");
[frame.width, frame.height] = location.search.slice(1).split(",");
const width = frame.clientWidth;
const pause = () => new Promise(done => setTimeout(done, 20));
async function opened(word) {
    frame.src = "index.html?search=" + encodeURIComponent(word);
    await new Promise(done => frame.onload = done);
    for (let tries = 0; tries < 100; tries++) {
        const first = frame.contentDocument.querySelector("#searchresults li a");
        if (first) return first;
        await pause();
    }
}
async function wrong(word) {
    const first = await opened(word);
    if (!first) return ["not found: " + word];
    const place = first.getBoundingClientRect(), wide = frame.contentDocument.documentElement.scrollWidth;
    if (place.height === 0 || place.left < 0 || place.right > width) return ["not seen: " + word];
    return wide > width ? [wide + " wide: " + word] : [];
}
(async () => {
    const all = [];
    for (const word of [WORDS]) all.push(...await wrong(word));
    document.title = (all.length === 0 ? "everything is found" : all.join(", ")) + ", " + width + " wide";
})().catch(error => document.title = "failed: " + error);
</script>
"##;
