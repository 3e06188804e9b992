"""The clients, as data, and how each request is judged: an empty string when the whole answer came.

A program is run once for each request; the Python and Node clients are loops of their own that say
a line of JSON for each."""
import json
import os
import subprocess
import time

from . import places

LIMIT = 25  # seconds for one request
POST = places.ARENA + "/5M.bin"
BODY = places.ARENA + "/20K.bin"
FILE = places.WWW + "/1M.bin"
ANSWER = places.ARENA + "/answer"


class Client:
    def __init__(self, name, what, command, judge=None, stdin=None, needs=(), loop=False, env=None):
        self.name = name
        self.what = what  # for the reader of the report
        self.command = command.split()
        self.judge = judge
        self.stdin = stdin
        self.needs = tuple(needs)
        self.loop = loop
        self.env = env or {}


def same_file(name):
    """Is the answer the file, byte for byte?"""
    try:
        with open(ANSWER, "rb") as got, open(name, "rb") as wanted:
            return got.read() == wanted.read()
    except OSError:
        return False


def size():
    try:
        return os.path.getsize(ANSWER)
    except OSError:
        return 0


def curl(status, output, server, wanted):
    if status != 0:
        return "curl %d, http %s%s" % (status, output[:3], ", %d bytes" % size() if wanted == 200 else "")
    if int(output[:3] or 0) != wanted:
        return "http %s instead of %d" % (output[:3], wanted)
    if wanted == 200 and not same_file(FILE):
        return "wrong file"
    return ""


def curl_post(status, output, server):
    return curl(status, output, server, server.post)


def curl_get(status, output, server):
    return curl(status, output, server, 200)


def curl_refused(status, output, _server):
    if status != 0:
        return "curl %d, http %s" % (status, output[:3])
    return "" if int(output[:3] or 0) >= 400 else "http " + output[:3]


def wget_post(status, _output, server):
    # 8: the server has answered with an error; 4: the network failed
    wanted = 8 if server.post >= 400 else 0
    return "" if status == wanted else "wget exit %d" % status


def whole_file(status, _output, _server):
    if same_file(FILE):
        return ""
    return "exit %d, %d bytes" % (status, size())


def answer_has(text):
    def judge(status, output, _server):
        got = output
        try:
            with open(ANSWER, "rb") as answer:
                got += answer.read().decode("latin-1")
        except OSError:
            pass
        return "" if text in got else "exit %d, %r" % (status, got[:60])
    return judge


CURL = "curl -q -s -S -m 20 -k -H Expect: -o {answer} -w %{{http_code}} --data-binary "
NC = "nc -N -w 10 {host} {port}"
NETCAT = ["deb:netcat-openbsd"]
OLD_REQUESTS = ["pip:requests==2.28.1", "pip:urllib3==1.26.12"]

