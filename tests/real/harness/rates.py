"""tests/real/run --rates: servers under load, in turn with and without the library; the median of the ratios."""
import statistics

from . import checks, install

NEEDS = {"deb:apache2-utils", "deb:nginx-light", "deb:haproxy", "deb:redis-server", "deb:redis-tools"}
SERVERS = [("nginx-on", "load", 20000), ("redis", "load-redis", 20000), ("haproxy", "load", 20000),
           ("threading-http-1.1", "load", 1500)]


def measure(name, what, requests, prefix, count, tally):
    task = {"what": what, "server": name, "requests": requests}
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
    tally.result("%s, a connection for each request" % name, [], text)


def run(prefix, count, log, tally):
    reasons = install.everything(NEEDS, log)
    for need, why in reasons.items():
        tally.skip(need, why)
    if not reasons:
        for name, what, requests in SERVERS:
            measure(name, what, requests, prefix + ["--"], count, tally)
