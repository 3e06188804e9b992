"""Reads pairs.txt: which client meets which server, and what is expected."""
import os

from . import places

CLASSES = ("all", "some", "none", "hard")


class Pair:
    def __init__(self, server, client, expected, delay=0):
        self.server, self.client, self.expected, self.delay = server, client, expected, delay


def read():
    """(all pairs on the loopback in order, {mark: [(server, client)]})."""
    pairs, marks = {}, {}
    with open(os.path.join(places.TESTS, "harness", "pairs.txt")) as source:
        for line in source:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0].startswith("@"):
                marks.setdefault(words[0], []).extend((words[1], client) for client in words[2:])
                continue
            for word in words[1:]:
                client, expected = word.split(":")
                if expected not in CLASSES:
                    raise ValueError(line)
                pairs[words[0], client] = Pair(words[0], client, expected)
    return pairs, marks


def chosen(quick, delay, names):
    """The pairs of the loopback, or those of the wire when there is a delay."""
    pairs, marks = read()
    if delay:
        # what loses anything here loses more there: only the strongest are held to "all"
        keys = marks["@wire-quick" if quick else "@wire"]
        found = [Pair(server, client, wire_class(pairs[server, client]), delay) for server, client in keys]
    elif quick:
        found = [pairs[key] for key in marks["@quick"]]
    else:
        found = list(pairs.values())
    return [pair for pair in found if not names or pair.server in names]


def wire_class(pair):
    if pair.client in ("wget", "curl-get", "requests-get"):
        return "all"
    return "some" if pair.expected == "all" else pair.expected