LIST = [
    Client("curl", "POST 5 MB", CURL + "@{post} {url}/", curl_post, needs=["deb:curl"]),
    Client("curl-get", "GET 1 MiB with a body of 20 kB", CURL + "@{body} -X GET {url}/1M.bin", curl_get,
           needs=["deb:curl"]),
    Client("curl-header", "a request header of 120 kB", "curl -q -s -S -m 20 -k -o {answer} -w %{{http_code}} "
           "-H @" + places.ARENA + "/header {url}/", curl_refused, needs=["deb:curl"]),
    Client("wget", "POST 5 MB", "wget --no-config --no-check-certificate -q -t1 -T20 -O {answer} --content-on-error "
           "--post-file={post} {url}/", wget_post, needs=["deb:wget"]),
    Client("requests", "POST 5 MB", "{venv} {apps}/client_requests.py {url}/ post {count} {post} {status}",
           needs=OLD_REQUESTS, loop=True),
    Client("requests-get", "GET 1 MiB with a body of 20 kB",
           "{venv} {apps}/client_requests.py {url}/1M.bin get {count} {body} 200 {file}",
           needs=OLD_REQUESTS, loop=True),
    Client("requests-new", "POST 5 MB", "{venv} {apps}/client_requests.py {url}/ post {count} {post} {status}",
           needs=["new-requests"] + OLD_REQUESTS, loop=True, env={"PYTHONPATH": places.NEW_REQUESTS}),
    Client("node", "POST 5 MB", "node {apps}/client_node.js {host} {port} {count} {post} {status}",
           needs=["node"], loop=True),
    Client("nc", "20 kB to a service that only writes 1 MiB", NC, whole_file, stdin=BODY, needs=NETCAT),
    Client("nc-gopher", "a selector, and 20 kB more", NC, whole_file, stdin=places.ARENA + "/selector", needs=NETCAT),
    Client("nc-daytime", "20 kB to the daytime service", NC, answer_has(":"), stdin=BODY, needs=NETCAT),
    Client("nc-early", "talks before the greeting", NC, answer_has("421"), stdin=places.ARENA + "/early",
           needs=NETCAT),
    Client("nc-set", "a set command before the refusal", NC, answer_has("Too many"), stdin=places.ARENA + "/set",
           needs=NETCAT),
    Client("big-inline", "an inline command of 1 MB", NC, answer_has("-ERR Protocol error: too big inline"),
           stdin=places.ARENA + "/inline", needs=NETCAT),
    Client("bad-multibulk", "a bad length, then 1 MB", NC, answer_has("-ERR Protocol error: "),
           stdin=places.ARENA + "/multibulk", needs=NETCAT),
    Client("dns", "a query over TCP, and 20 kB more", NC, answer_has("\xc0\x00\x02\x01"),
           stdin=places.ARENA + "/query", needs=NETCAT),
    Client("smtp-errors", "unknown commands, 70 kB", NC, answer_has("421 "), stdin=places.ARENA + "/nonsense",
           needs=NETCAT),
    Client("imap-errors", "unknown commands, 70 kB", NC, answer_has("* BYE "),
           stdin=places.ARENA + "/nonsense", needs=NETCAT),
    Client("pop3-errors", "unknown commands, 70 kB", NC, answer_has("Too many invalid"),
           stdin=places.ARENA + "/nonsense", needs=NETCAT),
    Client("ftp-early", "talks before the greeting", NC, answer_has("530 "), stdin=places.ARENA + "/early",
           needs=NETCAT),
    Client("ftp-busy", "talks before the greeting", NC, answer_has("421 "), stdin=places.ARENA + "/early",
           needs=NETCAT),
    Client("irc-early", "talks before it is refused", NC, answer_has("ERROR :"), stdin=places.ARENA + "/early",
           needs=NETCAT),
    Client("rsync-denied", "asks for a module, and talks on", NC, answer_has("@ERROR: access denied"),
           stdin=places.ARENA + "/rsync", needs=NETCAT),
    Client("git-denied", "asks for what is not there, and talks on", NC, answer_has("access denied"),
           stdin=places.ARENA + "/git", needs=NETCAT),
    Client("mqtt-refused", "CONNECT without a password, and 20 kB", NC, answer_has(" \x02\x00\x05"),
           stdin=places.ARENA + "/mqtt", needs=NETCAT),
    Client("pg-refused", "a start message, and 20 kB", NC, answer_has("pg_hba.conf rejects"),
           stdin=places.ARENA + "/postgres", needs=NETCAT),
    Client("mysql-busy", "talks before the greeting", NC, answer_has("Too many connections"),
           stdin=places.ARENA + "/early", needs=NETCAT),
    Client("socks-refused", "a SOCKS request, and 20 kB", NC, answer_has("\x05\x00\x05\x02"),
           stdin=places.ARENA + "/socks", needs=NETCAT),
    Client("smtp-hasty", "all commands at once, 70 kB", NC, answer_has("500 5.5.1"),
           stdin=places.ARENA + "/nonsense", needs=NETCAT),
    Client("nc-hello", "20 kB to a service that says a line", NC, answer_has("hello"), stdin=BODY, needs=NETCAT),
    Client("redis-pipe", "redis-cli --pipe at maxclients", "redis-cli -h {host} -p {port} --pipe",
           answer_has("max number of clients"), stdin=places.ARENA + "/pipe", needs=["deb:redis-tools"]),
]

# a question for the address of real.test
QUERY = (b"\x00\x1b" b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
         b"\x04real\x04test\x00\x00\x01\x00\x01")
