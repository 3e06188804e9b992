"""Installs what the chosen servers and clients need: Debian packages, PyPI and npm packages.

Debian packages go into the system, by scripts/packages; everything else goes below target/real."""
import os
import shutil
import subprocess

from . import places

LIMIT = 400  # seconds for each installer


def run(command, log, limit=LIMIT, **more):
    """True if it worked; the output goes to the log."""
    log.write("+ %s\n" % " ".join(command))
    log.flush()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=limit, **more)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        log.write("%s\n" % error)
        return False


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return done.stdout.endswith(" installed")


def debian(packages, log):
    """Returns {package: reason} of those that are not there afterwards."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        return {}  # the commands decide
    missing = [name for name in sorted(packages) if not installed(name)]
    if not missing:
        return {}
    if os.geteuid() != 0:
        return {name: "not installed, and not root" for name in missing}
    run([os.path.join(places.ROOT, "scripts", "packages")] + missing, log, limit=900)
    return {name: "could not be installed" for name in missing if not installed(name)}


def pypi(requirements, log):
    """Each requirement by itself when all together fail; returns {requirement: reason}."""
    if not requirements:
        return {}
    if not os.path.exists(places.VENV_PYTHON) and not run([places.PYTHON, "-m", "venv", places.VENV], log):
        return {name: "no virtual environment could be made" for name in requirements}
    pip = [places.VENV_PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check",
           "--prefer-binary", "--retries", "2"]
    wanted = sorted(requirements)
    if satisfied(wanted) or run(pip + wanted, log):
        return {}
    return {name: "pip could not install it" for name in wanted if not run(pip + [name], log)}


def satisfied(requirements):
    """All there already, in the wanted versions: no question to the index."""
    done = subprocess.run([places.VENV_PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True)
    have = dict(line.lower().split("==", 1) for line in done.stdout.splitlines() if "==" in line)
    for requirement in requirements:
        name, _, version = requirement.lower().partition("==")
        found = have.get(name)
        if found is None or not (found == version or found.startswith(version.rstrip("*"))):
            return False
    return True


def new_requests(log):
    """The present python-requests beside the old one; returns a reason or ''."""
    if os.path.isdir(os.path.join(places.NEW_REQUESTS, "requests")):
        return ""
    if run([places.VENV_PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
            places.NEW_REQUESTS, "requests==2.34.*", "urllib3==2.8.*"], log):
        return ""
    return "pip could not install it"


def npm(packages, log):
    if not packages:
        return {}
    missing = [name for name in sorted(packages)
               if not os.path.isdir(os.path.join(places.NODE, "node_modules", name.rsplit("@", 1)[0]))]
    if not missing:
        return {}
    if not shutil.which("npm"):
        return {name: "no npm" for name in missing}
    os.makedirs(places.NODE, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", places.NODE]
    if run(command + missing, log):
        return {}
    return {name: "npm could not install it" for name in missing if not run(command + [name], log)}


def names(needs, kind):
    return {need.split(":", 1)[1] for need in needs if need.startswith(kind + ":")}


def debian_names(needs):
    """The Debian packages among the needs, and those that bring PyPI's and npm's."""
    packages = names(needs, "deb")
    if names(needs, "pip") or "new-requests" in needs:
        packages.add("python3-venv")
    if any(name.startswith("npm:") or name == "node" for name in needs):
        packages |= {name for name, command in (("nodejs", "node"), ("npm", "npm")) if not shutil.which(command)}
    return packages


def everything(needs, log):
    """needs: a set of deb:NAME, pip:NAME==VERSION, npm:NAME@VERSION, new-requests.
    Returns {need: reason} of what could not be had."""
    reasons = {"deb:" + name: why for name, why in debian(debian_names(needs), log).items()}
    reasons.update({"pip:" + name: why for name, why in pypi(names(needs, "pip"), log).items()})
    reasons.update({"npm:" + name: why for name, why in npm(names(needs, "npm"), log).items()})
    if "node" in needs and not shutil.which("node"):
        reasons["node"] = "node is not installed"
    if "new-requests" in needs:
        why = new_requests(log)
        if why:
            reasons["new-requests"] = why
    return reasons
