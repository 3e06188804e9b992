"""A client that goes on talking while the server answers and closes.

HOST PORT COUNT KIND: prints how many of COUNT connections ended in order, and how many with a reset.
KIND: greet, a server that says something and closes; get, a web server that gets a body of 8 MB."""
import socket
import sys
import time

host, port, count, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
GET = b"GET /index.html HTTP/1.0\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"


def talk(connection):
    """Small pieces with pauses for a greeting; everything at once for the web server."""
    if kind == "get":
        connection.sendall(GET + bytes(8_000_000))
        return
    for _ in range(30):
        connection.sendall(b"are you there?\n" * 20)
        time.sleep(0.002)


def once():
    with socket.create_connection((host, port), 10) as connection:
        try:
            talk(connection)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return answer
                answer += piece
        except ConnectionError:
            return None


answers = [once() for _ in range(count)]
whole = [answer for answer in answers if answer is not None]
print("%d in order, %d reset, %d with an answer" % (
    len(whole), count - len(whole), sum(1 for answer in whole if answer)))
