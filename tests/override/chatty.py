#!/usr/bin/env python3
"""A forwarder between a server that sends and ends, and a client that will not stop talking.

    chatty.py PORT BACKEND_PORT COUNT

Starts the server on BACKEND_PORT; COUNT times connects to the forwarder on PORT, sends a little
all the time, and reads what comes. Prints how many answers came whole; exit status 0 always.
"""
import socket
import sys
import threading
import time

SIZE = 3_000_000
LIMIT = 20.0


def serve(listener):
    def one(conn):
        try:
            conn.sendall(b"x" * SIZE)
            conn.shutdown(socket.SHUT_WR)
            conn.settimeout(LIMIT)
            while conn.recv(65536):
                pass
        except OSError:
            pass
        conn.close()

    while True:
        conn, _ = listener.accept()
        threading.Thread(target=one, args=(conn,), daemon=True).start()


def ask(port):
    conn = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
    stop = threading.Event()

    def talk():
        while not stop.is_set():
            try:
                conn.sendall(b"are you still there?" * 50)
            except OSError:
                return
            time.sleep(0.002)

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    got = 0
    try:
        while True:
            portion = conn.recv(16384)
            if not portion:
                break
            got += len(portion)
            time.sleep(0.002)
    except OSError:
        pass
    stop.set()
    talker.join()
    conn.close()
    return got


def main():
    port, backend, count = map(int, sys.argv[1:4])
    listener = socket.create_server(("127.0.0.1", backend))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    else:
        sys.exit("chatty: no forwarder on port %d" % port)
    whole = sum(ask(port) == SIZE for _ in range(count))
    print("%d of %d whole" % (whole, count))


main()
