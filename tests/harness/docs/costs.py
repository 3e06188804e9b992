"""Draws what a close costs, from the table that `make bench` has written into docs/benchmarks.md."""
import os
import re

import bars

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "benchmarks.md")
GROUPS = (
    "one close, peer's FIN queued",
    "one close, peer's FIN in answer to ours",
    "64 MiB to drain, CPU of the closing thread",
    "20 ms round trip, request of 64 KiB, answers whole (clean)",
)
MEDIAN = 2  # the column
TITLE = "What a close costs, and what arrives (median; the numbers of make bench)"


def picture():
    with open(TABLE, encoding="utf-8") as file:
        table = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file if line.startswith("| ")]
    groups = []
    for begins in GROUPS:
        rows = []
        for cells in table:
            what, _, way = cells[0].rpartition(": ")
            if what == begins:
                words = re.sub(r" \(\d+\)", "", cells[MEDIAN])  # 1000 (1000) of 1000
                kind = "good" if way.startswith("gc_close") else "other"
                rows.append((way, float(words.split()[0]), words, kind))
        if not rows:
            raise SystemExit(f"docs/benchmarks.md has no rows '{begins}: ...'")
        groups.append((begins, rows))
    return bars.picture(TITLE, groups)
