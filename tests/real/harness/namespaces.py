"""Runs harness.case in network, process and mount namespaces of its own, with a time limit."""
import json
import os
import signal
import subprocess
import sys

from . import places

UNSHARE = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]


def why_not():
    """Why namespaces cannot be had here, or an empty string."""
    if not places.which("unshare"):
        return "no unshare command (util-linux)"
    if not places.which("ip"):
        return "no ip command (iproute2)"
    probe = UNSHARE + ["sh", "-c", "mount -t tmpfs probe %s && ip link set lo up" % places.ARENA]
    try:
        done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return "no namespaces: " + (done.stderr.strip().splitlines() or ["not root?"])[-1]


def environment():
    """Ours, without what would change what the clients do."""
    env = {name: value for name, value in os.environ.items()
           if not name.lower().endswith("_proxy") and not name.startswith(("GRACEFUL_CLOSE_", "LD_PRELOAD"))}
    env.update(LC_ALL="C", PATH=places.SEARCH, PYTHONDONTWRITEBYTECODE="1")
    return env


def run(module, task, limit):
    """What the module printed last, as JSON; {'failed': why} when it did not come to that."""
    command = UNSHARE + [places.PYTHON, "-m", module, json.dumps(task)]
    process = subprocess.Popen(command, cwd=places.TESTS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True)
    try:
        said, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # --kill-child ends the namespace with it
        process.communicate()
        return {"failed": "no end after %d s" % limit}
    try:
        return json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        return {"failed": (errors.strip().splitlines() or ["exit status %d" % process.returncode])[-1]}
