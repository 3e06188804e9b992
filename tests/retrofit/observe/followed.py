"""Whether a report with --follow says of each site of followed.c what its peer saw.

usage: followed.py REPORT.json TRUTH          TRUTH: what followed.c printed
       followed.py REPORT.json                of another network namespace: nothing is known
"""

import json
import sys

FIGURES = ["reset_after", "lost", "lost_bytes", "arrived", "still_open", "follow_untold"]
OUTCOMES = ["reset_after", "arrived", "still_open", "follow_untold"]
FOLLOWED = {
    "unread_and_unacked",
    "unread_after_all",
    "unread_and_peer_closed",
    "late_byte",
    "late_but_read",
    "byte_after_all",
    "ended_well",
    "peer_stays",
}
NOT_FOLLOWED = {"wants_reset", "peer_was_first", "parent_of_a_holder"}


def main(path, truth=None):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    sites = {}
    for site in report["sites"]:
        functions = site["frames"][0]["functions"] if site["frames"] else []
        if functions and site["call"] == "close":
            sums = sites.setdefault(functions[0]["name"], {})
            for name, number in site["figures"].items():
                sums[name] = sums.get(name, 0) + number
    expected = {name: {} for name in FOLLOWED}
    if truth:
        with open(truth, encoding="utf-8") as file:
            for site, figure, number in map(str.split, file):
                expected[site][figure] = int(number)
    wrong = []
    for name in FOLLOWED:
        found = {key: sites[name][key] for key in FIGURES if sites[name][key]}
        if truth is None:
            expected[name] = {"follow_untold": sites[name]["followed"]}
        if found != expected[name]:
            wrong.append(f"{name}: {found}, and not {expected[name]}")
        closes = sites[name]["closes"]
        if not closes == sites[name]["followed"] == sum(found.get(key, 0) for key in OUTCOMES):
            wrong.append(f"{name}: {closes} closes: {sites[name]}")
    for name in NOT_FOLLOWED:
        if not sites[name]["closes"] or sites[name]["followed"]:
            wrong.append(f"{name}: {sites[name]}")
    if not report.get("follow_ms"):
        wrong.append("the report does not say that it followed")
    for line in wrong:
        print(f"FAILED: {line}")
    return bool(wrong)


sys.exit(main(*sys.argv[1:]))
