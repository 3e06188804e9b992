"""tests/real/run --observed: servers as they are under `graceful-close observe`. The close that the report names first
must account for the answers that are lost, and with the library none is lost any more."""
import os

from . import clients, namespaces, pairs, places, report, servers

# Each loses most answers as it is.
PAIRS = [("tinyproxy", "curl"), ("pyhttp", "wget"), ("haproxy", "wget"), ("civetweb", "requests-get")]


def chosen():
    known, _ = pairs.read()
    return [known[key] for key in PAIRS]


def words(site):
    """The call and who made it: functions if there are symbols, or else where in which file."""
    callers = []
    for frame in site["frames"][:3]:
        module = os.path.basename(frame.get("module") or "generated code")
        names = [function["name"] for function in frame["functions"]] or ["%s+0x%x" % (module, frame["offset"])]
        callers += names
    return " < ".join([site["call"]] + callers[:4])


def losses(site):
    """Closes after which the kernel has sent a reset, or may have."""
    figures = site["figures"]
    return sum(figures.get(name, 0) for name in ("unread", "late", "shut_both", "open", "untold"))


def problems(pair, observed, sites, graceful):
    if observed.failed or graceful.failed:
        return [observed.failed or graceful.failed]
    found = []
    if observed.lost * 2 < observed.requests:
        found.append("lost only %d of %d as it is" % (observed.lost, observed.requests))
    if not sites or losses(sites[0]) < observed.lost:
        found.append("the first site does not account for %d lost answers" % observed.lost)
    if any(losses(site) > losses(sites[0]) for site in sites[1:]):
        found.append("another site has more")
    if graceful.lost:
        found.append("%d lost with the library" % graceful.lost)
    return found


def measure(pair, count, command, library, tally):
    path = os.path.join(places.WORK, "observed.json")
    task = {"server": pair.server, "client": pair.client, "count": count, "delay": 0, "limit": 40 + count,
            "prefix": [command, "observe", "--library", library, "--json", path, "--report", path + ".txt", "--"],
            "report": path}
    limit = task["limit"] + 80
    outcome = namespaces.run("harness.case", task, limit)
    observed, sites = report.Half(outcome), outcome.get("sites", [])
    task["prefix"] = [command, "run", "--library", library] + list(servers.BY_NAME[pair.server].options) + ["--"]
    del task["report"]
    graceful = report.Half(namespaces.run("harness.case", task, limit))
    text = ""
    if sites:
        figures = sites[0]["figures"]
        text = "lost %d/%d as it is, %d with the library; first site: %s: %d closes, %d of them with unread bytes" % (
            observed.lost, observed.requests, graceful.lost, words(sites[0]), figures.get("closes", 0),
            figures.get("unread", 0))
    tally.result("observed: %s, %s" % (pair.server, pair.client), problems(pair, observed, sites, graceful), text)


def run(wanted, count, command, library, tally):
    for pair in wanted:
        assert pair.client in clients.BY_NAME
        measure(pair, count, command, library, tally)
