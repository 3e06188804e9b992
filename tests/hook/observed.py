#!/usr/bin/env python3
"""Compares a report of `graceful-close observe --json` with what closes.c does.

  observed.py REPORT.json told|untold [exit|WSACleanup]

told: the system tells what is not acknowledged. A word behind it: the call that closes what was left
open, instead of the functions.
"""
import json
import sys

# Each site of closes.c: the function that closes, the place of this close in it, and its figures. A number
# stands for itself, a tuple for the least and the most of it.
ANY = (1, 10**9)


def expected(told):
    risk = {"open": 1} if told else {"untold": 1}
    late = {"late": 1, "late_bytes": ANY} if told else {"untold": 1}
    first = {"closes": 1, "time_wait": 1}
    return {
        # two places, one for each call in all_of_them
        "unread_request": [{"closes": 1, "unread": 1, "unread_bytes": 10}] * 2,
        "peer_open": [{**first, **risk}],
        "late_bytes": [{**first, **late}],
        "shut_both": [{**first, "shut_both": 1}],
        "linger_zero": [{"closes": 1, "linger_reset": 1}],
        "linger_five": [{**first, **risk, "linger_wait": 1, "linger_wait_ns": ANY}],
        "double_close": [{**first, **risk}, {"bad_number": 1}],
        "reused_number": [{**first, **risk}, {"reused_number": 1}],
        "finished": [{"closes": 1, "finished": 1}],
        "pending_receive": [{**first, **risk, "pending": 1, "pending_calls": 1}],
        "listener": [{"listeners": 1}],
        "datagram": [{"datagrams": 1}],
    }


def chain(site):
    return [function["name"] for frame in site["frames"] for function in frame["functions"][:1]]


def closer(site):
    names = chain(site)
    return names[1] if names[:1] == ["linger"] else names[0] if names else "?"


def figures(site):
    # what the model of Winsock tells of bytes in flight depends on the moment
    return {key: number for key, number in site["figures"].items() if number and key != "unread_unacked_bytes"}


def agrees(seen, wanted):
    def number(key):
        low, high = wanted[key] if isinstance(wanted[key], tuple) else (wanted[key], wanted[key])
        return low <= seen[key] <= high

    return seen.keys() == wanted.keys() and all(number(key) for key in wanted)


def compare(sites, wanted):
    wrong = []
    for function, rows in wanted.items():
        left = [figures(site) for site in sites if closer(site) == function]
        for row in rows:
            match = next((seen for seen in left if agrees(seen, row)), None)
            if match is None:
                wrong.append(f"{function}: {row} is not among {left}")
            else:
                left.remove(match)
        if left:
            wrong.append(f"{function}: too much: {left}")
    return wrong


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sites = json.load(file)["sites"]
    told = sys.argv[2] == "told"
    if len(sys.argv) > 3:
        # the server's end has the unread request; the client's is open
        at_end = {"closes": 2, "unread": 1, "unread_bytes": 10, "time_wait": 1, "open" if told else "untold": 1}
        found = [figures(site) for site in sites if site["call"] == sys.argv[3]]
        wrong = [] if len(found) == 1 and agrees(found[0], at_end) else [f"{sys.argv[3]}: {found}, not {at_end}"]
    else:
        sites = [site for site in sites if closer(site) != "done_with"]
        wrong = compare(sites, expected(told))
        wrong += [f"no main: {chain(site)}" for site in sites if "main" not in chain(site)]
        unknown = [closer(site) for site in sites if closer(site) not in expected(told)]
        wrong += [f"sites that are not expected: {unknown}"] if unknown else []
    print("\n".join(wrong) or f"{len(sites)} sites, as expected")
    return 1 if wrong else 0


sys.exit(main())
