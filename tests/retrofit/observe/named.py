"""Whether a report of `graceful-close observe` names each close site of server.c with its figures.

usage: named.py REPORT.json
"""

import json
import sys

# of each site: the figures that it must have, and no others but these
EXACT = {
    "unread_request": {"closes": 1, "unread": 1, "unread_bytes": 10},
    "late_bytes": {"closes": 1, "late": 1, "late_bytes": None, "time_wait": 1},
    "shut_both": {"closes": 1, "shut_both": 1, "time_wait": 1},
    "linger_reset": {"closes": 1, "linger_reset": 1},
    "linger_wait": {
        "closes": 1,
        "late": 1,
        "late_bytes": None,
        "linger_wait": 1,
        "linger_wait_ns": None,
        "time_wait": 1,
    },
    "forked_parent": {"closes": 1, "shared": 1},
    "forked_child": {"closes": 1, "open": 1, "time_wait": 1},
    "double_close": {"closes": 1, "bad_number": 1},
    "already_finished": {"closes": 1, "finished": 1},
    "reset_before": {"closes": 1, "already_reset": 1},
    "is_listener": {"listeners": 1},
    "is_datagram": {"datagrams": 1},
    "in_handler": {"closes": 1, "open": 1, "time_wait": 1},
}


def main(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    sums = {}
    for site in report["sites"]:
        functions = site["frames"][0]["functions"] if site["frames"] else []
        if not functions or site["call"] != "close":
            continue
        figures = sums.setdefault(functions[0]["name"], {})
        for name, number in site["figures"].items():
            if number:
                figures[name] = figures.get(name, 0) + number
    wrong = []
    for name, expected in EXACT.items():
        found = sums.get(name)
        same = found is not None and found.keys() == expected.keys()
        if not same or any(want not in (None, found[key]) for key, want in expected.items()):
            wrong.append(f"{name}: {found}, and not {expected}")
    waited = sums.get("linger_wait", {}).get("linger_wait_ns", 0)
    if not 900_000_000 < waited < 3_000_000_000:
        wrong.append(f"linger_wait: {waited} ns")
    if not any(site["call"] == "exit" for site in report["sites"]):
        wrong.append("nothing is said of the end of the process")
    for line in wrong:
        print(f"FAILED: {line}")
    return bool(wrong)


sys.exit(main(*sys.argv[1:]))
