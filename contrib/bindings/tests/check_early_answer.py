#!/usr/bin/env python3
"""Runs a server program against a client that talks on while it is answered.

    check_early_answer.py bare|graceful PROGRAM [ARGUMENT...]

The program gets the word as its last argument. It prints "port N", accepts one
connection, reads once (at most 1024 bytes), sends the answer (16384 numbered
lines of 16 bytes) and closes, either as programs usually do or by graceful_close.
Then it prints one line, "read=N", and if graceful also what was reported:
"outcome= name= closed= peer_closed= system_error= drained= unacked=".

bare: the answer must not come whole, or the test is worth nothing.
graceful: it must come whole, end with a FIN, and every byte of the client's must
be accounted for.
"""

import socket
import subprocess
import sys
import threading
import time

LINES = 16384
ANSWER = b"".join(b"%015d\n" % line for line in range(LINES))
REQUEST = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 163840\r\n\r\n"
CHUNK = b"x" * 8192
CHUNKS = 20
SENT = len(REQUEST) + CHUNKS * len(CHUNK)
LIMIT = 30  # seconds for everything


class Client:
    """Sends its request to the end, whatever the server answers meanwhile."""

    def __init__(self, port):
        self.sock = socket.socket()
        # A small window: most of the answer is still in the server's hands when it closes.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.sock.settimeout(LIMIT)
        self.sock.connect(("127.0.0.1", port))
        self.refused = None

    def _talk(self):
        try:
            self.sock.sendall(REQUEST)
            for number in range(CHUNKS):
                self.sock.sendall(CHUNK)
                if number > CHUNKS // 2:
                    time.sleep(0.05)
        except OSError as error:
            self.refused = error

    def run(self):
        """Returns what was received, and the error that ended it (None: a FIN)."""
        talker = threading.Thread(target=self._talk, daemon=True)
        talker.start()
        time.sleep(0.3)
        got, ended_by = bytearray(), None
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    break
                got += data
        except OSError as error:
            ended_by = error
        talker.join(LIMIT)
        self.sock.close()
        return bytes(got), ended_by


def fields(text):
    """The key=value pairs of the program's last line."""
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return dict(pair.split("=", 1) for pair in last.split() if "=" in pair)


def wrong_with_bare(got, ended_by):
    if got == ANSWER and ended_by is None:
        yield "the answer came whole although the server closed with data unread"


def wrong_with_graceful(client, got, ended_by, told):
    if ended_by is not None:
        yield "the answer ended with %r" % ended_by
    if client.refused is not None:
        yield "the client could not send its request: %r" % client.refused
    if got != ANSWER:
        yield "%d of %d bytes of the answer arrived" % (len(got), len(ANSWER))
    expected = {"outcome": "0", "name": "graceful", "closed": "1", "peer_closed": "1", "system_error": "0"}
    for key, value in expected.items():
        if told.get(key) != value:
            yield "%s is %r, not %r" % (key, told.get(key), value)
    if told.get("unacked") not in ("0", "unknown"):
        yield "unacked is %r" % told.get("unacked")
    try:
        accounted = int(told["read"]) + int(told["drained"])
    except (KeyError, ValueError) as error:
        yield "no byte counts: %r" % error
        return
    if accounted != SENT:
        yield "%d bytes of %d accounted for" % (accounted, SENT)
    if int(told["drained"]) == 0:
        yield "nothing was drained"


def read_port(program):
    for line in program.stdout:
        if line.startswith("port "):
            return int(line.split()[1])
    raise SystemExit("the program ended without telling its port")


def main():
    mode, command = sys.argv[1], sys.argv[2:]
    with subprocess.Popen(command + [mode], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as program:
        watchdog = threading.Timer(LIMIT, program.kill)
        watchdog.daemon = True
        watchdog.start()
        client = Client(read_port(program))
        got, ended_by = client.run()
        text = program.stdout.read()
        status = program.wait()
        watchdog.cancel()
    if mode == "bare":
        problems = list(wrong_with_bare(got, ended_by))
    else:
        problems = list(wrong_with_graceful(client, got, ended_by, fields(text)))
    if status != 0:
        problems.append("exit status %d" % status)
    print("%s: %d of %d bytes, %s; %s" % (mode, len(got), len(ANSWER), ended_by or "end of stream", text.strip()))
    for problem in problems:
        print("WRONG: " + problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
