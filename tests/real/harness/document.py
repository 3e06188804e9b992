"""Puts the results into docs/real-programs.md, between its marks:  python3 -m harness.document"""
import glob
import os
import platform
import re
import subprocess
import sys
import time

from . import places, servers

DOCUMENT = os.path.join(places.ROOT, "docs", "real-programs.md")
CLIENT_PACKAGES = ("curl", "wget", "netcat-openbsd", "redis-tools", "apache2-utils", "nodejs", "python3")


def said(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return ""


def versions():
    """Of what was installed: Debian's packages, PyPI's, npm's."""
    needs = {need for server in servers.LIST for need in server.needs}
    names = sorted({need[4:] for need in needs if need.startswith("deb:")} | set(CLIENT_PACKAGES))
    debian = said(["dpkg-query", "-W", "-f", "${Package} ${Version}\n"] + names).splitlines()
    wanted = {need[4:].split("==")[0].lower() for need in needs if need.startswith("pip:")} | {"requests", "urllib3"}
    freeze = [line.replace("==", " ") for line in said([places.VENV_PYTHON, "-m", "pip", "freeze"]).splitlines()]
    python = [line for line in freeze if line.split()[0].lower() in wanted]
    node = re.findall(r"(\S+)@(\S+)", said(["npm", "ls", "--prefix", places.NODE, "--depth=0"]))
    return ["- Debian: " + ", ".join(line for line in debian if len(line.split()) == 2),
            "- PyPI: " + ", ".join(python),
            "- npm: " + ", ".join("%s %s" % pair for pair in node)]


def machine():
    # the kind of processor, not the machine
    match = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return ["- machine: %d x %s, Linux %s" % (os.cpu_count(), match.group(1) if match else platform.machine(),
                                             platform.release()),
            "- date: " + time.strftime("%Y-%m-%d")]


def read(name):
    with open(os.path.join(places.RESULTS, name)) as source:
        return source.read().rstrip("\n").splitlines()


def suites():
    lines = ["| suite | stock: pass, fail | with the library: pass, fail | fail both ways |", "|---|---|---|---|"]
    for path in sorted(glob.glob(os.path.join(places.RESULTS, "*.stock"))):
        name = os.path.basename(path)[:-len(".stock")]
        if not os.path.exists(os.path.join(places.RESULTS, name + ".graceful")):
            continue
        halves = []
        for side in ("stock", "graceful"):
            got = read("%s.%s" % (name, side))
            count = [line.split()[1] for line in got if line.startswith("count ")]
            halves.append((count[-1] if count else "?", [line[4:] for line in got if line.startswith("bad ")]))
        both = sorted(set(halves[0][1]) & set(halves[1][1]))
        lines.append("| %s | %s, %d | %s, %d | %s |" % (
            name, halves[0][0], len(halves[0][1]), halves[1][0], len(halves[1][1]), ", ".join(both)[:200]))
    return lines


def main():
    with open(DOCUMENT) as source:
        text = source.read()
    parts = {"versions": machine() + versions(), "loopback": read, "wire": read, "checks": read, "suites": suites}
    for name, part in parts.items():
        try:
            lines = part(name + ".md") if part is read else part() if callable(part) else part
        except FileNotFoundError:
            print("%s: no results, left as it was" % name)
            continue
        pattern = re.compile("(<!-- %s -->\n).*?(<!-- end of %s -->)" % (name, name), re.S)
        if not pattern.search(text):
            sys.exit("no mark for %s in the document" % name)
        text = pattern.sub(lambda match: match.group(1) + "\n" + "\n".join(lines) + "\n\n" + match.group(2), text)
    with open(DOCUMENT, "w") as out:
        out.write(text)


if __name__ == "__main__":
    main()
