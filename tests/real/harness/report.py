"""Results: of one pair, as text and as a row of the table."""
import collections
import statistics


class Half:
    """Stock, or graceful."""

    def __init__(self, outcome):
        self.failed = outcome.get("failed", "")
        results = outcome.get("results", [])
        errors = [error for error, _ in results if error]
        self.requests, self.lost = len(results), len(errors)
        self.saw = collections.Counter(errors).most_common(1)[0][0] if errors else ""
        self.ms = statistics.median(ms for _, ms in results) if results else 0.0
        self.counters = outcome.get("counters", {})
        if not results and not self.failed:
            self.failed = "not one request came to an end"
        if results and not outcome.get("alive", True):
            self.failed = "the server ended: " + outcome.get("log", "")


class Row:
    def __init__(self, pair, stock, graceful):
        self.pair, self.stock, self.graceful = pair, stock, graceful
        self.name = "%s, %s%s" % (pair.server, pair.client, ", %d ms" % (2 * pair.delay) if pair.delay else "")

    def problems(self):
        """What is not as pairs.txt says."""
        found = ["%s: %s" % (name, half.failed) for name, half in (("stock", self.stock), ("graceful", self.graceful))
                 if half and half.failed]
        if found:
            return found
        expected, stock = self.pair.expected, self.stock
        if expected == "all" and stock.lost * 5 < stock.requests * 4:
            found.append("the probe has become weak: stock lost only %d of %d" % (stock.lost, stock.requests))
        if self.graceful:
            lost = self.graceful.lost
            if expected == "hard":
                # a reset that comes sooner or later makes this differ by itself
                if lost > self.stock.lost + self.stock.requests / 3:
                    found.append("worse than stock: %d, not %d, lost" % (lost, self.stock.lost))
            elif lost:
                found.append("%d of %d lost with the preload library: %s" %
                             (lost, self.graceful.requests, self.graceful.saw))
        return found

    def text(self):
        parts = ["stock lost %d/%d" % (self.stock.lost, self.stock.requests)]
        if self.graceful:
            parts.append("graceful %d/%d" % (self.graceful.lost, self.graceful.requests))
        parts.append("%s ms" % "/".join("%.1f" % half.ms for half in (self.stock, self.graceful) if half))
        parts.append("aborts %s" % "/".join(str(half.counters.get("TCPAbortOnClose", "?"))
                                            for half in (self.stock, self.graceful) if half))
        if self.stock.saw:
            parts.append(self.stock.saw[:70])
        return ", ".join(parts)


HEAD = """| server | client | requests | lost, stock | lost, graceful | the client sees (stock) | median ms, stock / graceful | aborts, stock / graceful |
|---|---|---|---|---|---|---|---|
"""


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")[:80]


def table(rows):
    lines = []
    for row in rows:
        stock, graceful = row.stock, row.graceful
        aborts = "%s / %s" % (stock.counters.get("TCPAbortOnClose", "?"),
                              graceful.counters.get("TCPAbortOnClose", "?") if graceful else "-")
        lines.append("| %s | %s | %d | %d | %s | %s | %.1f / %s | %s |\n" % (
            row.pair.server, row.pair.client, stock.requests, stock.lost, graceful.lost if graceful else "-",
            cell(stock.saw), stock.ms, "%.1f" % graceful.ms if graceful else "-", aborts))
    return HEAD + "".join(lines)


def sums(rows):
    stock = sum(row.stock.lost for row in rows)
    requests = sum(row.stock.requests for row in rows)
    text = "%d pairs, %d requests to each side: stock loses %d answers (%d pairs)" % (
        len(rows), requests, stock, sum(1 for row in rows if row.stock.lost))
    done = [row for row in rows if row.graceful]
    if done:
        text += ", graceful %d (%d pairs)" % (sum(row.graceful.lost for row in done),
                                              sum(1 for row in done if row.graceful.lost))
    return text
