#!/usr/bin/env python3
"""Asks a server, COUNT times, in a way that leaves bytes unread there, and counts the answers
that came whole. Gives up when its own sending fails, as wget does.

    ask.py PORT COUNT upload PATH [PROXY-URL]   POST of 5 MB that is refused
    ask.py PORT COUNT body PATH                 GET with a body that nobody reads
    ask.py PORT COUNT quit                      memcached: 2 MB of answers asked for, then quit
                                                and more that nobody reads
    ask.py PORT COUNT early                     talks first, and is told that there is no room
"""
import socket
import sys
import time


def read_all(conn):
    data = b""
    while True:
        portion = conn.recv(8192)
        if not portion:
            return data
        data += portion
        if len(data) > 100_000:
            time.sleep(0.0005)


def is_whole(answer):
    head, mark, body = answer.partition(b"\r\n\r\n")
    if not mark:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) == int(line.split(b":")[1])
    return b"</html>" in body or b"Forbidden" in body or len(body) > 0


def ask(port, how, path):
    # a full server may leave it in the queue
    conn = socket.create_connection(("127.0.0.1", port), timeout=2 if how == "early" else 15)
    with conn:
        if how == "upload":
            size = 5_000_000
            head = "POST %s HTTP/1.0\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, size)
            conn.sendall(head.encode() + b"x" * size)
            return is_whole(read_all(conn))
        if how == "body":
            head = "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n" % path
            conn.sendall(head.encode() + b"x" * 20_000)
            return is_whole(read_all(conn))
        if how == "quit":
            conn.sendall(b"set k 0 0 100000\r\n" + b"v" * 100_000 + b"\r\n")
            if conn.recv(100) != b"STORED\r\n":
                return False
            conn.sendall(b"get k\r\n" * 20 + b"quit\r\n" + b"more\r\n" * 20_000)
            return len(read_all(conn)) == 20 * (len(b"VALUE k 0 100000\r\n") + 100_002 + len(b"END\r\n"))
        conn.sendall(b"get something\r\n")
        time.sleep(0.002)
        conn.sendall(b"get something\r\n")
        return b"Too many open connections" in read_all(conn)


def main():
    port, count, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    path = sys.argv[4] if len(sys.argv) > 4 else ""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    else:
        sys.exit("ask: nobody on port %d" % port)
    held = []
    if how == "early":  # all the room there is
        for _ in range(40):
            held.append(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.3)
    whole = 0
    for _ in range(count):
        try:
            whole += ask(port, how, path)
        except OSError:
            pass
    print(count - whole)


main()
