"""Compares what harness.extra measures with and without the preload library."""
from . import install, namespaces

NEEDS = {"stall": set(), "load": {"deb:nginx-light", "deb:apache2-utils"},
         "writer": {"deb:redis-server", "deb:redis-tools"}}


def rounds(task, prefixes, count):
    """The ways to start it in turn, so that a change of the machine's load meets all: a list of results for each."""
    results = [[] for _ in prefixes]
    for _ in range(count):
        for some, words in zip(results, prefixes):
            some.append(namespaces.run("harness.extra", dict(task, prefix=words), 200))
    return results


def failures(*lists):
    return [one["failed"] for some in lists for one in some if "failed" in one]


def best(results):
    return max(one["value"] for one in results)


def compare(name, task, prefix, count, bound, tally, detail):
    """The best round of each; the ratio must not fall below the bound."""
    stock, graceful = rounds(task, [[], prefix], count)
    problems = failures(stock, graceful)
    if problems:
        return tally.result(name, problems)
    ratio = best(graceful) / best(stock)
    if ratio < bound:
        problems.append("%.2f of stock, less than %.2f" % (ratio, bound))
    problems += detail["check"](graceful)
    tally.result(name, problems, "stock %.0f, graceful %.0f, ratio %.2f, %s" % (
        best(stock), best(graceful), ratio, detail["text"](stock, graceful)))


def slowest(results):
    return max(one["slowest_ms"] for one in results)


STALL = {
    # a close that waits in the loop waits for seconds
    "check": lambda graceful: ["a request took %.0f ms" % slowest(graceful)] if slowest(graceful) > 1500 else [],
    "text": lambda stock, graceful: "slowest %.1f / %.1f ms" % (slowest(stock), slowest(graceful)),
}
LOAD = {
    "check": lambda graceful: ["%d failed requests" % one["failed_requests"]
                               for one in graceful if one["failed_requests"]],
    "text": lambda stock, graceful: "TIME_WAIT %d / %d" % (stock[-1]["time_wait"], graceful[-1]["time_wait"]),
}


def writer(prefix, runs, tally):
    """The client role: only role=any may act on a connection that the process has made."""
    task = {"what": "writer", "commands": 20000, "runs": runs}
    stock, as_server, as_any = (
        namespaces.run("harness.extra", dict(task, prefix=words), 60 + 10 * runs)
        for words in ([], prefix + ["--"], prefix + ["--role", "any", "--"]))
    problems = failures([stock, as_server, as_any])
    if problems:
        return tally.result("a client that never reads, to redis", problems)
    if stock["value"] == runs:
        problems.append("the probe has become weak: stock lost nothing")
    if as_any["value"] != runs:
        problems.append("role any: only %d of %d runs are whole, the worst has %d commands" % (
            as_any["value"], runs, as_any["worst"]))
    if as_server["value"] == runs:
        problems.append("role server acts on a connection that the process made itself")
    tally.result("a client that never reads, to redis", problems,
                 "whole runs of %d: stock %d (worst %d of 20000), role server %d, role any %d" % (
                     runs, stock["value"], stock["worst"], as_server["value"], as_any["value"]))


def run(prefix, quick, log, tally):
    reasons = install.everything(set.union(*NEEDS.values()), log)
    def possible(what):
        why = [reason for need, reason in reasons.items() if need in NEEDS[what]]
        if why:
            tally.skip(what, why[0])
        return not why

    words = prefix + ["--"]
    if possible("stall"):
        compare("one thread, three silent clients", {"what": "stall", "seconds": 2 if quick else 6}, words,
                2, 0.5, tally, STALL)
    if possible("load"):
        compare("nginx under ab", {"what": "load", "requests": 5000 if quick else 20000}, words,
                2 if quick else 5, 0.5, tally, LOAD)
    if possible("writer"):
        writer(prefix, 3 if quick else 20, tally)
