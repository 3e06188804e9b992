"""tests/real/run --rates: servers under load, in turn with and without the library; the median of the ratios."""
import os
import statistics
import subprocess

from . import checks, install, places

NEEDS = {"deb:apache2-utils", "deb:nginx-light", "deb:haproxy", "deb:redis-server", "deb:redis-tools"}
EACH = "%s, a connection for each request"
MEASURES = [(EACH % "nginx-on", {"what": "load", "server": "nginx-on", "requests": 20000}),
            (EACH % "redis", {"what": "load-redis", "server": "redis", "requests": 20000}),
            (EACH % "haproxy", {"what": "load", "server": "haproxy", "requests": 20000}),
            (EACH % "threading-http-1.1", {"what": "load", "server": "threading-http-1.1", "requests": 1500}),
            ("wsgiref, one thread, with three silent clients", {"what": "stall", "server": "wsgiref", "seconds": 4})]
# those that wait with epoll alone, which is all that least.c knows
WITH_THE_LEAST = {"nginx-on", "haproxy"}


def ratio(stock, other):
    ratios = sorted(with_it["value"] / without["value"] for without, with_it in zip(stock, other))
    return "%.2f of stock (%.2f to %.2f)" % (statistics.median(ratios), ratios[0], ratios[-1])


def processor_time(results):
    """Of other load on the machine this is mostly free."""
    return statistics.median(one["microseconds"] for one in results)


def least(log, tally):
    """The words that start a server with least.c; an empty list without a compiler."""
    library = os.path.join(places.WORK, "least.so")
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
               os.path.join(os.path.dirname(os.path.dirname(__file__)), "least.c"), "-pthread"]
    try:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    except (OSError, subprocess.CalledProcessError) as error:
        tally.skip("the least that a library can do", "tests/real/least.c cannot be compiled: %s" % error)
        return []
    return ["env", "LD_PRELOAD=" + library]


def measure(name, task, prefix, floor, count, tally):
    prefixes = [[], prefix] + ([floor] if floor and task["server"] in WITH_THE_LEAST else [])
    stock, graceful, *bare = checks.rounds(task, prefixes, count)
    problems = checks.failures(stock, graceful, *bare)
    if problems:
        return tally.result(name, problems)
    text = "median of %d rounds %s, best rates %.0f and %.0f a second" % (
        count, ratio(stock, graceful), checks.best(stock), checks.best(graceful))
    text += "; processor time for each request %.1f and %.1f microseconds" % (
        processor_time(stock), processor_time(graceful))
    for some in bare:
        text += "; the least that a library can do: %s, %.1f microseconds" % (ratio(stock, some), processor_time(some))
    tally.result(name, [], text)


def run(prefix, count, log, tally):
    reasons = install.everything(NEEDS, log)
    for need, why in reasons.items():
        tally.skip(need, why)
    if not reasons:
        floor = least(log, tally)
        for name, task in MEASURES:
            measure(name, task, prefix + ["--"], floor, count, tally)
