"""Whether a report as JSON has the closes of logged.c: those of the library's own log, and the bare one.
logged.py REPORT"""
import json
import sys


def chain(site):
    return [frame["functions"][0]["name"] for frame in site["frames"][:2]]


with open(sys.argv[1]) as found:
    report = json.load(found)
wanted = [["by_gc_close", "main"], ["in_the_background", "main"]]
assert sorted(map(chain, report["logged"]["sites"])) == wanted, report["logged"]
assert all(site["outcomes"] == {"timed out": 1} for site in report["logged"]["sites"]), report["logged"]
# on Windows the first frame of a bare close is the system's
unread = [names for names in map(chain, (site for site in report["sites"] if site["figures"]["unread"]))]
assert unread == [["bare", "main"]], report["sites"]
