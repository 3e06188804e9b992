"""Whether a report of `graceful-close observe` has what habits.c did, and nothing of what it did not.

usage: habits.py REPORT.json
"""

import json
import sys

# the figures that the function's site must have, and no others but these
EXACT = {
    "shut_with_unread": {"shutdowns": 1, "shutdowns_unread": 1},
    "hands_on": {"handed_on": 1},
    "spawns": {"handed_on": 1},
    "by_system": {"handed_on": 1},
    "closes_again": {"bad_number": 1},
}
NOTHING = {"shut_after_the_peer", "shut_one_way", "hands_nothing_on", "starts_nothing"}


def main(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    sites = {}
    for site in report["sites"]:
        for frame in site["frames"]:
            for function in frame["functions"]:
                sites.setdefault(function["name"], site)
    figures = {
        name: {key: number for key, number in site["figures"].items() if number}
        for name, site in sites.items()
    }
    wrong = [
        f"{name}: {figures.get(name)}, and not {expected}"
        for name, expected in EXACT.items()
        if figures.get(name) != expected
    ]
    wrong += [f"{name}: {figures[name]}" for name in NOTHING if figures.get(name)]
    before = sites.get("closes_again", {}).get("closed_before")
    first = sites.get("closes_first", {}).get("number")
    if before is None or before != first:
        wrong.append(f"closes_again: closed before at {before}, and not at {first}")
    for line in wrong:
        print(f"FAILED: {line}")
    return bool(wrong)


sys.exit(main(*sys.argv[1:]))
