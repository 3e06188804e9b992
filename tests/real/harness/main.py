"""tests/real/run: see there."""
import argparse
import json
import os
import sys
import time

from . import checks, clients, install, namespaces, observed, pairs, places, rates, report, servers
from .tally import Tally


def wrapper():
    """The words before a command that make it graceful."""
    return [os.environ["REAL_GRACEFUL_CLOSE"], "run", "--library", os.environ["REAL_LIBRARY"]]


def arguments():
    parser = argparse.ArgumentParser(prog="tests/real/run")
    parser.add_argument("--quick", action="store_true", help="a few pairs with few requests, for every commit")
    parser.add_argument("--full", action="store_true", help="all pairs (the default), and the table")
    parser.add_argument("--requests", type=int, default=0, metavar="N", help="for each pair and side")
    parser.add_argument("--stock", action="store_true", help="only the programs as they are")
    parser.add_argument("--no-wire", action="store_true", help="leave the 20 ms wire out")
    parser.add_argument("--only-wire", action="store_true", help="nothing but the 20 ms wire")
    parser.add_argument("--rates", type=int, default=0, metavar="ROUNDS", help="only servers under load, so many rounds")
    parser.add_argument("--observed", action="store_true", help="only what `graceful-close observe` says of some servers")
    parser.add_argument("--packages", action="store_true", help="only print the Debian packages that are needed")
    parser.add_argument("--client", action="append", default=[], metavar="NAME", help="only this client")
    parser.add_argument("server", nargs="*", help="only these (see harness/servers.py)")
    options = parser.parse_args()
    unknown = [name for name in options.server if name not in servers.BY_NAME]
    unknown += [name for name in options.client if name not in clients.BY_NAME]
    if unknown:
        parser.error("unknown: " + " ".join(unknown))
    return options


def needs_of(pair):
    return set(servers.BY_NAME[pair.server].needs) | set(clients.BY_NAME[pair.client].needs)


def missing_command(pair):
    """The program of the server itself, when it is not there after all."""
    for word in (servers.BY_NAME[pair.server].command[0], clients.BY_NAME[pair.client].command[0]):
        if not word.startswith("{") and not places.which(word):
            return "no command " + word
    return ""


def all_needs(wanted):
    return {"deb:iproute2"}.union(*(needs_of(pair) for pair in wanted))


def available(wanted, tally):
    """Installs; leaves out what cannot be had, and says so."""
    needs = all_needs(wanted)
    os.makedirs(places.WORK, exist_ok=True)
    with open(os.path.join(places.WORK, "install.log"), "w") as log:
        reasons = install.everything(needs, log)
    found = []
    for pair in wanted:
        # what counts is whether the program is there, not who brought it
        why = [reason for need, reason in reasons.items() if need in needs_of(pair) and not need.startswith("deb:")]
        lost = why[0] if why else missing_command(pair)
        if lost:
            tally.skip("%s, %s" % (pair.server, pair.client), lost)
        else:
            found.append(pair)
    return found


def halves(pair, count, graceful):
    task = {"server": pair.server, "client": pair.client, "count": count, "delay": pair.delay, "prefix": [],
            "limit": 40 + count}
    limit = task["limit"] + 60
    stock = report.Half(namespaces.run("harness.case", task, limit))
    if not graceful:
        return stock, None
    task["prefix"] = graceful + list(servers.BY_NAME[pair.server].options) + ["--"]
    return stock, report.Half(namespaces.run("harness.case", task, limit))


def measure(pair, count, graceful, tally):
    row = report.Row(pair, *halves(pair, count, graceful))
    problems = row.problems()
    tally.result(row.name, problems, row.text())
    return row


def choose(options):
    wanted = []
    if not options.only_wire:
        wanted += pairs.chosen(options.quick, 0, options.server)
    if not options.no_wire:
        wanted += pairs.chosen(options.quick, 10, options.server)
    return [pair for pair in wanted if not options.client or pair.client in options.client]


def keep(rows):
    """The tables, as Markdown."""
    os.makedirs(places.RESULTS, exist_ok=True)
    for title, some in (("loopback", [row for row in rows if not row.pair.delay]),
                        ("wire", [row for row in rows if row.pair.delay])):
        if some:
            print("%s: %s" % (title, report.sums(some)), flush=True)
            with open(os.path.join(places.RESULTS, title + ".md"), "w") as out:
                out.write(report.table(some) + "\n" + report.sums(some) + "\n")


def main():
    options = arguments()
    if options.packages:
        needs = all_needs(choose(options)).union(*checks.NEEDS.values())
        needs |= all_needs(observed.chosen())
        print("\n".join(sorted(install.debian_names(needs))))
        return 0
    tally = Tally()
    why = namespaces.why_not()
    if why:
        tally.skip("real programs", why)
        return tally.end()
    graceful = [] if options.stock else wrapper()
    if options.rates:
        os.makedirs(places.WORK, exist_ok=True)
        with open(os.path.join(places.WORK, "install.log"), "w") as log:
            rates.run(graceful, options.rates, log, tally)
        return tally.end()
    if options.observed:
        observed.run(available(observed.chosen(), tally), options.requests or 30, os.environ["REAL_GRACEFUL_CLOSE"],
                     os.environ["REAL_LIBRARY"], tally)
        return tally.end()
    wanted = available(choose(options), tally)
    if any(pair.delay for pair in wanted) and not os.path.exists("/dev/net/tun"):
        tally.skip("the 20 ms wire", "no /dev/net/tun")
        wanted = [pair for pair in wanted if not pair.delay]
    started = time.monotonic()
    rows = []
    for pair in wanted:
        count = options.requests or (30 if options.quick else 200)
        rows.append(measure(pair, min(count, 60) if pair.delay else count, graceful, tally))
    keep(rows)
    if graceful and not (options.server or options.client or options.only_wire):
        with open(os.path.join(places.WORK, "install.log"), "a") as log:
            tally.notes = []
            checks.run(graceful, options.quick, log, tally)
        with open(os.path.join(places.RESULTS, "checks.md"), "w") as out:
            out.write("".join("- %s\n" % line for line in tally.notes))
    print("%d s" % (time.monotonic() - started))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
