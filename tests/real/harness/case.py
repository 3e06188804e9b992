"""One server and one client, in namespaces of their own; the first process there.

Gets a description as JSON in its argument, prints the result as one line of JSON. When it ends the
kernel kills everything else in the process namespace."""
import json
import os
import socket
import subprocess
import sys
import time

from . import clients, places, servers, wire

PORT2 = 8001
COUNTERS = ("TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnTimeout")


class Failed(Exception):
    pass


def say(result):
    print(json.dumps(result), flush=True)


def counters(pid="self"):
    """The kernel's counters of the network namespace of a process."""
    values = {}
    for name in ("netstat", "snmp"):
        with open("/proc/%s/net/%s" % (pid, name)) as table:
            lines = table.read().splitlines()
        for head, numbers in zip(lines[::2], lines[1::2]):
            values.update(zip(head.split()[1:], (int(word) for word in numbers.split()[1:])))
    return {name: values.get(name, 0) for name in COUNTERS + ("OutRsts",)}


def arena():
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "real", places.ARENA], check=True)
    for folder in (places.WWW, places.TMP):
        os.mkdir(folder)
    os.chmod(places.TMP, 0o1777)
    clients.make_data()


def lay_wire(delay):
    """Returns the host of the server, the words before its command, and the process whose namespace it is in."""
    if not delay:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return "127.0.0.1", [], "self"
    process = subprocess.Popen([sys.executable, "-m", "harness.wire", str(delay), "100", "0"],
                               cwd=places.TESTS, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        raise Failed("the wire could not be laid: no TUN devices here?")
    return wire.SERVER, ["nsenter", "-n", "-t", str(process.pid)], str(process.pid)


def fill(words, values):
    return [word.format(**values) for word in words]


def conf_file(server):
    if not server.conf:
        return ""
    with open(os.path.join(places.CONF, server.conf)) as source:
        text = source.read()
    for mark, value in (("@PORT@", server.port), ("@PORT2@", PORT2), ("@WWW@", places.WWW), ("@TMP@", places.TMP)):
        text = text.replace(mark, str(value))
    target = places.ARENA + "/server.conf"
    with open(target, "w") as out:
        out.write(text)
    return target


def start(server, inside, prefix):
    values = {"port": server.port, "port2": PORT2, "www": places.WWW, "tmp": places.TMP, "conf": conf_file(server),
              "python": places.PYTHON, "venv": places.VENV_PYTHON, "apps": places.APPS, "node": places.NODE}
    env = dict(os.environ, PATH=places.SEARCH, HOME=places.TMP, REAL_FILE=clients.FILE)
    env.update({name: value.format(**values) for name, value in server.env.items()})
    for command in server.prepare:
        subprocess.run(fill(command, values), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    log = open(places.ARENA + "/server.log", "wb")
    process = None
    for command in server.before + [server.command]:
        process = subprocess.Popen(inside + prefix + fill(command, values), cwd=places.TMP, env=env,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(process, inside)
    return process


def log_tail():
    with open(places.ARENA + "/server.log", "rb") as log:
        return log.read()[-400:].decode("latin-1").strip()


def listening(inside):
    table = subprocess.run(inside + ["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True)
    if inside:  # /proc/net belongs to the process that opens it
        table = subprocess.run(["cat", "/proc/%s/net/tcp" % inside[-1], "/proc/%s/net/tcp6" % inside[-1]],
                               capture_output=True, text=True)
    return {int(words[1].rsplit(":", 1)[1], 16) for words in map(str.split, table.stdout.splitlines())
            if len(words) > 3 and words[3] == "0A"}


def wait_for(process, inside):
    """Until one more port listens; no connection is made, some servers count them."""
    known = wait_for.known
    deadline = time.monotonic() + 20
    while True:
        if process.poll() is not None:
            raise Failed("the server ended (%s): %s" % (process.returncode, log_tail()))
        now = listening(inside)
        if now - known:
            wait_for.known = now
            return
        if time.monotonic() > deadline:
            raise Failed("the server does not listen: " + log_tail())
        time.sleep(0.02)


wait_for.known = set()


def hold(server, host):
    held = [socket.create_connection((host, server.port), 5) for _ in range(server.hold)]
    time.sleep(server.settle or (0.3 if held else 0))
    return held


def sites_of(process, path):
    """Ends a program that is observed; what its report says."""
    process.terminate()
    process.wait(20)
    with open(path) as found:
        return json.load(found)["sites"]


def main():
    task = json.loads(sys.argv[1])
    server, client = servers.BY_NAME[task["server"]], clients.BY_NAME[task["client"]]
    try:
        arena()
        host, inside, watched = lay_wire(task["delay"])
        process = start(server, inside, task["prefix"])
        held = hold(server, host)
        before = counters(watched)
        env = dict(os.environ, **client.env)
        results = clients.run(client, server, host, server.port, task["count"], env, time.monotonic() + task["limit"])
        time.sleep(0.1)
        after = counters(watched)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        say({"failed": str(error)})
        return
    alive = process.poll() is None
    said = {"results": results, "alive": alive, "held": len(held), "log": "" if alive else log_tail(),
            "counters": {name: after[name] - before[name] for name in after}}
    if task.get("report") and alive:
        said["sites"] = sites_of(process, task["report"])
    say(said)


if __name__ == "__main__":
    main()
