"""python-requests: URL REQUEST COUNT FILE STATUS; one line of JSON for each request."""
import json
import sys
import time

import requests

url, kind, count, name, status = sys.argv[1:6]
with open(name, "rb") as source:
    body = source.read()
wanted = None
if kind == "get":
    with open(sys.argv[6], "rb") as source:
        wanted = source.read()


def once():
    if kind == "post":
        answer = requests.post(url, data=body, timeout=20)
    else:
        answer = requests.get(url, data=body, timeout=20)
    if answer.status_code != int(status):
        return "status %d" % answer.status_code
    if wanted is not None and answer.content != wanted:
        return "short: %d bytes" % len(answer.content)
    return ""


for _ in range(int(count)):
    started = time.monotonic()
    try:
        error = once()
    except requests.RequestException as problem:
        error = "%s: %s" % (type(problem).__name__, problem)
    print(json.dumps([error, (time.monotonic() - started) * 1000]), flush=True)