# version 3, and who asks
START = b"\x00\x00\x00\x20\x00\x03\x00\x00" b"user\0nobody\0" b"database\0x\0\0"

BY_NAME = {client.name: client for client in LIST}


def make_data():
    """What the clients send, in the file system of the case."""
    def put(path, data):
        with open(path, "wb") as out:
            out.write(data)

    os.makedirs(places.WWW, exist_ok=True)
    put(FILE, b"".join(b"%015d\n" % i for i in range(65536)))
    put(places.WWW + "/index.html", b"<p>hello</p>\n")
    put(POST, bytes(5_000_000))
    put(BODY, bytes(20_000))
    put(places.ARENA + "/header", b"X-Long: " + b"a" * 120_000 + b"\r\n")
    put(places.ARENA + "/selector", b"/1M.bin\r\n" + bytes(20_000))
    put(places.ARENA + "/early", b"EHLO localhost\r\n" + b"NOOP\r\n" * 2000)
    put(places.ARENA + "/set", b"set a 0 0 20000\r\n" + bytes(20_000) + b"\r\n")
    put(places.ARENA + "/inline", b"A" * 1_000_000)
    put(places.ARENA + "/multibulk", b"*1\r\n$bad\r\n" + b"A" * 1_000_000)
    put(places.ARENA + "/query", QUERY + bytes(20_000))
    put(places.ARENA + "/nonsense", b"a nonsense\r\n" * 6000)
    put(places.ARENA + "/rsync", b"@RSYNCD: 31.0\nwww\n" + b"--server\n" * 2000)
    put(places.ARENA + "/git", b"0029git-upload-pack /none\0host=real.test\0" + b"0032want\n" * 2000)
    put(places.ARENA + "/mqtt", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a" + bytes(20_000))
    put(places.ARENA + "/postgres", START + bytes(20_000))
    put(places.ARENA + "/socks", b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50" + bytes(20_000))
    put(places.ARENA + "/pipe", b"SET key value\r\n" * 20_000)


def one(client, command, server, env):
    """One run of a program: (error, milliseconds)."""
    if os.path.exists(ANSWER):
        os.unlink(ANSWER)
    stdin = open(client.stdin, "rb") if client.stdin else subprocess.DEVNULL
    # what nc says is the answer; what the others say is short
    out = open(ANSWER, "wb") if command[0] == "nc" else subprocess.PIPE
    started = time.monotonic()
    try:
        done = subprocess.run(command, stdin=stdin, stdout=out, stderr=subprocess.PIPE, env=env, timeout=LIMIT)
        status, said = done.returncode, (done.stdout or b"") + done.stderr
    except subprocess.TimeoutExpired:
        status, said = 124, b""
    spent = (time.monotonic() - started) * 1000
    for stream in (stdin, out):
        if hasattr(stream, "close"):
            stream.close()
    return client.judge(status, said.decode("latin-1"), server), spent


def loop(client, command, count, env, deadline):
    """A client that repeats itself: the lines that it said; when it ended early what it did not say was lost."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env,
                              timeout=max(1, deadline - time.monotonic()))
        said, errors = done.stdout, done.stderr
        late = False
    except subprocess.TimeoutExpired as error:
        said, errors = error.stdout or b"", error.stderr or b""
        late = True
    results = [tuple(json.loads(line)) for line in said.decode().splitlines() if line.endswith("]")]
    if len(results) < count and not (late and results):
        last = (errors.decode("latin-1").strip().splitlines() or ["no more answers"])[-1]
        results += [("client gave up: " + last, 0.0)] * (count - len(results))
    return results


def run(client, server, host, port, count, env, deadline):
    values = {"host": host, "port": port, "url": "%s://%s:%d" % (server.scheme, host, port), "answer": ANSWER,
              "post": POST, "body": BODY, "file": FILE, "count": count, "status": server.post,
              "apps": places.APPS, "venv": places.VENV_PYTHON}
    command = [word.format(**values) for word in client.command]
    if client.loop:
        return loop(client, command, count, env, deadline)
    results = []
    for _ in range(count):
        if time.monotonic() > deadline:
            break  # the report shows how many there were
        results.append(one(client, command, server, env))
    return results
