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

/// What mdBook's own script does with the field for the search, for all words.
const SEARCH_PAGE: &str = r#"<!DOCTYPE html>
<title>search</title>
<script src="elasticlunr.min.js"></script>
<script>window.search = {};</script>
<script src="searchindex.js"></script>
<script>
const index = elasticlunr.Index.load(window.search.index);
const lost = [WORDS].filter(word => index.search(word, window.search.search_options).length === 0);
document.title = lost.length === 0 ? "everything is found" : "not found: " + lost.join(", ");
</script>
"#;
