#!/usr/bin/env python3
"""What the hook's tests talk to. A server prints its port first.

  peers.py chatty PORT COUNT BYTES  clients that go on sending while the answer comes in
  peers.py backend BYTES            server: answers every connection with so many bytes
  peers.py ranges FILE              HTTP server of one file, also of parts of it
  peers.py upload PORT SECONDS      an upload that takes so long, and is answered before its end
  peers.py child PORT               the client of tests/hook/parent.c
"""
import os
import socket
import socketserver
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HOST = "127.0.0.1"
LIMIT = 20  # seconds for one connection


def pattern(size):
    """No two places alike, so that nothing can be lost or doubled unseen."""
    line = b"".join(b"%015d\n" % number for number in range(size // 16 + 1))
    return line[:size]


def connect(port, buffer=None):
    sock = socket.socket()
    sock.settimeout(LIMIT)
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.connect((HOST, port))
    return sock


def receive(sock, pause=0):
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
            if pause:
                time.sleep(pause)
    except OSError:
        pass
    return b"".join(parts)


def talk(sock, over):
    try:
        while not over.is_set():
            sock.sendall(b"x" * 1000)
            time.sleep(0.001)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def chat(port, got):
    over = threading.Event()
    # Not so fast that all is with us before the other side closes.
    with connect(port, buffer=65536) as sock:
        talker = threading.Thread(target=talk, args=(sock, over))
        talker.start()
        got.append(receive(sock, pause=0.005))
        over.set()
        talker.join()


def chatty(port, count, size):
    wanted, got = pattern(size), []
    with ThreadPoolExecutor(max_workers=3) as few:
        list(few.map(lambda _: chat(port, got), range(count)))
    whole = sum(one == wanted for one in got)
    print(f"whole {whole} of {count}, shortest {min(map(len, got), default=0)} of {size} bytes")
    return 0 if whole == count else 1


class Backend(socketserver.BaseRequestHandler):
    """Ends its own side properly: what is lost on the way is lost in the middle."""

    answer = b""

    def handle(self):
        reader = threading.Thread(target=receive, args=(self.request,))
        reader.start()
        try:
            self.request.sendall(self.answer)
            self.request.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        reader.join(LIMIT)


class Ranges(socketserver.StreamRequestHandler):
    """As much HTTP as a download needs."""

    body = b""

    def handle(self):
        while request := self.rfile.readline():
            first, last = 0, len(self.body) - 1
            status = "200 OK"
            while (line := self.rfile.readline().strip().lower()) != b"":
                if line.startswith(b"range: bytes="):
                    begin, _, end = line[13:].partition(b"-")
                    first = int(begin)
                    last = min(last, int(end)) if end else last
                    status = "206 Partial Content"
            part = self.body[first : last + 1]
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(part)}\r\nAccept-Ranges: bytes\r\n"
            if status[0:3] == "206":
                head += f"Content-Range: bytes {first}-{last}/{len(self.body)}\r\n"
            self.wfile.write(head.encode() + b"\r\n")
            if not request.startswith(b"HEAD"):
                self.wfile.write(part)


def serve(handler):
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer((HOST, 0), handler) as server:
        print(server.server_address[1], flush=True)
        # The script that started us ends us; should it be killed, we end by ourselves.
        threading.Timer(300, os._exit, (1,)).start()
        server.serve_forever()


def upload(port, seconds):
    with connect(port) as sock:
        try:
            sock.sendall(b"POST")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                sock.sendall(b"x" * 1000)
                time.sleep(0.001)
            sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            print(f"the request cannot be sent: {error}")
            return 1
        got = receive(sock)
    print(got.decode())
    return 0 if got.endswith(b"big\n") else 1


def child(port):
    with connect(port) as sock:
        hello = sock.recv(5)
        sock.sendall(b"x")
        got = len(receive(sock))
    print(f"{hello.decode()}, then {got} of 100000 bytes")
    return 0 if got == 100000 else 1


def main(words):
    match words:
        case ["chatty", port, count, size]:
            return chatty(int(port), int(count), int(size))
        case ["backend", size]:
            Backend.answer = pattern(int(size))
            serve(Backend)
        case ["ranges", name]:
            with open(name, "rb") as file:
                Ranges.body = file.read()
            serve(Ranges)
        case ["upload", port, seconds]:
            return upload(int(port), float(seconds))
        case ["child", port]:
            return child(int(port))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
