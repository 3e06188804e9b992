"""A server that answers early: early_answer.py bare|graceful|layout

See ../tests/check_early_answer.py, which plays the client.
"""

import socket
import sys

import graceful_close

ANSWER = b"".join(b"%015d\n" % line for line in range(16384))


def layout():
    """What the C header says must be the same here."""
    lib = graceful_close._lib
    print("version", lib.gc_version_number(), graceful_close.version())
    for name, struct in ("gc_options", graceful_close._Options), ("gc_report", graceful_close._Report):
        offsets = [getattr(struct, field).offset for field, _ in struct._fields_]
        print(name, graceful_close.sizeof(struct), *offsets)


def serve(mode):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("port", listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
    request = sock.recv(1024)
    sock.sendall(ANSWER)
    if mode == "bare":
        sock.close()
        print("read=%d" % len(request))
        return
    report = graceful_close.close(sock, timeout=10)
    if sock.fileno() != -1:
        sys.exit("the socket object still has its descriptor")
    unacked = "unknown" if report.unacked_bytes is None else report.unacked_bytes
    print("read=%d outcome=%d name=%s closed=%d peer_closed=%d system_error=%d drained=%d unacked=%s" % (
        len(request), report.outcome, report, report.closed, report.peer_closed,
        report.system_error, report.drained_bytes, unacked))


if __name__ == "__main__":
    if sys.argv[1] == "layout":
        layout()
    else:
        serve(sys.argv[1])
