"""What is not a pair: a loop that must not stall, a server under load, and a client that never reads.

Each runs in namespaces of its own, as a case does, gets the words of `graceful-close run` (or none)
as its task, and prints one line of JSON."""
import glob
import json
import os
import re
import socket
import subprocess
import sys
import time

from . import case, servers

HOST = "127.0.0.1"


def begin(name, prefix):
    case.arena()
    case.lay_wire(0)
    case.start(servers.BY_NAME[name], [], prefix)
    return servers.BY_NAME[name].port


def read_to_end(connection):
    total = 0
    while True:
        piece = connection.recv(65536)
        if not piece:
            return total
        total += len(piece)


def silent(port):
    """Asks, leaves half of its body unsent, and never closes."""
    connection = socket.create_connection((HOST, port), 10)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + bytes(1000))
    return connection


def stall(task):
    """Requests that a server with one thread answers while three silent clients keep their connections."""
    port = begin("wsgiref", task["prefix"])
    quiet = [silent(port) for _ in range(3)]
    count, slowest, before = 0, 0.0, server_time()
    end = time.monotonic() + task["seconds"]
    while time.monotonic() < end:
        started = time.monotonic()
        with socket.create_connection((HOST, port), 20) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if read_to_end(connection) == 0:
                raise case.Failed("an empty answer")
        count += 1
        slowest = max(slowest, time.monotonic() - started)
    return {"value": count, "slowest_ms": round(slowest * 1000, 1), "silent": len(quiet),
            "microseconds": (server_time() - before) / 1000 / count}


def server_time():
    """Nanoseconds that the servers have used processors for: all that runs in this namespace except this process."""
    spent = 0
    for table in glob.glob("/proc/[0-9]*/task/*/schedstat"):
        if not table.startswith("/proc/%d/" % os.getpid()):
            with open(table) as source:
                spent += int(source.read().split()[0])
    return spent


def load(task):
    """A server under ab: requests a second, each on a connection of its own."""
    port = begin(task.get("server", "nginx-on"), task["prefix"])
    command = ["ab", "-q", "-n", str(task["requests"]), "-c", "50", "http://%s:%d/index.html" % (HOST, port)]
    before = server_time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    used = server_time() - before
    rate = re.search(r"Requests per second: +([0-9.]+)", done.stdout)
    failures = re.search(r"Failed requests: +([0-9]+)", done.stdout)
    if done.returncode != 0 or not rate:
        raise case.Failed("ab: exit %d: %s" % (done.returncode, done.stderr.strip()[-200:]))
    return {"value": float(rate.group(1)), "failed_requests": int(failures.group(1)),
            "microseconds": used / 1000 / task["requests"],
            "time_wait": len(re.findall(r"^ *\d+: \S+ \S+ 06 ", open("/proc/net/tcp").read(), re.M))}


def load_redis(task):
    """redis under its own benchmark: commands a second, each on a connection of its own."""
    port = begin("redis", task["prefix"])
    command = ["redis-benchmark", "-h", HOST, "-p", str(port), "-k", "0", "-c", "50", "-n", str(task["requests"]),
               "-t", "ping_inline", "--csv"]
    before = server_time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    used = server_time() - before
    rates = [line.split(",")[1].strip('"') for line in done.stdout.splitlines() if line.startswith('"PING')]
    if not rates:
        raise case.Failed("redis-benchmark: exit %d: %s" % (done.returncode, done.stderr.strip()[-200:]))
    return {"value": float(rates[0]), "microseconds": used / 1000 / task["requests"]}


# commands through bash's own sockets, faster than redis takes them; the answers are never read
WRITER = ("exec 3<>/dev/tcp/%s/%d; for ((i = 0; i < %d; i++)); do all+=\"SET k$i $i\"$'\\n'; done; "
          "printf %%s \"$all\" >&3; exec 3>&-")


def writer(task):
    """How many of the commands of a client that never reads have arrived, run by run."""
    port = begin("redis", [])
    ask = ["redis-cli", "-h", HOST, "-p", str(port)]
    arrived = []
    for _ in range(task["runs"]):
        subprocess.run(ask + ["FLUSHALL"], capture_output=True, check=True, timeout=10)
        subprocess.run(task["prefix"] + ["bash", "-c", WRITER % (HOST, port, task["commands"])],
                       capture_output=True, timeout=60)
        time.sleep(0.3)  # what is still in the server's buffer
        size = subprocess.run(ask + ["DBSIZE"], capture_output=True, text=True, check=True, timeout=10)
        arrived.append(int(re.search(r"\d+", size.stdout).group()))
    whole = sum(1 for number in arrived if number == task["commands"])
    return {"value": whole, "runs": task["runs"], "worst": min(arrived)}


def main():
    task = json.loads(sys.argv[1])
    try:
        case.say({"stall": stall, "load": load, "load-redis": load_redis, "writer": writer}[task["what"]](task))
    except (case.Failed, OSError, subprocess.SubprocessError) as error:
        case.say({"failed": str(error)})


if __name__ == "__main__":
    main()
