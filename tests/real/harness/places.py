"""Where things are: the repository, what is installed for the tests, and the results."""
import os
import shutil

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(TESTS))
WORK = os.path.join(ROOT, "target", "real")
VENV = os.path.join(WORK, "venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
NEW_REQUESTS = os.path.join(WORK, "requests-new")
NODE = os.path.join(WORK, "node")
APPS = os.path.join(TESTS, "apps")
CONF = os.path.join(TESTS, "conf")
RESULTS = os.path.join(WORK, "results")
# the distribution's own Python, not one that a user has put before it
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else shutil.which("python3")

# a file system in memory, in the mount namespace of each case: gone with it
ARENA = "/mnt"
WWW = ARENA + "/www"
TMP = ARENA + "/tmp"
# daemons are often not in the path of a user
SEARCH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"


def which(command):
    return shutil.which(command, path=SEARCH)
