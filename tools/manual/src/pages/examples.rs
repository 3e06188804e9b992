//! Blocks of C of the manual that show how a function is used. Tests compile and run them.

use std::path::Path;

/// Functions and types, the page, and words that no other block of that page has.
const BLOCKS: [(&[&str], &str, &str); 13] = [
    (
        &["gc_close", "gc_outcome_name"],
        "README.md",
        "/* at most 5 seconds */",
    ),
    (
        &["gc_close_with", "gc_options", "gc_report"],
        "docs/choose.md",
        "options.timeout_ms = 10000;",
    ),
    (
        &["gc_closesocket", "gc_set_default_timeout"],
        "docs/choose.md",
        "gc_closesocket(s)",
    ),
    (
        &[
            "gc_closing_new",
            "gc_closing_step",
            "gc_closing_socket",
            "gc_closing_timeout_ms",
            "gc_closing_wants_read",
            "gc_closing_free",
        ],
        "docs/event-loops.md",
        "static int close_in_loop",
    ),
    (
        &["gc_close_async", "gc_close_async_with"],
        "docs/servers.md",
        "static void refuse",
    ),
    (
        &[
            "gc_reaper_new",
            "gc_reaper_close",
            "gc_reaper_options",
            "gc_done_fn",
        ],
        "docs/servers.md",
        "limits.max_pending",
    ),
    (&["gc_close_many"], "docs/servers.md", "gc_close_many(socks"),
    (
        &["gc_get_stats", "gc_stats"],
        "docs/servers.md",
        "GC_STATS_INIT",
    ),
    (
        &[
            "GRACEFUL_CLOSE_FLUSH_AT_EXIT",
            "gc_flush_at_exit",
            "gc_set_exit_timeout",
        ],
        "docs/servers.md",
        "GRACEFUL_CLOSE_FLUSH_AT_EXIT(5000);",
    ),
    (
        &["gc_set_log", "gc_set_log_caller", "gc_log_fn"],
        "docs/questions.md",
        "static void log_line",
    ),
    (
        &["gc_finish"],
        "docs/questions.md",
        "gc_finish(fileno(file)",
    ),
    (&["gc_abort"], "docs/questions.md", "gc_abort(s) != 0"),
    (
        &["gc_data_fn"],
        "docs/sequence.md",
        "options.on_data = take_answer;",
    ),
];

/// The lines of code for a name of the header.
pub fn of(root: &Path, name: &str) -> Vec<String> {
    let Some((_, page, words)) = BLOCKS.iter().find(|(names, ..)| names.contains(&name)) else {
        return Vec::new();
    };
    let text = super::read(root, page).unwrap_or_else(|| panic!("{page}"));
    // a block inside of a list is set in
    let block = text
        .split("```c\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains(words))
        .unwrap_or_else(|| panic!("{page} has no block of C with '{words}'"));
    block.trim_end().lines().map(str::to_string).collect()
}
