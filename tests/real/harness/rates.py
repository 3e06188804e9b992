"""tests/real/run --rates: servers under load, in turn with and without the library; the median of the ratios."""
import statistics

from . import checks, install

NEEDS = {"deb:apache2-utils", "deb:nginx-light", "deb:haproxy", "deb:redis-server", "deb:redis-tools"}
EACH = "%s, a connection for each request"
MEASURES = [(EACH % "nginx-on", {"what": "load", "server": "nginx-on", "requests": 20000}),
            (EACH % "redis", {"what": "load-redis", "server": "redis", "requests": 20000}),
            (EACH % "haproxy", {"what": "load", "server": "haproxy", "requests": 20000}),
            (EACH % "threading-http-1.1", {"what": "load", "server": "threading-http-1.1", "requests": 1500}),
            ("wsgiref, one thread, with three silent clients", {"what": "stall", "seconds": 4})]


def measure(name, task, prefix, count, tally):
    stock, graceful = checks.rounds(task, prefix, count)
    problems = checks.failures(stock, graceful)
    if problems:
        return tally.result(name, problems)
    ratios = sorted(with_it["value"] / without["value"] for without, with_it in zip(stock, graceful))
    text = "median of %d rounds %.2f of stock (%.2f to %.2f), best rates %.0f and %.0f a second" % (
        count, statistics.median(ratios), ratios[0], ratios[-1], checks.best(stock), checks.best(graceful))
    # of other load on the machine this is mostly free
    text += "; processor time for each request %.1f and %.1f microseconds" % tuple(
        statistics.median(one["microseconds"] for one in some) for some in (stock, graceful))
    tally.result(name, [], text)


def run(prefix, count, log, tally):
    reasons = install.everything(NEEDS, log)
    for need, why in reasons.items():
        tally.skip(need, why)
    if not reasons:
        for name, task in MEASURES:
            measure(name, task, prefix + ["--"], count, tally)
